package combos_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	fiber3pool "github.com/elite-libs/taskpool/fiber/fiber3"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"
)

// A combo is a program to be run with a pool and without.
type combo struct {
	name     string
	build    func(p *party) http.Handler
	app      func(p *party) *fiber.App  // instead of build
	app3     func(p *party) *fiber3.App // instead of build
	requests []request                  // nil: usual
	parsed   bool                       // chunks come as they may: responses are compared as a client parses them
	only     mode                       // zero: every mode
	except   map[string]request         // by name: what of usual is special here
	release  map[mode]taskpool.Release  // if it is not that of the mode
}

// A request is sent as it stands. Where the pool cannot know all, it is said here.
type request struct {
	name, raw string
	status    int              // Outcome.Status, if it is not what the client got
	release   taskpool.Release // if it is not that of the mode
	overdue   []mode           // in which only the sweep releases it
	parsed    bool             // as the combo's
	unlike    string           // why the response may differ; empty: it must not
}

// absent is the unlike of a request that a combo is not sent.
const absent = "absent"

// A mode is how a combo is served.
type mode uint8

const (
	tracked mode = iota + 1
	untracked
	http2
)

func (m mode) String() string {
	return [...]string{"", "HTTP/1 tracked", "HTTP/1 untracked", "HTTP/2"}[m]
}

func (m mode) release() taskpool.Release {
	return [...]taskpool.Release{0, taskpool.ReleaseFlushed, taskpool.ReleaseHandlerReturned, taskpool.ReleaseStreamClosed}[m]
}

// inFull reports whether there is time for all of it.
func inFull() bool { return os.Getenv("CHAOS") == "1" }

var ran atomic.Int64 // combinations: a combo in a mode, with one of its requests

// run runs combos in the modes that there is time for.
func run(t *testing.T, combos []combo) {
	t.Helper()
	modes := []mode{tracked, http2}
	if inFull() {
		modes = []mode{tracked, untracked, http2}
	}
	for _, c := range combos {
		for _, m := range modes {
			if c.servesItself() && m != tracked { // HTTP/1 alone
				continue
			}
			if c.only == 0 || c.only == m {
				t.Run(fmt.Sprintf("%s/%v", c.name, m), func(t *testing.T) { c.run(t, m) })
			}
		}
	}
}

func (c combo) run(t *testing.T, m mode) {
	requests := c.requests
	if requests == nil {
		requests = usual()
	}
	var bare, with party
	sendBare, sendWith := c.serve(t, m, &bare, nil), c.serve(t, m, &with, with.newPool())
	for _, r := range requests {
		if e, ok := c.except[r.name]; ok {
			r.status, r.release, r.overdue, r.unlike = e.status, e.release, e.overdue, e.unlike
		}
		if r.release == 0 {
			r.release = c.release[m]
		}
		if r.unlike == absent {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			ran.Add(1)
			bare.t, with.t = t, t
			want, response := sendBare(r), sendWith(r)
			if response != want && r.unlike == "" {
				t.Errorf("the response differs\n--- without\n%.2000q\n--- with\n%.2000q", want, response)
			}
			if got, want := with.count.Swap(0), bare.count.Swap(0); got != want {
				t.Errorf("%d handlers ran, without the pool %d", got, want)
			} else if got > 0 { // else a middleware has answered
				with.check(r, m, statusOf(response))
			}
			if got, want := with.observed(), bare.observed(); got != want && !offersMore(got, want) {
				t.Errorf("the handler sees %q, without the pool %q", got, want)
			}
		})
	}
	if _, err := with.pool.Done(t.Context()); err != nil {
		t.Error(err)
	}
}

// serve serves the combo and returns what sends it a request, which returns what came.
func (c combo) serve(t *testing.T, m mode, p *party, pool *taskpool.Pool) func(request) string {
	p.t, p.pool, p.wire = t, pool, listen(t)
	srv := &http.Server{ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: patience}
	switch {
	case c.app != nil:
		app := c.app(p)
		p.serveApp(app.Listener, app.Shutdown, func(ctx context.Context) error {
			return fiberpool.Serve(ctx, app, p.wire, pool, patience)
		})
	case c.app3 != nil:
		app := c.app3(p)
		quiet := fiber3.ListenConfig{DisableStartupMessage: true}
		p.serveApp(func(ln net.Listener) error { return app.Listener(ln, quiet) }, app.Shutdown, func(ctx context.Context) error {
			return fiber3pool.Serve(ctx, app, p.wire, pool, patience)
		})
	default:
		h := c.build(p)
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.handling.Add(1)
			defer p.handling.Done()
			h.ServeHTTP(w, r)
		})
	}
	if m == http2 {
		return p.overHTTP2(srv)
	}
	if !c.servesItself() {
		if m == tracked {
			httppool.Track(srv)
		}
		go func() { _ = srv.Serve(p.wire) }()
		t.Cleanup(func() { _ = srv.Close() })
	}
	return func(r request) string {
		writes := p.wire.writes.Load()
		raw := send(p.t, p.wire.Addr(), r.raw)
		if c.parsed || r.parsed {
			return firstLine(raw) + parse(raw)
		}
		return fmt.Sprintf("%s[%d writes]", text(raw), p.wire.writes.Load()-writes)
	}
}

// servesItself reports whether it is an app of Fiber.
func (c combo) servesItself() bool { return c.app != nil || c.app3 != nil }

