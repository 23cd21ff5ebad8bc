// Package fastpool is what the adapters for the two major versions of Fiber
// share: the lifecycle of a request that fasthttp serves, and the server's
// shutdown. It is for authors of adapters whose framework stands on fasthttp;
// everybody else uses package fiberpool, of which there is one for each Fiber.
//
// It is a module of its own so that neither Fiber is among the requirements of the
// other's adapter.
package fastpool

import (
	"context"
	"errors"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/valyala/fasthttp"
)

// ErrHold is the error of Serve, and of every request, where the Source is one
// that taskpool.Hold returned.
var ErrHold = errors.New("fiberpool: a Fiber handler cannot flush its response, so no request can be held: pass the Source without taskpool.Hold")

// An Exchange is the lifecycle of one request. Begin makes it, and End is called
// once, when the handler chain has returned or panicked.
type Exchange struct {
	of   taskpool.Exchange
	rctx *fasthttp.RequestCtx
	ctx  context.Context // what Begin was given
}

type reusedKey struct{} // answered by fasthttp's contexts

// Begin begins a scope on src for a request whose context, in the framework's
// terms, is ctx. It returns the context to put in its place, and has
// taskpool.FromContext find the scope in rctx too, and so in what is derived
// from it: the context of a request that fasthttpadaptor hands to a handler of
// net/http, and a Ctx of Fiber v3 itself. ErrHold is the only error.
func Begin(ctx context.Context, src taskpool.Source, rctx *fasthttp.RequestCtx) (context.Context, Exchange, error) {
	rctx.SetUserValue(reusedKey{}, true)
	inner, of := src.Begin(ctx)
	if of.Held() {
		of.Returned(taskpool.Outcome{}) // a scope that stays open is a request to whoever counts them
		return ctx, Exchange{}, ErrHold
	}
	of.Reused(reusedKey{}, nil)
	rctx.SetUserValue(of.Value())
	return inner, Exchange{of, rctx, ctx}, nil
}

// End tells the scope the outcome and arms what will tell it that the response is
// sent. err is what the handler chain returned, code the status that the framework
// answers such an error with, and panicked whether it panicked. It does not block.
//
// A response with a body stream is over when the stream is, and a hijacked
// connection when its handler has returned: until then the scope accepts tasks.
func (x Exchange) End(err error, code int, panicked bool) {
	o := taskpool.Outcome{Status: code, Err: err, Panicked: panicked}
	if _, timed := x.ctx.Deadline(); timed && x.ctx.Err() != nil {
		// A timeout outside of the middleware has passed. It may have given rctx
		// up, and another goroutine be answering (Fiber v3's timeout middleware):
		// nothing of rctx may be read, and it is never closed. A context without
		// a deadline that has ended, as at a shutdown, is taken to give nothing up.
		x.returned(o, taskpool.ReleaseHandlerReturned)
		return
	}
	if late := x.rctx.LastTimeoutErrorResponse(); late != nil { // it is sent, whatever else there is; rctx is given up, and never closed
		o.Status = late.StatusCode()
		x.returned(o, taskpool.ReleaseHandlerReturned)
		return
	}
	hijacked := x.rctx.Hijacked()
	switch {
	case hijacked:
		o.Status = 0
	case err == nil:
		o.Status = x.rctx.Response.StatusCode()
	}
	// No server numbers the requests of a RequestCtx that was made by Init, as
	// Fiber's adaptor.FiberApp does (fasthttp Server.serveConn): it is never closed.
	if x.rctx.ConnRequestNum() == 0 {
		x.returned(o, taskpool.ReleaseNoServer)
		return
	}
	goesOn := hijacked || err == nil && !panicked && x.rctx.Response.IsBodyStream()
	if !goesOn && !x.of.Returned(o) {
		return
	}
	p := &pending{exchange: x.of, rctx: x.rctx, outcome: o, hijacked: hijacked}
	if t, ok := x.rctx.Conn().(tracked); ok {
		p.conn = t.tracked()
		if hijacked {
			p.conn.hijack(p)
		}
	}
	x.rctx.SetUserValue(p, p) // a key of its own: there may be one for another pool
}

func (x Exchange) returned(o taskpool.Outcome, r taskpool.Release) {
	x.of.Returned(o)
	x.of.Sent(r)
}

// A pending is the end of a request that is still to come. It is a user value,
// which fasthttp closes when it resets the request, in the goroutine of the
// connection: after the response was written, and flushed unless another request
// is pipelined behind it, or when the hijack handler has ended (userData.Reset, in
// Server.serveConn and hijackConnHandler; fasthttp 1.51, 1.69 and 1.78).
type pending struct {
	exchange taskpool.Exchange
	rctx     *fasthttp.RequestCtx
	conn     *conn // nil if it is not tracked
	hijacked bool
	outcome  taskpool.Outcome
}

// Close only starts things: the connection waits for it.
func (p *pending) Close() error {
	if p.outcome.Status != 0 {
		p.outcome.Status = p.rctx.Response.StatusCode()
	}
	p.exchange.Returned(p.outcome)
	switch {
	case p.hijacked: // its connection is closed
		if p.conn != nil {
			p.conn.hijack(nil)
		}
		p.flushed()
	case p.conn == nil: // whether it is flushed nobody knows
		p.exchange.Sent(taskpool.ReleaseHandlerReturned)
	default:
		p.conn.await(p)
	}
	return nil
}

func (p *pending) flushed() { p.exchange.Sent(taskpool.ReleaseFlushed) }
