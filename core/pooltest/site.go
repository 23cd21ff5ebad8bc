package pooltest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// A setup is how a site differs from a pool with one middleware.
type setup struct {
	bare   bool                            // no middleware
	twice  bool                            // the middleware is installed twice, on the same pool
	grace  time.Duration                   // Config.Grace; 0 means never
	tls    bool                            // with the kit's own certificate
	outer  func(http.Handler) http.Handler // stands around everything; needs Adapter.Handler
	second *taskpool.Pool                  // an inner middleware has this pool
	begun  *atomic.Int32                   // counts how often the middleware has run
}

// A countedSource counts the scopes that are begun or joined.
type countedSource struct {
	taskpool.Source
	begun *atomic.Int32
}

func (s countedSource) Begin(ctx context.Context) (context.Context, taskpool.Scope) {
	s.begun.Add(1)
	return s.Source.Begin(ctx)
}

// A site is a server that runs one program, with its pool and its clients.
type site struct {
	*run
	pool     *taskpool.Pool
	listener *listener
	closers  []func() // of the clients
	stop     func()
	finished bool
	results  map[string]taskpool.Result
}

// serve starts a site. It is finished by the end of the check at the latest.
func (r *run) serve(s setup, h Handler) *site {
	r.Helper()
	if s.grace == 0 {
		s.grace = time.Hour // what releases is to be seen, not what comes to the rescue
	}
	site := &site{run: r, listener: r.listen(), pool: taskpool.New(taskpool.Config{
		Workers: 16, Grace: s.grace, Results: taskpool.KeepAll, ResultLimit: 10_000,
		Logger: slog.New(slog.DiscardHandler),
	})}
	var srcs []taskpool.Source
	switch {
	case s.bare:
	case s.twice:
		srcs = []taskpool.Source{site.pool, site.pool}
	case s.second != nil:
		srcs = []taskpool.Source{site.pool, s.second}
	case s.begun != nil:
		srcs = []taskpool.Source{countedSource{site.pool, s.begun}}
	default:
		srcs = []taskpool.Source{site.pool}
	}
	var ln net.Listener = site.listener
	if s.tls {
		ln = serverTLS(ln)
	}
	if r.adapter.Handler != nil {
		site.stop = r.serveHTTP(ln, s, h, srcs)
	} else {
		site.stop = r.adapter.Serve(r.TB, ln, h, srcs...)
	}
	r.Cleanup(func() {
		r.openAll()
		site.finish()
	})
	return site
}

// finish closes the clients, stops the server, then the pool, and returns what
// became of every task, by name. Nothing may be unaccounted for.
func (s *site) finish() map[string]taskpool.Result {
	s.Helper()
	if s.finished {
		return s.results
	}
	s.finished = true
	for _, closeClient := range s.closers {
		closeClient()
	}
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	report, err := s.pool.Done(ctx)
	if err != nil {
		s.errorf("Pool.Done after the server had stopped: %v", err)
	}
	s.results = s.account(report)
	return s.results
}

// account checks the ledger of a pool that is done, and names its results.
func (s *site) account(report taskpool.Report) map[string]taskpool.Result {
	s.Helper()
	st := s.pool.Stats()
	s.balanced(st)
	if st.Running+st.Queued+st.Staged+st.Delayed+st.Retrying != 0 || uint64(len(report.Results)) != st.Accepted {
		s.errorf("%d tasks were accepted and %d have a named fate: %+v", st.Accepted, len(report.Results), st)
	}
	results := make(map[string]taskpool.Result)
	for _, r := range report.Results {
		if old, ok := results[r.Name]; ok {
			s.errorf("task %q has two fates: %v and %v", r.Name, old.Fate, r.Fate)
		}
		results[r.Name] = r
	}
	return results
}

// balanced checks the equation that holds at every moment.
func (s *site) balanced(st taskpool.Stats) bool {
	s.Helper()
	sum := uint64(st.Running+st.Queued+st.Staged+st.Delayed+st.Retrying) +
		st.Succeeded + st.Failed + st.Panicked + st.Discarded + st.Canceled + st.Abandoned
	if st.Accepted != sum {
		s.errorf("the ledger does not add up, %d were accepted: %+v", st.Accepted, st)
	}
	return st.Accepted == sum
}

// dial makes a client whose failures end the check.
func (s *site) dial() *client {
	s.Helper()
	c, err := connect(s.listener.Addr().String(), s.patience)
	if err != nil {
		s.fatalf("dial: %v", err)
	}
	s.closers = append(s.closers, func() { _ = c.Close() })
	return c
}

// send sends the request of a mode.
func (s *site) send(c *client, m mode, path string) {
	s.Helper()
	if _, err := c.Write([]byte(m.request(path))); err != nil {
		s.fatalf("send: %v", err)
	}
}

// receive reads a response; one that does not come to its end ends the check.
func (s *site) receive(c *client, m mode) response {
	s.Helper()
	resp, err := c.receive(m.method)
	if err != nil {
		s.fatalf("%v", err)
	}
	s.journal.note("the client has the complete response, %d", resp.status)
	return resp
}

// get is send and receive.
func (s *site) get(c *client, m mode, path string) response {
	s.Helper()
	s.send(c, m, path)
	return s.receive(c, m)
}

// A mode is a way to ask for a response over HTTP/1.
type mode struct{ name, method, version, header string }

var (
	keepAlive = mode{"keep-alive", "GET", "1.1", ""}
	modes     = []mode{
		keepAlive,
		{"close", "GET", "1.1", "Connection: close\r\n"},
		{"HTTP1.0", "GET", "1.0", ""},
		{"HEAD", "HEAD", "1.1", ""},
	}
)

func (m mode) request(path string) string {
	return fmt.Sprintf("%s %s HTTP/%s\r\nHost: pooltest\r\n%s\r\n", m.method, path, m.version, m.header)
}

// matrix is one check for each program in each mode.
func matrix(group string, f func(r *run, p program, m mode)) []check {
	var all []check
	for _, p := range programs {
		for _, m := range modes {
			all = append(all, check{group + "/" + p.name + "/" + m.name, func(r *run) { f(r, p, m) }})
		}
	}
	return slices.Clip(all)
}
