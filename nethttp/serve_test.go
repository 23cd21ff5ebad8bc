package httppool_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return ln
}

// A witness is a Source that tells when it is finalized.
type witness struct {
	taskpool.Source
	done func(ctx context.Context)
}

func (w witness) Done(ctx context.Context) (taskpool.Report, error) {
	w.done(ctx)
	return w.Source.Done(ctx)
}

// A door is a listener that tells when it is closed, which is how a server begins to shut down.
type door struct {
	net.Listener
	once   sync.Once
	closed chan struct{}
}

func openDoor(t *testing.T) *door { return &door{Listener: listen(t), closed: make(chan struct{})} }

func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

func TestServeFinishesRequestsThenTasks(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	inHandler := make(chan struct{})
	ln := openDoor(t)
	inTask, finish := make(chan struct{}), make(chan struct{})
	var returned atomic.Bool
	limit, began := time.Minute, time.Now()
	src := witness{p, func(ctx context.Context) {
		if !returned.Load() {
			t.Error("Done is called before the handlers have returned")
		}
		if deadline, _ := ctx.Deadline(); deadline.Sub(began) < limit {
			t.Errorf("the limit is %v, and Done has %v from the start on", limit, deadline.Sub(began))
		}
	}}
	srv := &http.Server{Handler: httppool.Middleware(p)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		defer returned.Store(true)
		close(inHandler)
		<-ln.closed // with the request in flight
		must(t, taskpool.FromContext(r.Context()).OnSuccess(func(context.Context) error {
			close(inTask)
			<-finish
			return nil
		}))
	}))}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- httppool.ServeListener(ctx, srv, ln, src, limit) }()
	got := make(chan error, 1)
	go func() {
		resp, err := http.Get("http://" + ln.Addr().String())
		if err == nil {
			err = resp.Body.Close()
		}
		got <- err
	}()
	<-inHandler
	cancel()
	must(t, <-got)
	<-inTask
	select {
	case err := <-served:
		t.Fatalf("Serve returned %v before the task had ended", err)
	default:
	}
	close(finish)
	must(t, <-served)
	if s := p.Stats(); s.Accepted != 1 || s.Succeeded != 1 {
		t.Errorf("got %+v, want the one task succeeded", s)
	}
	if err := p.Add(func(context.Context) error { return nil }); !errors.Is(err, taskpool.ErrDone) {
		t.Errorf("got %v, want ErrDone", err)
	}
}

func TestServeClosesAStreamToLeaveTimeForTasks(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	src := witness{p, func(ctx context.Context) {
		if ctx.Err() != nil {
			t.Error("the stream has left no time for Done")
		}
	}}
	streaming := make(chan struct{})
	srv := &http.Server{Handler: httppool.Middleware(p)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(t, taskpool.FromContext(r.Context()).AfterResponse(func(context.Context) error { return nil }))
		must(t, http.NewResponseController(w).Flush())
		close(streaming)
		<-r.Context().Done() // until the connection is closed
	}))}
	ln := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- httppool.ServeListener(ctx, srv, ln, src, 2*time.Second) }()
	resp, err := http.Get("http://" + ln.Addr().String())
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	<-streaming
	cancel()
	err = <-served
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "half of the limit of 2s") {
		t.Errorf("got %v, want an error that names half of the limit", err)
	}
	if s := p.Stats(); s.Succeeded != 1 {
		t.Errorf("got %+v, want the stream's task succeeded", s)
	}
}

// Browsers and clients connect in advance: that is no open request.
func TestAConnectionThatSentNothingIsNoError(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	fresh := make(chan struct{})
	srv := &http.Server{ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			close(fresh)
		}
	}}
	ln := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- httppool.ServeListener(ctx, srv, ln, p, 20*time.Millisecond) }()
	c, err := net.Dial("tcp", ln.Addr().String())
	must(t, err)
	defer func() { _ = c.Close() }()
	<-fresh
	cancel()
	must(t, <-served)
}

