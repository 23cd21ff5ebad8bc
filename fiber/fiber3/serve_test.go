package fiberpool_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	fiberpool "github.com/elite-libs/taskpool/fiber/fiber3"
	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
)

func nothing(context.Context) error { return nil }

// run has Serve run until stop is called, which ends its ctx, and sends its error.
func run(t *testing.T, app *fiber.App, ln net.Listener, src taskpool.Source, limit time.Duration) (stop func(), served <-chan error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // not before stop is called
	result := make(chan error, 1)
	go func() { result <- fiberpool.Serve(ctx, app, ln, src, limit) }()
	return cancel, result
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
	app := newApp()
	app.Use(fiberpool.Middleware(p))
	app.Get("/", func(c fiber.Ctx) error {
		defer returned.Store(true)
		close(inHandler)
		<-ln.closed // with the request in flight
		return fiberpool.From(c).OnSuccess(func(context.Context) error {
			close(inTask)
			<-finish
			return nil
		})
	})
	stop, served := run(t, app, ln, src, limit)
	got := make(chan error, 1)
	go func() {
		resp, err := http.Get("http://" + ln.Addr().String())
		if err == nil {
			err = resp.Body.Close()
		}
		got <- err
	}()
	<-inHandler
	stop()
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
	if err := p.Add(nothing); !errors.Is(err, taskpool.ErrDone) {
		t.Errorf("got %v, want ErrDone", err)
	}
}

func TestServeClosesAStreamToLeaveTimeForTasks(t *testing.T) {
	p := taskpool.New(taskpool.Config{Grace: time.Hour})
	src := witness{p, func(ctx context.Context) {
		if ctx.Err() != nil {
			t.Error("the stream has left no time for Done")
		}
	}}
	streaming := make(chan struct{})
	app := newApp()
	app.Use(fiberpool.Middleware(p))
	app.Get("/", func(c fiber.Ctx) error {
		must(t, fiberpool.From(c).AfterResponse(nothing))
		c.RequestCtx().SetBodyStreamWriter(func(w *bufio.Writer) {
			close(streaming)
			for { // until the connection is closed
				_, _ = w.WriteString("more")
				if w.Flush() != nil {
					return
				}
			}
		})
		return nil
	})
	ln := listen(t)
	stop, served := run(t, app, ln, src, 2*time.Second)
	c, err := net.Dial("tcp", ln.Addr().String())
	must(t, err)
	defer func() { _ = c.Close() }()
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\n\r\n") // the response is never read
	must(t, err)
	<-streaming
	stop()
	err = <-served
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "half of the limit of 2s") {
		t.Errorf("got %v, want an error that names half of the limit", err)
	}
	if s := p.Stats(); s.Succeeded != 1 {
		t.Errorf("got %+v, want the stream's task succeeded", s)
	}
}

func TestServeCutsARequestThatIsStuck(t *testing.T) {
	p := taskpool.New(taskpool.Config{Grace: time.Hour})
	stuck, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	app := newApp()
	app.Use(fiberpool.Middleware(p))
	app.Get("/", func(c fiber.Ctx) error {
		must(t, fiberpool.From(c).Submit(taskpool.Job{Name: "beside", Run: nothing},
			taskpool.Job{Name: "staged", Run: nothing, Start: taskpool.StartAfterResponse}))
		close(stuck)
		<-release
		return nil
	})
	ln := listen(t)
	stop, served := run(t, app, ln, p, 200*time.Millisecond)
	c, err := net.Dial("tcp", ln.Addr().String())
	must(t, err)
	defer func() { _ = c.Close() }()
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	must(t, err)
	<-stuck
	stop()
	if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
		t.Errorf("got %q, %v, want the connection closed", b, err)
	}
	if err := <-served; err == nil || !strings.Contains(err.Error(), "half of the limit of 200ms") {
		t.Errorf("got %v, want an error that names half of the limit", err)
	}
	if s := p.Stats(); s.Accepted != 2 || s.Succeeded != 1 || s.Canceled != 1 {
		t.Errorf("got %+v, want one task succeeded, and canceled what waits for the stuck handler", s)
	}
}

// Browsers and clients connect in advance: that is no open request.
func TestAConnectionThatSentNothingIsNoError(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	fresh := make(chan struct{})
	app := newApp()
	app.Server().ConnState = func(_ net.Conn, s fasthttp.ConnState) {
		if s == fasthttp.StateNew {
			close(fresh)
		}
	}
	ln := listen(t)
	stop, served := run(t, app, ln, p, 20*time.Millisecond)
	c, err := net.Dial("tcp", ln.Addr().String())
	must(t, err)
	defer func() { _ = c.Close() }()
	<-fresh
	stop()
	must(t, <-served)
}

