package fiberpool_test

import (
	"context"
	"errors"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	fiberpool "github.com/elite-libs/taskpool/fiber/fiber3"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/timeout"
)

// Fiber's timeout middleware answers while the handler, which it has given up, lives
// on with a Ctx and a RequestCtx of its own. It is the race detector that would tell
// what is used of them when it must not be.
const soon = 10 * time.Millisecond

func TestTimeoutInsideOfTheMiddleware(t *testing.T) {
	p := taskpool.New(taskpool.Config{Grace: time.Hour})
	got, late := make(chan taskpool.Outcome, 1), make(chan error, 2)
	answered, ended, free := make(chan struct{}), make(chan struct{}), make(chan struct{})
	app := newApp()
	app.Use(fiberpool.Middleware(p))
	app.Get("/", timeout.New(func(c fiber.Ctx) error {
		scope := taskpool.FromContext(c.Context())
		must(t, scope.OnFailure(outcome(got)))
		must(t, scope.Add(func(context.Context) error {
			<-free
			return nil
		}))
		<-answered
		late <- taskpool.FromContext(c).Add(func(context.Context) error { return nil })
		close(free)
		<-ended
		late <- scope.Add(func(context.Context) error { return nil })
		return c.SendString("too late")
	}, timeout.Config{Timeout: soon}))
	if status, _ := get(t, start(t, app)); status != fiber.StatusRequestTimeout {
		t.Errorf("got %d, want 408", status)
	}
	if o := <-got; o.Release != taskpool.ReleaseHandlerReturned || o.Status != fiber.StatusRequestTimeout {
		t.Errorf("got %+v, want 408, released by the handler's return", o)
	}
	close(answered)
	must(t, <-late) // its scope still has a task
	for s := p.Stats(); s.Running+s.Queued > 0; s = p.Stats() {
		if _, err := p.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	close(ended)
	if err := <-late; !errors.Is(err, taskpool.ErrScopeClosed) {
		t.Errorf("got %v, want %v", err, taskpool.ErrScopeClosed)
	}
}

func TestTimeoutOutsideOfTheMiddleware(t *testing.T) {
	p := taskpool.New(taskpool.Config{Grace: time.Hour})
	got, answered := make(chan taskpool.Outcome, 1), make(chan struct{})
	app := newApp()
	app.Use(timeout.New(func(c fiber.Ctx) error { return c.Next() }, timeout.Config{Timeout: soon}))
	app.Use(fiberpool.Middleware(p))
	app.Get("/", func(c fiber.Ctx) error {
		must(t, fiberpool.From(c).OnFailure(outcome(got)))
		<-answered
		return nil
	})
	if status, _ := get(t, start(t, app)); status != fiber.StatusRequestTimeout {
		t.Errorf("got %d, want 408", status)
	}
	if n := p.Stats().Staged; n != 1 {
		t.Errorf("%d tasks are staged while the handler runs, want 1", n)
	}
	close(answered)
	if o := <-got; o.Release != taskpool.ReleaseHandlerReturned || !o.Expired {
		t.Errorf("got %+v, want expired, released by the handler's return", o)
	}
}