// A request is open although no middleware has seen it, beside connections that have
// sent nothing and those that have been answered.
func TestAnOpenRequestIsAnErrorBesideConnectionsThatSentNothing(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	var states sync.WaitGroup
	states.Add(3)
	release := make(chan struct{})
	defer close(release)
	srv := &http.Server{
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				states.Done()
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/open" {
				w.(http.Flusher).Flush()
				<-release
			}
		}),
	}
	ln := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- httppool.ServeListener(ctx, srv, ln, p, 20*time.Millisecond) }()
	for range 2 {
		c, err := net.Dial("tcp", ln.Addr().String())
		must(t, err)
		defer func() { _ = c.Close() }()
	}
	for _, path := range []string{"/", "/", "/open"} { // on one connection
		resp, err := http.Get("http://" + ln.Addr().String() + path)
		must(t, err)
		defer func() { _ = resp.Body.Close() }()
		if path == "/" {
			_, err = io.Copy(io.Discard, resp.Body)
			must(t, err)
		}
	}
	states.Wait()
	cancel()
	if err := <-served; err == nil || !strings.Contains(err.Error(), "still open") {
		t.Errorf("got %v, want an error that tells of the open request", err)
	}
}

func TestServeCutsATaskThatIsStuck(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	release := make(chan struct{})
	defer close(release)
	must(t, p.Submit(taskpool.Job{Name: "stuck", Run: func(context.Context) error { <-release; return nil }}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := httppool.ServeListener(ctx, &http.Server{}, listen(t), p, 10*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 task abandoned (stuck)") {
		t.Errorf("got %v, want a deadline with one task abandoned", err)
	}
	report, _ := p.Done(t.Context())
	if len(report.Results) != 1 || report.Results[0].Name != "stuck" {
		t.Errorf("got %+v, want the stuck task named", report)
	}
}

func TestAnErrorOfListeningFinalizesNothing(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	ln := listen(t)
	defer func() { _ = ln.Close() }()
	closed := listen(t)
	must(t, closed.Close())
	for name, err := range map[string]error{
		"address in use":  httppool.Serve(t.Context(), &http.Server{Addr: ln.Addr().String()}, p, 0),
		"no certificate":  httppool.ServeTLS(t.Context(), &http.Server{Addr: "127.0.0.1:0"}, "none", "none", p, 0),
		"closed listener": httppool.ServeListener(t.Context(), &http.Server{}, closed, p, 0),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "httppool: ") {
			t.Errorf("%s: got %v, want an error of httppool", name, err)
		}
	}
	must(t, p.Add(func(context.Context) error { return nil }))
}

func TestServeRefusesNil(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	if err := httppool.Serve(t.Context(), nil, p, 0); err == nil {
		t.Error("nil server: got no error")
	}
	if err := httppool.Serve(t.Context(), &http.Server{Addr: "127.0.0.1:0"}, nil, 0); err == nil {
		t.Error("nil source: got no error")
	}
}

func TestServeEndsWhenSomebodyElseShutsTheServerDown(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	srv := &http.Server{Handler: http.NotFoundHandler()}
	ln := listen(t)
	served := make(chan error, 1)
	go func() { served <- httppool.ServeListener(t.Context(), srv, ln, p, 0) }()
	get(t, http.DefaultClient, "http://"+ln.Addr().String())
	must(t, srv.Shutdown(t.Context()))
	must(t, <-served)
	if err := p.Add(func(context.Context) error { return nil }); !errors.Is(err, taskpool.ErrDone) {
		t.Errorf("got %v, want ErrDone", err)
	}
}

func TestServeTLSSpeaksHTTP2(t *testing.T) {
	certificate := httptest.NewUnstartedServer(nil) // for its key pair
	certificate.StartTLS()
	defer certificate.Close()
	p := taskpool.New(taskpool.Config{})
	got := make(chan taskpool.Outcome, 1)
	srv := &http.Server{
		Handler:   httppool.Middleware(p)(outcomes(t, got)),
		TLSConfig: &tls.Config{Certificates: certificate.TLS.Certificates},
	}
	ln := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- httppool.ServeListenerTLS(ctx, srv, ln, "", "", p, 0) }()
	client := certificate.Client()
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	resp, err := client.Get("https://" + ln.Addr().String())
	must(t, err)
	must(t, resp.Body.Close())
	if resp.ProtoMajor != 2 {
		t.Errorf("got %s, want HTTP/2", resp.Proto)
	}
	if o := <-got; o.Release != taskpool.ReleaseStreamClosed || o.Status != 200 {
		t.Errorf("got %+v, want 200 released by the stream's end", o)
	}
	client.CloseIdleConnections()
	cancel()
	must(t, <-served)
}
