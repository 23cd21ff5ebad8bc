package fiberpool_test

import (
	"context"
	"errors"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	"github.com/gofiber/fiber/v2"
)

func TestServeRefusesAHold(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	ln := listen(t)
	defer func() { _ = ln.Close() }()
	if err := fiberpool.Serve(t.Context(), newApp(), ln, taskpool.Hold(p, taskpool.HoldOptions{}), 0); !errors.Is(err, fiberpool.ErrHold) {
		t.Errorf("got %v, want ErrHold", err)
	}
	must(t, p.Add(nothing)) // it finalizes nothing
}

func TestRequestFailsWithErrHold(t *testing.T) {
	for name, src := range map[string]taskpool.Source{
		"shared":      taskpool.New(taskpool.Config{}),
		"per request": taskpool.PerRequest(taskpool.Config{}),
	} {
		t.Run(name, func(t *testing.T) {
			seen, begun := make(chan error, 1), &begins{Source: src}
			app := fiber.New(fiber.Config{DisableStartupMessage: true, ErrorHandler: func(c *fiber.Ctx, err error) error {
				seen <- err
				return fiber.DefaultErrorHandler(c, err)
			}})
			app.Use(fiberpool.Middleware(taskpool.Hold(begun, taskpool.HoldOptions{Last: true})))
			app.Get("/", func(*fiber.Ctx) error {
				t.Error("the handler runs")
				return nil
			})
			if status, _ := get(t, start(t, app)); status != fiber.StatusInternalServerError {
				t.Errorf("got status %d, want 500", status)
			}
			if err := <-seen; !errors.Is(err, fiberpool.ErrHold) {
				t.Errorf("got %v, want ErrHold", err)
			}
			if err := begun.last.Add(nothing); !errors.Is(err, taskpool.ErrScopeClosed) {
				t.Errorf("got %v of the scope that was begun, want ErrScopeClosed", err)
			}
		})
	}
}

// A begins is a Source that keeps the scope that it begins.
type begins struct {
	taskpool.Source
	last taskpool.Scope
}

func (b *begins) Begin(ctx context.Context) (context.Context, taskpool.Exchange) {
	ctx, x := b.Source.Begin(ctx)
	b.last = x.Scope()
	return ctx, x
}
