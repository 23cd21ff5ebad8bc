// Package echopool gives the requests of Echo background tasks: its middleware
// puts a scope of a taskpool into the context of each request and starts what
// the request staged once its response is sent.
//
//	pool := taskpool.New(taskpool.Config{})
//	e := echo.New()
//	e.Use(echopool.Middleware(pool), middleware.Recover())
//	srv := &http.Server{Addr: ":8080", Handler: e}
//	err := httppool.Serve(ctx, srv, pool, 20*time.Second)
//
// An Echo is a handler of net/http, so the server, its shutdown and what is
// promised of when tasks start are those of package httppool; serve with
// httppool.Serve, or call httppool.Track on the server, for exact releases.
package echopool

import (
	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/labstack/echo/v4"
)

// Middleware puts a scope of src into the context of each request: From(c), or
// taskpool.FromContext(c.Request().Context()) in code that does not know Echo.
// It belongs first, outside of Recover: it sees the panics of what is inside and
// recovers none.
//
// Echo renders a handler's error after its middleware has returned; the
// outcome has the status that was really written, and the error as Outcome.Err.
//
// Echo reuses its contexts, so a task must never see c: take what it needs before
// the handler returns.
//
// With a nil src adding tasks fails with taskpool.ErrNoScope.
func Middleware(src taskpool.Source) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			x, w, r := httppool.Begin(src, c.Response().Writer, c.Request())
			// They stay: the error handler is still to write, and be observed.
			c.Response().Writer = w
			c.SetRequest(r)
			panicked := true
			defer func() { x.End(err, panicked) }()
			err = next(c)
			panicked = false
			return err
		}
	}
}

// From returns the scope of a request; the zero Scope if Middleware is not
// installed.
func From(c echo.Context) taskpool.Scope { return taskpool.FromContext(c.Request().Context()) }
