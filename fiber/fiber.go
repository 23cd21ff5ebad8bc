// Package fiberpool gives the requests of Fiber v2 background tasks: its middleware
// puts a scope of a taskpool into the context of each request and starts what the
// request staged once its response is sent.
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
// On a server that Serve runs: after the last write of the response has returned,
// also where fasthttp flushes the responses of pipelined requests together
// (taskpool.ReleaseFlushed). On any other, as with app.Listen, fasthttp tells only
// that the response was written, not whether it was flushed: it was, unless
// another request is pipelined behind it (taskpool.ReleaseHandlerReturned).
//
// A request is over when its response is. Its scope accepts tasks as long as a
// stream writer (SetBodyStreamWriter) is being read or a hijack handler, such as
// that of a WebSocket, runs, and what is staged starts after that. A stream writer whose
// client has gone, or asked with HEAD, outlives the request: what it adds then is refused
// with taskpool.ErrScopeClosed, unless another task of the request has not ended.
//
// After a timeout that gives the request up (fasthttp's TimeoutError, which
// Fiber's timeout middleware does not use),
// or one outside of the middleware, they start when the handler has returned. In an
// app that is not served but called, by adaptor.FiberApp or what runs it as a
// function, they start then, too (taskpool.ReleaseNoServer), and the status of an error
// is taken to be the default error handler's. If a middleware outside of this one
// resets the user values (fasthttp's ResetUserValues, in newer versions
// Request().Reset() too), what is staged may start before the response is sent.
//
// # What Fiber uses again
//
// Fiber uses its contexts again, and the memory of the strings that it gives out: a
// task must never see c. A string from c has to be copied before it is handed to
// one, with utils.CopyString, and so has each field that c.QueryParser,
// BodyParser, ParamsParser, CookieParser or ReqHeaderParser
// has filled: they point into the memory of the request, and the task would read
// another one's. With fiber.Config.Immutable Fiber copies all of them itself.
//
// # Prefork
//
// Under Prefork every child process has a pool of its own, and the master ends
// the children when it is told to stop, without waiting for their tasks. Serve
// takes a listener, and Fiber does not prefork with one.
package fiberpool

import (
	"context"
	"errors"
	"net"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	fastpool "github.com/elite-libs/taskpool/fiber/fasthttp"
	"github.com/gofiber/fiber/v2"
)

// Middleware puts a scope of src into the user context of each request: From(c),
// or taskpool.FromContext(c.UserContext()) in code that does not know Fiber. It is found
// in c.Context(), and in the context of a request that adaptor.HTTPHandler makes. The
// middleware belongs first, outside of a recovery: fasthttp recovers no panics.
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
		ctx, x, err := fastpool.Begin(c.UserContext(), src, c.Context())
		if err != nil {
			return err
		}
		c.SetUserContext(ctx)
		panicked := true
		defer func() { x.End(err, code(err), panicked) }()
		err = c.Next()
		panicked = false
		return err
	}
}

// ErrHold is the error of Serve, and of every request, where the Source is one
// that taskpool.Hold returned.
var ErrHold = fastpool.ErrHold

// From returns the scope of a request; the zero Scope if Middleware is not
// installed.
func From(c *fiber.Ctx) taskpool.Scope { return taskpool.FromContext(c.UserContext()) }

// code is what Fiber answers to an error; 0 if it is nil.
func code(err error) int {
	if err == nil {
		return 0
	}
	return errorCode(err)
}

// errorCode stands apart since looking for a *fiber.Error takes an allocation.
func errorCode(err error) int {
	var e *fiber.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fiber.StatusInternalServerError
}

// DefaultLimit is how long Serve takes to shut down if it is told no limit: a
// little less than the 30 s after which Kubernetes and others kill.
const DefaultLimit = fastpool.DefaultLimit

// Serve serves app on ln until ctx ends; then it shuts down within limit and
// returns. ln is closed then, whatever it returns. src is the Source that the
// middleware was given; a nil one is refused with an error. A process with several of
// them joins them: see taskpool.JoinSources.
//
// Shutting down is in this order. The app accepts no more and finishes its
// requests; for that it has half of limit, then what is still open is closed,
// so that a stream cannot eat the time of the tasks. Hijacked connections are left
// to their handlers and waited for by nobody; what their requests staged starts. Then
// src.Done finishes the tasks with all the time that is left. If they do not end in
// it, Done cuts them short, which takes a second more for a task that does not heed
// its context, and another for a hook that hangs. A limit of 0 or less means
// DefaultLimit.
//
// The error joins those of serving, of the app's shutdown and of Done; it is nil
// if nothing was cut short or given up, and names the first of the tasks that were.
// What tasks returned is in no error: they are logged,
// and in the Report of src.Done, which may be called again for it. If it cannot
// accept, Serve returns the error at once and finalizes nothing. If somebody else
// shuts the app down, the same follows as when ctx ends. A src that is a
// taskpool.Hold is refused with ErrHold.
//
// While it shuts down, a request that has been read is answered, and a connection is
// closed for idle only before that: fasthttp before 1.78 alone carries out requests
// whose connection it has closed. What is left of that, before 1.78, is a request
// with another pipelined behind it that is answered in the instant in which
// the server is told to stop: its response may be lost with the connection.
//
// The app sees connections that are wrapped: what RequestCtx.Conn returns has a
// method NetConn for the one that ln gave. Fiber's OnListen hooks and its startup
// message do not recognize a listener of TLS in them.
func Serve(ctx context.Context, app *fiber.App, ln net.Listener, src taskpool.Source, limit time.Duration) error {
	return ServeWith(ctx, app, ln, src, ServeOptions{Limit: limit})
}

// ServeOptions are those of ServeWith: Pause is how long the app goes on as ever when
// ctx has ended, before it accepts no more, which is the time that a load balancer takes
// to notice that the process is not Ready; Limit is how long the shutdown may take after
// that. The zero value is what Serve does.
type ServeOptions = fastpool.ServeOptions

// ServeWith is Serve with options.
//
//	app.Get("/readyz", fiberpool.Ready(ctx))
//	err := fiberpool.ServeWith(ctx, app, ln, pool, fiberpool.ServeOptions{Pause: 5 * time.Second, Limit: 20 * time.Second})
func ServeWith(ctx context.Context, app *fiber.App, ln net.Listener, src taskpool.Source, o ServeOptions) error {
	if app == nil || ln == nil {
		if ln != nil {
			_ = ln.Close()
		}
		return errors.New("fiberpool: nil fiber.App or net.Listener")
	}
	return fastpool.Serve(ctx, fastpool.App{
		Server:   app.Server(),
		Serve:    app.Listener,
		Shutdown: app.ShutdownWithContext,
	}, ln, src, o)
}

// Ready answers whether a process takes requests: 200 until ctx ends, which is the one
// that Serve is given, and 503 from then on. It is for the readiness probe of a load
// balancer, which needs ServeOptions.Pause to see the 503. For a liveness probe it is
// wrong: a process that finishes its work is well.
func Ready(ctx context.Context) fiber.Handler {
	return func(c *fiber.Ctx) error {
		fastpool.Ready(ctx, c.Context())
		return nil
	}
}
