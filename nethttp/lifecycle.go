package httppool

import (
	"net/http"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// An Exchange is the lifecycle of one request, for authors of adapters whose
// framework stands on net/http; everybody else uses Middleware. Begin makes it,
// and End is called once, when the handler chain has returned or panicked. It is
// a small value; its zero value does nothing.
type Exchange struct{ o *observer }

// Begin begins a scope on src for a request. It returns what to hand on: a writer
// that observes the status, with exactly the optional interfaces of w, and a copy
// of r whose context carries the scope. An adapter calls it in the outermost
// middleware and puts both where the framework looks for them. With a nil src it
// returns w and r as they are: FromContext then finds the zero Scope, which
// refuses tasks with taskpool.ErrNoScope.
//
// What HTTP/2 begins a connection with is no request: a handler of package h2c inside
// takes the connection over, and its requests come to the handler that it was given
// (h2c.NewHandler, golang.org/x/net v0.57). The middleware belongs around that one;
// what is outside of h2c.NewHandler gives no scope to them.
func Begin(src taskpool.Source, w http.ResponseWriter, r *http.Request) (Exchange, http.ResponseWriter, *http.Request) {
	if src == nil || r.ProtoMajor == 2 && r.Method == "PRI" {
		return Exchange{}, w, r
	}
	o := &observer{base: w, ctx: r.Context(), proto: uint8(r.ProtoMajor)}
	ctx, exchange := src.Begin(o.asked())
	o.exchange = exchange
	o.begun.Store(true)
	o.conn, _ = o.ctx.Value(connKey{}).(*conn)
	if o.conn != nil {
		o.turn = o.conn.turn.Load()
		if o.conn.hijacked.Load() {
			o.proto = 2 // what is still served on it is h2c, which calls the request that began it HTTP/1
		}
		o.conn.server.enter()
	}
	if o.conn == nil || o.conn.srv == nil || o.conn.srv.WriteTimeout > 0 { // else nobody asks
		o.began = time.Now()
	}
	o.hand(r, r.WithContext(ctx)) // inlined, so that its own copy stays on the stack
	return Exchange{o}, o.view(), &o.request
}

// Scope returns the request's scope.
func (x Exchange) Scope() taskpool.Scope {
	if x.o == nil {
		return taskpool.Scope{}
	}
	return x.o.exchange.Scope()
}

// Reused names a key that only the framework's own contexts answer, and may find the
// scope in them: see taskpool.Exchange.Reused.
func (x Exchange) Reused(key any, find func(value any) taskpool.Scope) {
	if x.o != nil {
		x.o.exchange.Reused(key, find)
	}
}

// Status notes the final status, for a framework that holds it back and may
// change it, or that may write it past the writer that Begin returned: the last call
// counts. Otherwise that writer has seen it.
func (x Exchange) Status(status int) {
	if x.o != nil {
		x.o.status.Store(int32(status))
		x.o.releaseEarly()
	}
}

// Hijacked notes that the connection was hijacked, for a framework that does not
// hand on the writer that Begin returned.
func (x Exchange) Hijacked() {
	if x.o != nil {
		x.o.leaveServer()
	}
}

// Failed notes the error of a write, for a framework that may write past the writer that
// Begin returned: that the client has gone may show nowhere else. It is for the time before
// End. nil is ignored, and so is what the server did not take or had no more time for.
func (x Exchange) Failed(err error) {
	if err != nil && x.o != nil {
		x.o.noteFailure(err)
	}
}

// End tells the scope the outcome and arms what will tell it that the response
// is sent. err is what the handler chain returned, where the framework has that,
// and panicked whether it panicked; a deferred call that does not recover knows:
//
//	panicked := true
//	defer func() { x.End(err, panicked) }()
//	err = next(w, r)
//	panicked = false
//
// It does not block, unless src is a taskpool.Hold: then it flushes the response and
// waits. If err is not nil and nothing was written, the framework is taken to
// render the error later: the status is 500 until it is seen.
func (x Exchange) End(err error, panicked bool) {
	o := x.o
	if o == nil {
		return
	}
	o.giveBack()
	o.told = taskpool.Outcome{Status: o.statusNow(err, panicked), Err: err, Panicked: panicked}
	if o.rendering = err != nil && o.seen() == 0; o.rendering && o.conn != nil && o.proto == 1 {
		o.endingOf().server = innermost(o.base) // now, as in onReturned
	}
	hasTasks := o.exchange.Returned(o.told)
	if hasTasks && o.left() {
		o.told.Disconnected = true
		o.exchange.Returned(o.told)
	}
	switch {
	case !hasTasks:
	case o.exchange.Held() && o.flushedForHold(err, panicked):
		o.exchange.Hold()
	default:
		o.arm()
	}
	if o.conn != nil && !o.hijacked.Load() {
		o.conn.server.leave()
	}
}

// leaveServer notes that the connection is the handler's now. Neither the server nor
// the pool waits for such a handler at shutdown, as it may run for days.
func (o *observer) leaveServer() {
	if o.hijacked.CompareAndSwap(false, true) {
		o.exchange.Hijacked()
		if o.conn != nil {
			o.conn.server.leave()
		}
	}
}

// flushedForHold flushes the response, if the handler chain has left nothing of
// it to others, and reports whether that was done. A failure of which nothing is
// written is left: a framework renders an error then, Gin also its own 404.
func (o *observer) flushedForHold(err error, panicked bool) bool {
	if panicked || o.hijacked.Load() || (err != nil || o.seen() >= 400) && !o.written() {
		return false
	}
	return flushes(o.base) && http.NewResponseController(o.base).Flush() == nil
}

// flushes reports whether a Flush of w reaches the server's own writer. From the
// first of its layers that can flush downwards all have to: one that wraps another
// may do nothing, or panic, where that one cannot (Gin's responseWriter.Flush).
func flushes(w http.ResponseWriter) bool {
	for can := false; ; {
		_, here := w.(http.Flusher)
		if _, ok := w.(interface{ FlushError() error }); ok {
			here = true
		}
		if can && !here {
			return false
		}
		can = here
		u, wrapped := w.(unwrap)
		if !wrapped {
			return can
		}
		w = u.Unwrap()
	}
}

// written reports whether the header of the response is written. A framework that
// holds the status back, as Gin does, says so itself.
func (o *observer) written() bool {
	if w, ok := o.base.(interface{ Written() bool }); ok {
		return w.Written()
	}
	return o.seen() != 0
}

// statusNow is the status as far as it is known when the handler returns.
func (o *observer) statusNow(err error, panicked bool) int {
	status := o.seen()
	switch {
	case status != 0 || o.hijacked.Load() || panicked:
		return status
	case err != nil:
		return http.StatusInternalServerError
	}
	return http.StatusOK // net/http sends it for a handler that wrote nothing
}
