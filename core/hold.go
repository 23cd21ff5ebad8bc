package taskpool

import (
	"context"
	"sync"
	"time"
)

// HoldOptions say how long Hold holds a request.
type HoldOptions struct {
	Limit time.Duration // the longest that a request is held; 0 or less means until its context ends. Where a task calls Handle, it then waits for its worker, too
	Last  bool          // hold only the newest request that has tasks; it waits for those of the requests that it freed, too. One without tasks frees nobody and waits for nobody
}

// Hold returns a Source that works as src does, and has each request held until
// its tasks have ended: it is for platforms that freeze or throttle a process
// between requests, where work that outlives its request would stand still. Use
// it only there: it is the one case in which the pool changes what the client
// sees.
//
// When the handler has returned, the adapter flushes the response, the staged
// tasks start (the Release is ReleaseHeld), and the request ends when the last task has
// ended, the limit has passed or the request's context has ended: as for a client
// that has gone. Tasks that are left then go on as they would without Hold.
//
// The client sees this. It has the status, the headers and the body at once, but
// a response without a Content-Length of the handler's own becomes chunked over
// HTTP/1, and its end comes only when the request ends; a client that reads to
// the end, as most do, waits. A response with an explicit Content-Length, to
// HEAD, or without a body is complete at once, and the next request on the same
// connection waits instead. What is over HTTP/2 waits for END_STREAM. Keep Limit
// below the server's WriteTimeout: it would cut the response off.
//
// When Done is called all held requests are let go, and no more are held: Done
// waits for their tasks. httppool.Serve lets them go as it begins to shut down,
// through Holder.Free.
//
// A request is not held if it has no tasks left when the handler returns, if the
// handler panicked, if it returned an error and nothing was written (the
// framework is still to answer), if it was hijacked, if its response cannot be
// flushed, or if it is within the request of another scope. Fiber cannot flush
// from a handler: package fiberpool refuses a Hold with an error. Handle holds
// however its function ended: nothing is to be sent there.
//
// With a nil src there is no scope, and adding tasks fails with ErrNoScope.
func Hold(src Source, o HoldOptions) *Holder {
	return &Holder{source: src, HoldOptions: o, freed: newLatch()}
}

// A Holder is a Source whose requests are held: see Hold, which makes it. The zero
// Holder and a nil one begin no scope.
type Holder struct {
	source Source
	HoldOptions

	freed *latch // opened when nothing is held any more

	mu    sync.Mutex // protects what follows, which is for Last
	taken *latch     // opened when a later request takes over from the newest
	ended *latch     // opened when the tasks of the newest have ended, and those of all before it
}

// Begin implements Source.
func (h *Holder) Begin(ctx context.Context) (context.Context, Exchange) {
	if ctx == nil {
		ctx = context.Background()
	}
	if h == nil || h.source == nil {
		return ctx, Exchange{}
	}
	_, within := joinScope(ctx, anyPool)
	ctx, x := h.source.Begin(ctx)
	if x.scope != nil && !within {
		x.holder = h
	}
	return ctx, x
}

// Free lets all requests go that are held, and has no more held. Whoever shuts a
// server down does that first: Done waits for the tasks, and a response that is
// still held when the connections are closed would be cut off.
// httppool.Serve does it by itself. It may be called at any time and by anyone.
func (h *Holder) Free() {
	if h != nil && h.source != nil {
		h.freed.open()
	}
}

// Done implements Source.
func (h *Holder) Done(ctx context.Context) (Report, error) {
	if h == nil || h.source == nil {
		return Report{}, ErrNilSource
	}
	h.Free()
	return h.source.Done(ctx)
}

// Held reports whether the adapter is to hold the request: the Source is a Holder,
// and, once Returned was called, tasks are left that run or will. The adapter then flushes the
// response and calls Hold instead of Sent, if it can; else Sent as ever.
func (x Exchange) Held() bool {
	if x.holder == nil {
		return false
	}
	if x.holder.freed.isOpen() {
		return false
	}
	s := x.scope
	s.pool.lock()
	defer s.pool.mu.Unlock()
	switch at := s.stage.Load(); {
	case at < stageLeaving:
		return true
	case at == stageQuiet, at == stageReturned:
		return s.live > 0 || s.stagedStartLocked()
	}
	return false
}

// stagedStartLocked reports whether any of what is staged will start: the rest is
// discarded as the outcome says.
func (s *scope) stagedStartLocked() bool {
	for slot := range s.staged.all() {
		if _, _, start := unpack(slot); s.toldLocked().starts(start) {
			return true
		}
	}
	return false
}

// Hold is Sent(ReleaseHeld) and waits, as HoldOptions say, until the scope's tasks have
// ended. Adapters call it in the goroutine of the handler, when Held has reported
// true after Returned and the response is flushed.
func (x Exchange) Hold() {
	if x.holder != nil {
		x.holder.hold(x)
	}
}

// hold releases x, and returns when its tasks have ended, or need not be waited
// for any more.
func (h *Holder) hold(x Exchange) {
	ctx := x.scope.request
	if h.Limit > 0 {
		limited, cancel := context.WithTimeout(ctx, h.Limit)
		defer cancel()
		ctx = limited
	}
	over := newLatch()
	defer h.freed.onOpen(over.open)()
	if h.Last {
		ended, taken := h.takeOver(x)
		defer h.leave(taken)
		defer ended.onOpen(over.open)()
		defer taken.onOpen(over.open)()
	} else {
		x.Sent(ReleaseHeld)
		defer x.scope.settles().onOpen(over.open)()
	}
	defer lend(ctx, over).end()
	over.wait(ctx)
}

// settles opens when what the scope has started has ended.
func (s *scope) settles() *latch {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if settled := s.settledLocked(); settled != nil {
		return settled
	}
	return opened
}

// takeOver frees the request that is held and returns what the new one is to wait
// for, and what tells that it is freed itself. The new one is released under the
// lock, so that requests take over in the order in which their tasks start.
func (h *Holder) takeOver(x Exchange) (ended, taken *latch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken != nil {
		h.taken.open()
	}
	h.taken = newLatch()
	x.Sent(ReleaseHeld)
	ended = x.scope.settles() // the scope is closed when its tasks have ended: it starts no more
	if h.ended != nil && !h.ended.isOpen() {
		ended = bothOpen(h.ended, ended)
	}
	h.ended = ended
	return ended, h.taken
}

// leave notes that the request that was told of by taken is held no more.
func (h *Holder) leave(taken *latch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken == taken {
		h.taken = nil
	}
}
