// Package echopool gives the requests of Echo v5 background tasks: its middleware
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
//
// The package for Echo v4 has the same name and the same functions, and is a module
// of its own: neither Echo is among the requirements of the other's adapter. What they
// share is in httppool.
package echopool

import (
	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/labstack/echo/v5"
)

// Middleware puts a scope of src into the context of each request: From(c), or
// taskpool.FromContext(c.Request().Context()) in code that does not know Echo.
// It belongs first, outside of Recover: that makes an error of a panic, so the
// outcome has it as Outcome.Err, and Panicked is false.
//
// Echo renders a handler's error after its middleware has returned; the
// outcome has the status that was really written, and the error as Outcome.Err.
// The writer that observes it takes the place of the one in Echo's own Response,
// where that is to be found through Unwrap, as in Echo's middlewares; or else of
// the writer that c.Response returns.
//
// Echo reuses its contexts, so a task must never see c: take what it needs before
// the handler returns.
//
// With a nil src adding tasks fails with taskpool.ErrNoScope.
func Middleware(src taskpool.Source) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) (err error) {
			writer := c.Response()
			own, hidden := echo.UnwrapResponse(writer)
			if hidden == nil {
				writer = own.ResponseWriter
			}
			x, w, r := httppool.Begin(src, writer, c.Request())
			// They stay: the error handler is still to write, and be observed.
			if hidden == nil {
				own.ResponseWriter = w
			} else {
				c.SetResponse(w)
			}
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
func From(c *echo.Context) taskpool.Scope {
	r := c.Request()
	if r == nil { // as in a test of a handler
		return taskpool.Scope{}
	}
	return taskpool.FromContext(r.Context())
}
