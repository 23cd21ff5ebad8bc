package pooltest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// A setup is how a site differs from a pool with one middleware.
type setup struct {
	bare    bool                            // no middleware
	install install                         // nil means once
	workers int                             // Config.Workers; 0 means enough for every check
	grace   time.Duration                   // Config.Grace; 0 means never
	tls     bool                            // with the kit's own certificate
	outer   func(http.Handler) http.Handler // stands around everything; needs Adapter.Handler

	base         context.Context // of the server's contexts; nil means none
	writeTimeout time.Duration   // of the server

	perRequest bool // a pool for each request, though run.perRequest is not set

	maxHeader int  // http.Server.MaxHeaderBytes
	results   int  // how many results are kept; 0 means enough for every other check
	quiet     bool // for thousands of requests: no limit of the queue, and no word of the connections in the journal
}

// A site is a server that runs one program, with its pool and its clients.
type site struct {
	*run
	source   *source
	listener *listener
	closers  []func() // of the clients
	stop     func()
	finished bool
	results  map[string]taskpool.Result
}

// serve starts a site. It is finished by the end of the check at the latest.
func (r *run) serve(s setup, h Handler) *site {
	r.Helper()
	notes := r.journal
	if s.bare {
		notes = new(journal) // its writes are not those of the site that is checked
	}
	if s.quiet {
		notes = nil
	}
	site := &site{run: r, listener: r.listen(notes), source: r.source(s)}
	var srcs []taskpool.Source
	if !s.bare {
		var src taskpool.Source = site.source
		if r.hold != nil {
			src = taskpool.Hold(src, *r.hold)
		}
		if s.install == nil {
			s.install = once
		}
		srcs = s.install(src)
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
	report, err := s.source.Done(ctx)
	if err != nil {
		s.errorf("Done after the server had stopped: %v", err)
	}
	s.results = s.account(report)
	return s.results
}

// account checks the ledger of what is done, and names its results.
func (s *site) account(report taskpool.Report) map[string]taskpool.Result {
	s.Helper()
	st := s.source.stats()
	s.balanced(st)
	if s.source.split.Load() {
		s.errorf("an inner middleware has begun a scope of its own, on another pool")
	}
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
