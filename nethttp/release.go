package httppool

import (
	"context"
	"errors"
	"net/http"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// arm arranges for release to be called when the response is sent. Each trigger
// is armed only for a request that has tasks.
func (o *observer) arm() {
	switch {
	case o.hijacked.Load():
		o.release(taskpool.ReleaseHandlerReturned)
	case o.noServer():
		o.release(taskpool.ReleaseNoServer)
	case o.proto == 2 && o.onStreamClosed(func() { o.release(taskpool.ReleaseStreamClosed) }):
	case o.proto == 1 && o.conn != nil:
		o.conn.onSent(o)
	case o.ctx.Done() == nil && (o.told.Panicked || !isServers(innermost(o.base))): // nothing will tell
		o.release(taskpool.ReleaseNoServer)
	case o.proto == 3:
		// quic-go cancels the context of a request when its stream is closed, which
		// is after the response was handed to it (http3 RawServerConn.handleRequest,
		// v0.59).
		context.AfterFunc(o.ctx, func() { o.release(taskpool.ReleaseStreamClosed) })
	default:
		o.onReturned()
	}
}

// noServer reports whether there is no server to tell of an end, as with an
// httptest.ResponseRecorder. Each one puts the local address into the contexts of
// its requests; those of HTTP/3 have no http.ServerContextKey.
func (o *observer) noServer() bool {
	return o.ctx.Value(http.ServerContextKey) == nil && o.ctx.Value(http.LocalAddrContextKey) == nil
}

// onReturned waits for the outermost handler to return. The server cancels the
// context of a request then, beside its final flush (net/http conn.serve, Go 1.26).
// But so may a middleware outside, or who made the server's BaseContext, and earlier:
// what tells them apart is that the server refuses a CloseNotify once the outermost
// handler has returned (response.CloseNotify), or has told of the client's leaving.
func (o *observer) onReturned() {
	w := innermost(o.base)                // now: frameworks use the writers in between again, as Gin does its own
	if !isServers(w) || o.told.Panicked { // the server does not note the return of a handler that panicked
		context.AfterFunc(o.ctx, func() { o.release(taskpool.ReleaseHandlerReturned) })
		return
	}
	ask := func() { o.askReturned(w, time.Millisecond) }
	if o.ctx.Done() == nil { // a middleware outside has taken the end from it (context.WithoutCancel)
		time.AfterFunc(time.Millisecond, ask)
		return
	}
	context.AfterFunc(o.ctx, ask)
}

// askReturned releases if the outermost handler has returned, and asks again later
// if it has not: the context says no more. It ends at the latest with the pool's sweep.
func (o *observer) askReturned(w http.ResponseWriter, again time.Duration) {
	closed, running := closeNotify(w)
	if !running {
		o.status.CompareAndSwap(0, http.StatusOK) // an error that nobody rendered: net/http sends it for a handler that wrote nothing
	}
	if unrendered := o.rendering && o.seen() == 0; !running || len(closed) > 0 && !unrendered {
		o.release(taskpool.ReleaseHandlerReturned)
		return
	}
	if _, released := o.exchange.Scope().Outcome(); !released {
		time.AfterFunc(again, func() { o.askReturned(w, min(2*again, 100*time.Millisecond)) })
	}
}

// settles is how long a server is given to tell that the client has gone, once the
// context of the request has ended. It does both in one go, but its goroutine may lose
// the processor in between; 10 ms were too little on a starved machine.
const settles = 100 * time.Millisecond

// left reports whether the client had gone when the handler returned. The context
// alone does not tell: a middleware outside may have ended it, or who made the
// server's BaseContext. Only for a request whose context has ended it takes a moment.
func (o *observer) left() bool {
	switch ended := o.ctx.Err(); {
	case ended == nil || errors.Is(ended, context.DeadlineExceeded):
		return false
	case o.proto > 2, o.proto != 2 && o.failed.Load() == failedGone: // a stream says by itself that it has ended
		return true
	case !errors.Is(context.Cause(o.ctx), context.Canceled) || o.conn != nil && o.conn.base.Err() != nil:
		return false // the server gives no cause of its own
	case o.failed.Load() == failedLate, o.proto == 2 && o.writeTimedOut(): // then the server closes the connection, or resets the stream, by itself
		return false
	case o.proto == 2:
		return o.streamEnds()
	}
	closed, ok := closeNotify(innermost(o.base))
	if !ok || o.notified.Load() {
		return !o.writeTimedOut() // nobody can say more
	}
	// It may have gone long after the time for a write that came through.
	tick := time.NewTicker(settles / 100)
	defer tick.Stop()
	for n := 0; len(closed) == 0 && n < 100; n++ {
		<-tick.C
	}
	return len(closed) > 0
}

// streamEnds reports whether an HTTP/2 stream has ended, or cannot tell. It is called
// before the handler's return could have ended it.
func (o *observer) streamEnds() bool {
	over := make(chan struct{})
	if !o.onStreamClosed(func() { close(over) }) {
		return true
	}
	limit := time.NewTimer(settles)
	defer limit.Stop()
	select {
	case <-over:
		return true
	case <-limit.C:
	}
	select {
	case <-over: // while this goroutine was held up as well
		return true
	default:
		return false
	}
}

// release tells the scope that the response is sent, unless it was cut off, and
// before that the true status, if the framework rendered an error after its
// middleware had returned.
func (o *observer) release(r taskpool.Release) {
	status, expired := o.seen(), false
	if status == 0 && o.rendering && r == taskpool.ReleaseHandlerReturned {
		// The context ended before the error was rendered: it was one that a
		// middleware had put a timeout on. What is written will release.
		o.early.Store(uint32(r))
		if status = o.seen(); status == 0 {
			return
		}
	}
	if r != taskpool.ReleaseNoServer && !o.told.Disconnected && !o.hijacked.Load() && o.writeTimedOut() {
		expired = true
		if r == taskpool.ReleaseFlushed {
			r = taskpool.ReleaseHandlerReturned
		}
	}
	o.sent(r, status, expired)
}

// sent tells the scope, and before that what has become known since the handler returned.
func (o *observer) sent(r taskpool.Release, status int, expired bool) {
	told := o.told
	if e := o.ending.Load(); status == 0 && o.rendering && e != nil && isServers(e.server) {
		if _, running := closeNotify(e.server); !running { // nobody rendered it, as in askReturned
			status = http.StatusOK
		}
	}
	if status != 0 {
		told.Status = status
	}
	told.Expired = expired
	if told.Status != o.told.Status || expired {
		o.exchange.Returned(told)
	}
	o.exchange.Sent(r)
}

// writeTimedOut reports whether the time to write the response is over. Nothing else
// tells: what the handler wrote may have waited in a buffer, and a server says nothing
// of a flush that failed; the client sees the end of the connection. The server's time
// runs from when the request's header was read (conn.readRequest, newStream, Go 1.26).
func (o *observer) writeTimedOut() bool {
	if o.failed.Load() == failedLate {
		return true
	}
	if by := o.writeBy.Load(); by != nil {
		return !by.IsZero() && !time.Now().Before(*by)
	}
	srv, ok := o.ctx.Value(http.ServerContextKey).(*http.Server)
	return ok && srv.WriteTimeout > 0 && !o.began.IsZero() && time.Since(o.began) >= srv.WriteTimeout
}
