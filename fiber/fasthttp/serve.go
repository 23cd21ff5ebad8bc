package fastpool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/valyala/fasthttp"
)

// DefaultLimit is how long Serve takes to shut down if it is told no limit: a
// little less than the 30 s after which Kubernetes and others kill.
const DefaultLimit = 25 * time.Second

// An App is a framework's application, as far as Serve has to do with it.
type App struct {
	Server   *fasthttp.Server
	Serve    func(ln net.Listener) error     // until Shutdown; nil then
	Shutdown func(ctx context.Context) error // Server.ShutdownWithContext, and what the framework does beside
}

// ServeOptions are those of Serve. The zero value pauses not at all, and takes
// DefaultLimit.
type ServeOptions struct {
	// Pause is how long the server goes on as ever when ctx has ended, before it
	// accepts no more: the time that a load balancer takes to notice that the
	// process is not Ready and to send no more requests. 0 or less means none.
	Pause time.Duration

	// Limit is how long the shutdown may take, after the Pause. Both together belong
	// below what the platform gives (terminationGracePeriodSeconds, 30 s). 0 or less
	// means DefaultLimit.
	Limit time.Duration
}

// Serve serves app on ln until ctx ends, then pauses, and shuts down: it is
// fiberpool.ServeWith, which says what is promised. It tracks the connections of ln.
//
// It sets app.Server.CloseOnShutdown: the server leaves the response of a
// pipelined request unflushed if it is told to stop before it has come to the next
// one (Server.serveConn, fasthttp before 1.78).
func Serve(ctx context.Context, app App, ln net.Listener, src taskpool.Source, o ServeOptions) error {
	defer func() { _ = ln.Close() }()
	if src == nil {
		return errors.New("fiberpool: nil Source: pass the one that the middleware was given")
	}
	_, x := src.Begin(ctx)
	held := x.Held()
	x.Returned(taskpool.Outcome{}) // a scope that stays open is a request to whoever counts them
	if held {
		return ErrHold
	}
	limit := o.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	if err := closed(ln); err != nil {
		return fmt.Errorf("fiberpool: %w", err)
	}
	tracked, conns := track(app.Server, ln)
	app.Server.CloseOnShutdown = true
	served := make(chan error, 1)
	go func() { served <- app.Serve(tracked) }()
	failed, over := wait(ctx, served)
	if !over && o.Pause > 0 {
		pause, cancel := context.WithTimeout(context.Background(), o.Pause)
		defer cancel()
		failed, over = wait(pause, served)
	}
	if over {
		if failed != nil && !conns.seen.Load() {
			return fmt.Errorf("fiberpool: %w", failed)
		}
		served <- nil // for the wait below
	}
	all, cancelAll := context.WithTimeout(context.Background(), limit)
	defer cancelAll()
	half, cancelHalf := context.WithTimeout(all, limit/2)
	defer cancelHalf()

	conns.stopping.Store(true)
	if err := app.Shutdown(half); err != nil && conns.closeAll() {
		failed = errors.Join(failed, fmt.Errorf("fiberpool: requests were still open at half of the limit of %v: %w", limit, err))
	}
	_ = ln.Close() // had the app not begun to serve, it would begin now
	failed = errors.Join(failed, <-served)
	conns.giveUp()
	_, err := src.Done(all)
	return errors.Join(failed, err)
}

// wait waits for ctx to end, or the server: over reports that, and failed is its error.
func wait(ctx context.Context, served <-chan error) (failed error, over bool) {
	select {
	case <-ctx.Done():
		return nil, false
	case failed = <-served:
		return failed, true
	}
}

// Ready answers whether a process takes requests: 200 until ctx ends, which is the one
// that Serve is given, and 503 from then on. It is fiberpool.Ready.
func Ready(ctx context.Context, rctx *fasthttp.RequestCtx) {
	rctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	if ctx.Err() != nil {
		rctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		rctx.SetBodyString("shutting down\n")
		return
	}
	rctx.SetBodyString("ready\n")
}

// closed says whether ln is closed, where it can. fasthttp's Serve returns nil then,
// as after a shutdown.
func closed(ln net.Listener) error {
	if ln, ok := ln.(interface{ SetDeadline(time.Time) error }); ok {
		return ln.SetDeadline(time.Time{})
	}
	return nil
}
