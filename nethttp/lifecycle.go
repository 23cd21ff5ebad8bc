package httppool

import (
	"context"
	"net/http"

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
func Begin(src taskpool.Source, w http.ResponseWriter, r *http.Request) (Exchange, http.ResponseWriter, *http.Request) {
	if src == nil {
		return Exchange{}, w, r
	}
	o := &observer{base: w, ctx: r.Context(), http2: r.ProtoMajor == 2}
	ctx, exchange := src.Begin((*lookups)(o))
	o.exchange = exchange
	if r.ProtoMajor == 1 {
		o.conn, _ = o.ctx.Value(connKey{}).(*conn)
		if o.conn != nil {
			o.turn = o.conn.turn.Load()
		}
	}
	o.request = *r.WithContext(ctx) // inlined, so that its own copy stays on the stack
	return Exchange{o}, o.writer(), &o.request
}

// Scope returns the request's scope.
func (x Exchange) Scope() taskpool.Scope {
	if x.o == nil {
		return taskpool.Scope{}
	}
	return x.o.exchange.Scope()
}

// Reused names a key that only the framework's own contexts answer: see
// taskpool.Exchange.Reused.
func (x Exchange) Reused(key any) {
	if x.o != nil {
		x.o.exchange.Reused(key)
	}
}

// Status notes the final status, for a framework that holds it back and may
// change it: the last call counts. Otherwise the writer that Begin returned has
// seen it.
func (x Exchange) Status(status int) {
	if x.o != nil {
		x.o.status.Store(int32(status))
	}
}

// Hijacked notes that the connection was hijacked, for a framework that does not
// hand on the writer that Begin returned.
func (x Exchange) Hijacked() {
	if x.o != nil {
		x.o.hijacked.Store(true)
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
	o.told, o.err, o.panicked = o.statusNow(err, panicked), err, panicked
	o.rendering = err != nil && o.seen() == 0
	switch {
	case !o.exchange.Returned(o.outcome(o.told)):
	case o.exchange.Held() && o.flushedForHold(err, panicked):
		o.exchange.Hold()
	default:
		o.arm()
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
		here := featuresOf(w)&(flusher|controls) != 0
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
func (o *observer) statusNow(err error, panicked bool) int32 {
	status := o.seen()
	switch {
	case status != 0 || o.hijacked.Load() || panicked:
		return status
	case err != nil:
		return http.StatusInternalServerError
	}
	return http.StatusOK // net/http sends it for a handler that wrote nothing
}

// arm arranges for release to be called when the response is sent. Each trigger
// is armed only for a request that has tasks.
func (o *observer) arm() {
	switch {
	case o.hijacked.Load():
		o.release(taskpool.ReleaseHandlerReturned)
	case o.ctx.Value(http.ServerContextKey) == nil:
		o.release(taskpool.ReleaseNoServer)
	case o.http2 && o.onStreamClosed():
	case o.conn != nil:
		o.conn.onSent(o)
	default:
		// The server cancels the context of a request when the outermost handler
		// has returned, beside its final flush (net/http conn.serve, Go 1.26).
		context.AfterFunc(o.ctx, func() { o.release(taskpool.ReleaseHandlerReturned) })
	}
}

// onStreamClosed waits for the end of an HTTP/2 stream, of which the server tells
// through CloseNotify when it has handed END_STREAM or RST_STREAM to its frame
// writer (http2responseWriter.CloseNotify, Go 1.26).
func (o *observer) onStreamClosed() (ok bool) {
	n, ok := innermost(o.base).(http.CloseNotifier) //nolint:staticcheck // nothing else tells
	if !ok {
		return false
	}
	defer func() {
		// It panics if the server's handler has returned already, as when this
		// one was left running by a timeout.
		if recover() != nil {
			ok = false
		}
	}()
	closed := n.CloseNotify()
	go func() {
		<-closed
		o.release(taskpool.ReleaseStreamClosed)
	}()
	return true
}

// innermost is the writer at the bottom of w: the server's own.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		u, wrapped := w.(unwrap)
		if !wrapped {
			return w
		}
		w = u.Unwrap()
	}
}

// release tells the scope that the response is sent, and before that the true
// status, if the framework rendered an error after its middleware had returned.
func (o *observer) release(r taskpool.Release) {
	status := o.seen()
	if status == 0 && o.rendering && r == taskpool.ReleaseHandlerReturned {
		// The context ended before the error was rendered: it was one that a
		// middleware had put a timeout on. What is written will release.
		o.early.Store(uint32(r))
		if status = o.seen(); status == 0 {
			return
		}
	}
	if status != 0 && status != o.told {
		o.exchange.Returned(o.outcome(status))
	}
	o.exchange.Sent(r)
}

// outcome is what the scope is told, with a status.
func (o *observer) outcome(status int32) taskpool.Outcome {
	return taskpool.Outcome{Status: int(status), Err: o.err, Panicked: o.panicked}
}
