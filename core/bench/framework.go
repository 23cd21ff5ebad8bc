package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	taskpool "github.com/elite-libs/taskpool/core"
	echopool "github.com/elite-libs/taskpool/echo"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	ginpool "github.com/elite-libs/taskpool/gin"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"
)

// A framework serves ln until ctx ends. Its handler calls do, if there is one,
// with the scope of the request, and says hello. With a src the middleware is
// installed, and the adapter serves.
type framework struct {
	name   string
	allocs float64 // asked of its middleware for a request without tasks; 0 if nothing is
	serve  func(ctx context.Context, ln net.Listener, src taskpool.Source, do func(taskpool.Scope)) error
}

var frameworks = []framework{{"nethttp", 3, serveNetHTTP}, {"gin", 0, serveGin}, {"echo", 0, serveEcho}, {"fiber", 0, serveFiber}}

// The ways to serve a request: besides the Engine's, without its middleware.
const (
	bare       = "bare"       // no tasks either
	goroutines = "goroutines" // a go statement for each task
)

const hello = "hello"

// Serve serves ln until ctx ends: a framework's handler with the middleware if as
// is Engine, bare or with goroutines otherwise, and with trivial tasks.
func Serve(ctx context.Context, ln net.Listener, name, as string, tasks int) error {
	for _, f := range frameworks {
		if f.name == name {
			return f.run(ctx, ln, as, tasks, func() {})
		}
	}
	return fmt.Errorf("no framework %q", name)
}

// run is Serve, with a func that every task calls.
func (f framework) run(ctx context.Context, ln net.Listener, as string, tasks int, ended func()) error {
	var src taskpool.Source
	var do func(taskpool.Scope)
	switch as {
	case bare:
	case goroutines:
		do = func(taskpool.Scope) {
			for range tasks {
				go ended()
			}
		}
	case Engine:
		src = taskpool.New(taskpool.Config{})
		if tasks > 0 {
			staged := func(context.Context) error { ended(); return nil }
			do = func(s taskpool.Scope) {
				for range tasks {
					must(s.AfterResponse(staged))
				}
			}
		}
	default:
		return fmt.Errorf("no way %q to serve", as)
	}
	return f.serve(ctx, ln, src, do)
}

func serveNetHTTP(ctx context.Context, ln net.Listener, src taskpool.Source, do func(taskpool.Scope)) error {
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if do != nil {
			do(taskpool.FromContext(r.Context()))
		}
		_, _ = io.WriteString(w, hello)
	})
	if src != nil {
		h = httppool.Middleware(src)(h)
	}
	return serveHandler(ctx, ln, src, h)
}

func serveGin(ctx context.Context, ln net.Listener, src taskpool.Source, do func(taskpool.Scope)) error {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	if src != nil {
		router.Use(ginpool.Middleware(src))
	}
	router.GET("/", func(c *gin.Context) {
		if do != nil {
			do(ginpool.From(c))
		}
		c.String(http.StatusOK, hello)
	})
	return serveHandler(ctx, ln, src, router)
}

func serveEcho(ctx context.Context, ln net.Listener, src taskpool.Source, do func(taskpool.Scope)) error {
	e := echo.New()
	if src != nil {
		e.Use(echopool.Middleware(src))
	}
	e.GET("/", func(c echo.Context) error {
		if do != nil {
			do(echopool.From(c))
		}
		return c.String(http.StatusOK, hello)
	})
	return serveHandler(ctx, ln, src, e)
}

// serveHandler serves what stands on net/http.
func serveHandler(ctx context.Context, ln net.Listener, src taskpool.Source, h http.Handler) error {
	srv := &http.Server{Handler: h}
	if src != nil {
		return httppool.ServeListener(ctx, srv, ln, src, 0)
	}
	return serveBare(ctx, func() error { return srv.Serve(ln) }, srv.Shutdown)
}

func serveFiber(ctx context.Context, ln net.Listener, src taskpool.Source, do func(taskpool.Scope)) error {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	if src != nil {
		app.Use(fiberpool.Middleware(src))
	}
	app.Get("/", func(c *fiber.Ctx) error {
		if do != nil {
			do(fiberpool.From(c))
		}
		return c.SendString(hello)
	})
	if src != nil {
		return fiberpool.Serve(ctx, app, ln, src, 0)
	}
	return serveBare(ctx, func() error { return app.Listener(ln) }, app.ShutdownWithContext)
}

// serveBare serves until ctx ends, and shuts down.
func serveBare(ctx context.Context, serve func() error, shutdown func(context.Context) error) error {
	served := make(chan error, 1)
	go func() { served <- serve() }()
	select {
	case <-ctx.Done():
	case err := <-served:
		return err
	}
	err := shutdown(context.WithoutCancel(ctx))
	if s := <-served; !errors.Is(s, http.ErrServerClosed) {
		err = errors.Join(err, s)
	}
	return err
}
