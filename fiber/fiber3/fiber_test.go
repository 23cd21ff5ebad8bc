package fiberpool_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	fiberpool "github.com/elite-libs/taskpool/fiber/fiber3"
	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return ln
}

func newApp() *fiber.App { return fiber.New() }

// start has Serve serve app until the test has ended.
func start(t *testing.T, app *fiber.App) (url string) {
	t.Helper()
	ln := listen(t)
	stop, served := run(t, app, ln, taskpool.New(taskpool.Config{}), time.Minute)
	t.Cleanup(func() {
		stop()
		must(t, <-served)
	})
	return "http://" + ln.Addr().String()
}

// get makes a request on a connection of its own and returns the response.
func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(b)
}

// outcome is a task that sends the outcome of its request.
func outcome(to chan<- taskpool.Outcome) taskpool.Task {
	return func(ctx context.Context) error {
		o, _ := taskpool.FromContext(ctx).Outcome()
		to <- o
		return nil
	}
}

func TestValuesResetByTheHandlerLoseNothing(t *testing.T) {
	p := taskpool.New(taskpool.Config{Grace: time.Hour})
	got := make(chan taskpool.Outcome, 1)
	app := newApp()
	app.Use(fiberpool.Middleware(p))
	app.Get("/", func(c fiber.Ctx) error {
		must(t, fiberpool.From(c).AfterResponse(outcome(got)))
		c.RequestCtx().ResetUserValues()
		return c.SendStatus(fiber.StatusAccepted)
	})
	get(t, start(t, app))
	if o := <-got; o.Release != taskpool.ReleaseFlushed || o.Status != fiber.StatusAccepted {
		t.Errorf("got %+v, want 202, flushed", o)
	}
}

// Who resets the values outside of the middleware closes what was to tell that
// the response is sent, before it is: the tasks start then, and none is lost.
func TestValuesResetOutsideOfTheMiddlewareStartTheTasks(t *testing.T) {
	p := taskpool.New(taskpool.Config{Grace: time.Hour})
	got := make(chan taskpool.Outcome, 1)
	app := newApp()
	app.Use(func(c fiber.Ctx) error {
		err := c.Next()
		c.RequestCtx().ResetUserValues()
		return err
	}, fiberpool.Middleware(p))
	app.Get("/", func(c fiber.Ctx) error {
		must(t, fiberpool.From(c).AfterResponse(outcome(got)))
		return c.SendStatus(fiber.StatusAccepted)
	})
	get(t, start(t, app))
	if o := <-got; o.Status != fiber.StatusAccepted {
		t.Errorf("got %+v, want 202", o)
	}
}

// Each of two pools is told of the end of the response.
func TestTwoPoolsAreBothReleased(t *testing.T) {
	outer, inner := taskpool.New(taskpool.Config{Grace: time.Hour}), taskpool.New(taskpool.Config{Grace: time.Hour})
	got := make(chan taskpool.Outcome, 2)
	app := newApp()
	app.Use(fiberpool.Middleware(outer), func(c fiber.Ctx) error {
		must(t, fiberpool.From(c).AfterResponse(outcome(got)))
		return c.Next()
	}, fiberpool.Middleware(inner))
	app.Get("/", func(c fiber.Ctx) error {
		return fiberpool.From(c).AfterResponse(outcome(got))
	})
	get(t, start(t, app))
	for range 2 {
		if o := <-got; o.Release != taskpool.ReleaseFlushed {
			t.Errorf("got %v, want flushed", o.Release)
		}
	}
}

func TestATimeoutErrorStartsTasksAtOnce(t *testing.T) {
	p := taskpool.New(taskpool.Config{Grace: time.Hour})
	got := make(chan taskpool.Outcome, 1)
	app := newApp()
	app.Use(fiberpool.Middleware(p))
	app.Get("/", func(c fiber.Ctx) error {
		must(t, fiberpool.From(c).OnFailure(outcome(got)))
		c.RequestCtx().TimeoutError("late")
		return nil
	})
	if status, body := get(t, start(t, app)); status != fiber.StatusRequestTimeout || body != "late" {
		t.Errorf("got %d %q, want 408, late", status, body)
	}
	if o := <-got; o.Release != taskpool.ReleaseHandlerReturned || o.Status != fiber.StatusRequestTimeout {
		t.Errorf("got %+v, want 408, released by the handler's return", o)
	}
}

func TestTheStatusIsTheErrorHandlers(t *testing.T) {
	p := taskpool.New(taskpool.Config{Grace: time.Hour})
	got := make(chan taskpool.Outcome, 1)
	app := fiber.New(fiber.Config{ErrorHandler: func(c fiber.Ctx, err error) error {
		return c.Status(fiber.StatusTeapot).SendString(err.Error())
	}})
	app.Use(fiberpool.Middleware(p))
	want := errors.New("no coffee")
	app.Get("/", func(c fiber.Ctx) error {
		must(t, fiberpool.From(c).AfterResponse(outcome(got)))
		return want
	})
	if status, body := get(t, start(t, app)); status != fiber.StatusTeapot || body != "no coffee" {
		t.Errorf("got %d %q, want 418, no coffee", status, body)
	}
	if o := <-got; o.Status != fiber.StatusTeapot || !errors.Is(o.Err, want) {
		t.Errorf("got %+v, want 418 and the error", o)
	}
}

// A middleware outside may hand on a context that ends with the server: nothing is given up then.
func TestAContextThatEndsWithTheServerHidesNoStatus(t *testing.T) {
	p := taskpool.New(taskpool.Config{Grace: time.Hour})
	got := make(chan taskpool.Outcome, 1)
	server, stop := context.WithCancel(t.Context())
	app := newApp()
	app.Use(func(c fiber.Ctx) error {
		c.SetContext(server)
		return c.Next()
	}, fiberpool.Middleware(p))
	app.Get("/", func(c fiber.Ctx) error {
		must(t, fiberpool.From(c).OnFailure(outcome(got)))
		stop()
		return c.SendStatus(fiber.StatusBadGateway)
	})
	if status, _ := get(t, start(t, app)); status != fiber.StatusBadGateway {
		t.Errorf("got %d, want 502", status)
	}
	if o := <-got; o.Status != fiber.StatusBadGateway || o.Release != taskpool.ReleaseFlushed {
		t.Errorf("got %+v, want 502 when it is flushed", o)
	}
}

func TestFromWithoutMiddleware(t *testing.T) {
	refused := make(chan error, 1)
	app := newApp()
	app.Use(fiberpool.Middleware(nil))
	app.Get("/", func(c fiber.Ctx) error {
		refused <- fiberpool.From(c).Add(func(context.Context) error { return nil })
		return nil
	})
	get(t, start(t, app))
	if err := <-refused; !errors.Is(err, taskpool.ErrNoScope) {
		t.Errorf("got %v, want %v", err, taskpool.ErrNoScope)
	}
}

func TestRequestWithoutTasksCostsOneAllocation(t *testing.T) {
	app := newApp()
	app.Use(fiberpool.Middleware(taskpool.New(taskpool.Config{})))
	app.Get("/", func(fiber.Ctx) error { return nil })
	h, rctx := app.Handler(), new(fasthttp.RequestCtx)
	rctx.Request.Header.SetMethod(fiber.MethodGet)
	rctx.Request.SetRequestURI("/")
	if got := testing.AllocsPerRun(100, func() { h(rctx); rctx.ResetUserValues() }); got > 1 {
		t.Errorf("got %v allocations, want at most 1: the scope", got)
	}
}
