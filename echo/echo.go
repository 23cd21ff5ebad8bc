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
	"net/http"

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
			defer func() {
				if (err != nil || panicked) && r.Context().Err() == nil { // else c may be another request's: a timeout outside has given it up
					observe(x, w, c.Response())
				}
				x.End(err, panicked)
			}()
			err = next(c)
			panicked = false
			return err
		}
	}
}

// observe has the exchange told of a status that is still to be written and will not
// go through w. A middleware outside may have put a writer of its own into the
// Response, and put back what it had found before the error is rendered: Gzip does
// where nothing was written, and Timeout (middleware/compress.go and timeout.go, v4.16).
func observe(x httppool.Exchange, w http.ResponseWriter, r *echo.Response) {
	if r.Committed || x == (httppool.Exchange{}) { // then w is another's, which may not be comparable
		return
	}
	r.Before(func() {
		for at := r.Writer; at != w; {
			wrapper, ok := at.(interface{ Unwrap() http.ResponseWriter })
			if !ok {
				x.Status(r.Status)
				return
			}
			at = wrapper.Unwrap()
		}
	})
}

// From returns the scope of a request; the zero Scope if Middleware is not
// installed.
func From(c echo.Context) taskpool.Scope {
	r := c.Request()
	if r == nil { // as in a test of a handler
		return taskpool.Scope{}
	}
	return taskpool.FromContext(r.Context())
}