// The limit is an hour: an idle connection that was waited for hangs the test.
func TestAnIdleConnectionDelaysNothing(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	app := newApp()
	app.Use(fiberpool.Middleware(p))
	app.Get("/", func(c fiber.Ctx) error { return fiberpool.From(c).AfterResponse(nothing) })
	ln := listen(t)
	stop, served := run(t, app, ln, p, time.Hour)
	transport := new(http.Transport) // keeps its connection
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://" + ln.Addr().String())
	must(t, err)
	must(t, resp.Body.Close())
	stop()
	must(t, <-served)
	if s := p.Stats(); s.Succeeded != 1 {
		t.Errorf("got %+v, want the task succeeded", s)
	}
}

func TestServeCutsATaskThatIsStuck(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	release := make(chan struct{})
	defer close(release)
	must(t, p.Submit(taskpool.Job{Name: "stuck", Run: func(context.Context) error { <-release; return nil }}))
	stop, served := run(t, newApp(), listen(t), p, 10*time.Millisecond)
	stop()
	if err := <-served; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 task abandoned (stuck)") {
		t.Errorf("got %v, want a deadline with one task abandoned", err)
	}
	report, _ := p.Done(t.Context())
	if len(report.Results) != 1 || report.Results[0].Name != "stuck" {
		t.Errorf("got %+v, want the stuck task named", report)
	}
}

func TestAnErrorOfListeningFinalizesNothing(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	closed := listen(t)
	must(t, closed.Close())
	err := fiberpool.Serve(t.Context(), newApp(), closed, p, 0)
	if !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "fiberpool: ") {
		t.Errorf("got %v, want %v from fiberpool", err, net.ErrClosed)
	}
	must(t, p.Add(nothing))
}

func TestServeRefusesNil(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	ln := listen(t)
	defer func() { _ = ln.Close() }()
	for name, err := range map[string]error{
		"app":      fiberpool.Serve(t.Context(), nil, ln, p, 0),
		"listener": fiberpool.Serve(t.Context(), newApp(), nil, p, 0),
		"source":   fiberpool.Serve(t.Context(), newApp(), ln, nil, 0),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "fiberpool: ") {
			t.Errorf("nil %s: got %v, want an error of fiberpool", name, err)
		}
	}
	must(t, p.Add(nothing))
}

func TestServeEndsWhenSomebodyElseShutsTheAppDown(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	app := newApp()
	ln := listen(t)
	_, served := run(t, app, ln, p, 0)
	get(t, "http://"+ln.Addr().String())
	must(t, app.Shutdown())
	must(t, <-served)
	if err := p.Add(nothing); !errors.Is(err, taskpool.ErrDone) {
		t.Errorf("got %v, want ErrDone", err)
	}
}

func TestAPausingAppIsNotReadyAndAnswers(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	app := newApp()
	app.Use(fiberpool.Middleware(p))
	app.Get("/readyz", fiberpool.Ready(ctx))
	app.Get("/", func(c fiber.Ctx) error {
		must(t, fiberpool.From(c).OnSuccess(nothing))
		return c.SendString("served")
	})
	ln := listen(t)
	url := "http://" + ln.Addr().String()
	served := make(chan error, 1)
	go func() {
		served <- fiberpool.ServeWith(ctx, app, ln, p, fiberpool.ServeOptions{Pause: time.Hour, Limit: time.Minute})
	}()
	ask := func(path string, status int, body string) {
		t.Helper()
		if s, b := get(t, url+path); s != status || b != body {
			t.Errorf("%s: got %d %q, want %d %q", path, s, b, status, body)
		}
	}
	ask("/readyz", http.StatusOK, "ready\n")
	cancel()
	ask("/readyz", http.StatusServiceUnavailable, "shutting down\n")
	ask("/", http.StatusOK, "served")
	must(t, app.Shutdown()) // nothing is left to pause for
	must(t, <-served)
	if s := p.Stats(); s.Succeeded != 1 {
		t.Errorf("got %+v, want the task of the pause succeeded", s)
	}
}

func TestServeAcceptsUntilThePauseIsOver(t *testing.T) {
	const pause = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ln := openDoor(t)
	served := make(chan error, 1)
	go func() {
		served <- fiberpool.ServeWith(ctx, newApp(), ln, taskpool.New(taskpool.Config{}), fiberpool.ServeOptions{Pause: pause})
	}()
	began := time.Now()
	cancel()
	<-ln.closed
	if took := time.Since(began); took < pause {
		t.Errorf("the listener is closed after %v, want no sooner than after %v", took, pause)
	}
	must(t, <-served)
}

func TestServeEndsEachOfSeveralPools(t *testing.T) {
	pools := []*taskpool.Pool{taskpool.New(taskpool.Config{}), taskpool.New(taskpool.Config{})}
	stop, served := run(t, newApp(), listen(t), taskpool.JoinSources(pools[0], pools[1]), time.Minute)
	stop()
	must(t, <-served)
	for _, p := range pools {
		if err := p.Add(nothing); !errors.Is(err, taskpool.ErrDone) {
			t.Errorf("got %v, want ErrDone", err)
		}
	}
}
