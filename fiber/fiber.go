// Package fiberpool gives the requests of Fiber background tasks: its middleware
// puts a scope of a taskpool into the user context of each request and starts
// what the request staged once its response is sent.
//
//	pool := taskpool.New(taskpool.Config{})
//	app := fiber.New()
//	app.Use(fiberpool.Middleware(pool), recover.New())
//	ln, err := net.Listen("tcp", ":8080")
//	...
//	err = fiberpool.Serve(ctx, app, ln, pool, 20*time.Second)
//
// # When staged tasks start
//
// After the last write of the response has returned (taskpool.ReleaseFlushed). Of
// pipelined requests fasthttp flushes the responses together, so there the tasks
// of all but the last may start before that. After a hijack they start when the hijack
// handler has ended, and after a timeout (fasthttp's TimeoutError, which Fiber's
// timeout middleware does not use) when the handler has returned.
// If a middleware outside of this one resets the user values (fasthttp's
// ResetUserValues, in newer versions Request().Reset() too), they start then.
//
// # Strings
//
// Fiber reuses its contexts and the memory of the strings that it gives out: a
// task must never see c, and a string from c has to be copied before it is handed
// to one, with utils.CopyString or fiber.Config.Immutable.
//
// # Prefork
//
// Under Prefork every child process has a pool of its own, and the master ends
// the children when it is told to stop, without waiting for their tasks. Serve
// takes a listener, and Fiber does not prefork with one.
package fiberpool

import (
	"errors"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// Middleware puts a scope of src into the user context of each request: From(c),
// or taskpool.FromContext(c.UserContext()) in code that does not know Fiber. It
// belongs first, outside of a recovery: fasthttp recovers no panics.
//
// Fiber renders a handler's error after its middleware has returned; the
// outcome has the status that was really sent, and the error as Outcome.Err.
// The user context does not end when the client goes.
//
// With a nil src adding tasks fails with taskpool.ErrNoScope. With a taskpool.Hold
// every request fails with ErrHold that is not within another scope, since a
// Fiber handler cannot flush what it has written: the client would have its
// answer only after the tasks.
func Middleware(src taskpool.Source) fiber.Handler {
	return func(c *fiber.Ctx) (err error) {
		if src == nil {
			return c.Next()
		}
		rctx := c.Context()
		rctx.SetUserValue(reusedKey{}, true)
		ctx, x := src.Begin(c.UserContext())
		if x.Held() {
			return ErrHold
		}
		x.Reused(reusedKey{})
		c.SetUserContext(ctx)
		panicked := true
		defer func() { end(x, rctx, err, panicked) }()
		err = c.Next()
		panicked = false
		return err
	}
}

// ErrHold is the error of Serve, and of every request, where the Source is one
// that taskpool.Hold returned.
var ErrHold = errors.New("fiberpool: a Fiber handler cannot flush its response, so no request can be held: pass the Source without taskpool.Hold")

// From returns the scope of a request; the zero Scope if Middleware is not
// installed.
func From(c *fiber.Ctx) taskpool.Scope { return taskpool.FromContext(c.UserContext()) }

type reusedKey struct{} // answered by fasthttp's contexts

// end tells the outcome, and arms what tells that the response is sent.
func end(x taskpool.Exchange, rctx *fasthttp.RequestCtx, err error, panicked bool) {
	o := taskpool.Outcome{Status: status(rctx, err), Err: err, Panicked: panicked}
	switch {
	case !x.Returned(o):
	case rctx.LastTimeoutErrorResponse() != nil: // rctx is given up, and never closed
		x.Sent(taskpool.ReleaseHandlerReturned)
	default:
		c := &closer{x, rctx, o}
		rctx.SetUserValue(c, c) // a key of its own: there may be one for another pool
	}
}

// status is the response's as far as it is known when the handler has returned.
func status(rctx *fasthttp.RequestCtx, err error) int {
	timeout := rctx.LastTimeoutErrorResponse()
	switch {
	case timeout != nil: // it is sent, whatever else there is
		return timeout.StatusCode()
	case rctx.Hijacked():
		return 0
	case err != nil:
		return errorStatus(err)
	}
	return rctx.Response.StatusCode()
}

// errorStatus is what Fiber answers to an error. It stands apart since looking
// for a *fiber.Error takes an allocation.
func errorStatus(err error) int {
	var e *fiber.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fiber.StatusInternalServerError
}

// A closer is a user value that fasthttp closes when it resets the request, in
// the goroutine of the connection: after the response was flushed, or the
// hijack handler has ended (userData.Reset in serveConn and hijackConnHandler,
// fasthttp 1.51 and 1.77).
type closer struct {
	exchange taskpool.Exchange
	rctx     *fasthttp.RequestCtx
	outcome  taskpool.Outcome
}

// Close only starts things: the connection waits for it.
func (c *closer) Close() error {
	if c.outcome.Status != 0 {
		c.outcome.Status = c.rctx.Response.StatusCode()
		c.exchange.Returned(c.outcome)
	}
	c.exchange.Sent(taskpool.ReleaseFlushed)
	return nil
}