// serveApp serves an app until the test has ended, with a pool by serve, which knows what is flushed.
func (p *party) serveApp(listen func(net.Listener) error, shutdown func() error, serve func(ctx context.Context) error) {
	if p.pool == nil {
		go func() { _ = listen(p.wire) }()
		p.t.Cleanup(func() { _ = shutdown() })
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx) }()
	t := p.t
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func (p *party) overHTTP2(srv *http.Server) func(request) string {
	s := httptest.NewUnstartedServer(srv.Handler)
	_ = s.Listener.Close()
	s.Listener, s.Config.ErrorLog, s.EnableHTTP2 = p.wire, srv.ErrorLog, true
	httppool.Track(s.Config)
	s.StartTLS()
	p.t.Cleanup(s.Close)
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	p.t.Cleanup(client.CloseIdleConnections)
	return func(r request) string {
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(r.raw, pause, ""))))
		if err != nil {
			p.t.Fatal(err)
		}
		req.URL.Scheme, req.URL.Host, req.RequestURI, req.Close = "https", p.wire.Addr().String(), "", false
		req.Header.Del("Connection")
		resp, err := client.Do(req)
		if err != nil {
			return "HTTP/1.1 000 " + failure(err)
		}
		return fmt.Sprintf("HTTP/1.1 %d\r\n%s", resp.StatusCode, parsed(resp))
	}
}

// failure is an error without what differs from run to run.
func failure(err error) string {
	for unwrapped := errors.Unwrap(err); unwrapped != nil; unwrapped = errors.Unwrap(err) {
		err = unwrapped
	}
	return fmt.Sprintf("%T", err)
}

func firstLine(raw string) string {
	if m := final.FindString(raw); m != "" {
		return m + "\r\n"
	}
	return ""
}

// parse is what a client makes of a response as it came. A proxy sends the 100 of the
// server behind it beside its own, if that comes before it has what it asks for.
func parse(raw string) string {
	var interim strings.Builder
	last := ""
	r := bufio.NewReader(strings.NewReader(raw))
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return "[" + err.Error() + "]"
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return interim.String() + parsed(resp)
		}
		line := fmt.Sprintf("interim %d %q\n", resp.StatusCode, resp.Header)
		if resp.StatusCode != http.StatusContinue || line != last {
			interim.WriteString(line)
		}
		last = line
	}
}

// A party is one of the two that are compared: the program without a pool, or with.
type party struct {
	t        *testing.T
	pool     *taskpool.Pool // nil: without
	wire     *wire
	drained  chan taskpool.Report
	started  chan start
	count    atomic.Int32   // of handlers that stage
	handling sync.WaitGroup // the outermost handlers, which may return after the client has all

	mu   sync.Mutex
	seen []string
}

// A start is when a task started.
type start struct {
	bytes   int64 // that the server had written
	success bool  // which of OnSuccess and OnFailure
}

// newPool makes the pool. Of each request it tells when all its tasks have ended.
func (p *party) newPool() *taskpool.Pool {
	p.drained, p.started = make(chan taskpool.Report, 8), make(chan start, 8)
	return taskpool.New(taskpool.Config{Hooks: taskpool.Hooks{
		Drained: func(_ context.Context, r taskpool.Report) { p.drained <- r },
	}})
}

// stage is what each handler does with the context of its request.
func (p *party) stage(ctx context.Context) {
	p.count.Add(1)
	if p.pool == nil {
		return
	}
	note := func(success bool) taskpool.Task {
		return func(context.Context) error {
			p.started <- start{p.wire.bytes.Load(), success}
			return nil
		}
	}
	scope := taskpool.FromContext(ctx)
	err := errors.Join(scope.AfterResponse(func(context.Context) error { return nil }), scope.OnSuccess(note(true)), scope.OnFailure(note(false)))
	if err != nil {
		p.t.Errorf("staging: %v", err)
	}
}

// saw notes what a handler sees.
func (p *party) saw(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, fmt.Sprintf(format, args...))
}

func (p *party) observed() string {
	p.handling.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	all := strings.Join(p.seen, "; ")
	p.seen = nil
	return all
}

// check checks the tasks of a request, whose response is complete.
func (p *party) check(r request, m mode, status int) {
	p.t.Helper()
	var report taskpool.Report
	var began start
	for range 2 {
		select {
		case report = <-p.drained:
		case began = <-p.started:
		case <-time.After(patience):
			p.t.Fatalf("the tasks did not end: %+v", p.pool.Stats())
		}
	}
	if report.Succeeded != 2 || report.Discarded != 1 {
		p.t.Errorf("got %+v, want two tasks that succeeded and one discarded", report)
	}
	o := report.Outcome
	if r.status != 0 {
		status = r.status
	}
	if o.Status != status && !o.Panicked {
		p.t.Errorf("Outcome.Status is %d, want %d: %+v", o.Status, status, o)
	}
	if began.success != o.Success() {
		p.t.Errorf("OnSuccess ran: %t, and the outcome is %+v", began.success, o)
	}
	want := m.release()
	switch {
	case slices.Contains(r.overdue, m):
		want = taskpool.ReleaseOverdue
	case r.release != 0:
		want = r.release
	}
	if o.Release != want {
		p.t.Errorf("released as %v, want %v", o.Release, want)
	}
	if written := p.wire.bytes.Load(); o.Exact() && m != http2 && began.bytes != written {
		p.t.Errorf("a task started after %d bytes of %d", began.bytes, written)
	}
}
