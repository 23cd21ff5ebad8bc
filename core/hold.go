package taskpool

import (
	"context"
	"slices"
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
// tasks start (the Release is Held), and the request ends when the last task has
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
// through the method Free() of the Source that Hold returns.
//
// A request is not held if it has no tasks left when the handler returns, if the
// handler panicked, if it returned an error and nothing was written (the
// framework is still to answer), if it was hijacked, if its response cannot be
// flushed, or if it is within the request of another scope. Fiber cannot flush
// from a handler: package fiberpool refuses a Hold with an error. Handle holds
// however its function ended: nothing is to be sent there.
//
// A nil src gives a nil Source.
func Hold(src Source, o HoldOptions) Source {
	if src == nil {
		return nil
	}
	return &holder{Source: src, HoldOptions: o, freed: make(chan struct{})}
}

// A holder is a Source whose requests are held.
type holder struct {
	Source
	HoldOptions

	free  sync.Once
	freed chan struct{} // closed when nothing is held any more

	mu    sync.Mutex        // protects what follows, which is for Last
	taken chan struct{}     // closed when a later request takes over from the one that is held
	left  []<-chan struct{} // closed as the tasks end: of requests that were let go before that, and of the one that is held
}

// Begin implements Source.
func (h *holder) Begin(ctx context.Context) (context.Context, Scope) {
	outermost := handledIn(ctx) == nil
	ctx, s := h.Source.Begin(ctx)
	if s.scope != nil && outermost {
		s.holds = h
	}
	return ctx, s
}

// Free lets all requests go that are held, and has no more held. Whoever shuts a
// server down does that first: Done waits for the tasks, and a response that is
// still held when the connections are closed would be cut off.
func (h *holder) Free() { h.free.Do(func() { close(h.freed) }) }

// Done implements Source.
func (h *holder) Done(ctx context.Context) (Report, error) {
	h.Free()
	return h.Source.Done(ctx)
}

// Held reports whether the adapter is to hold the request. It is for adapters:
// the Source is one that Hold returned, this Scope is what its Begin returned,
// and, once Returned was called, tasks are left. The adapter then flushes the
// response and calls Hold instead of Sent, if it can; else Sent as ever.
func (s Scope) Held() bool {
	if s.holds == nil {
		return false
	}
	select {
	case <-s.holds.freed:
		return false
	default:
	}
	p := s.scope.pool
	p.lock()
	defer p.mu.Unlock()
	return s.scope.stage.Load() < stageSent && !s.scope.closedLocked()
}

// Hold is Sent(Held) and waits, as HoldOptions say, until the scope's tasks have
// ended. Adapters call it in the goroutine of the handler, when Held has reported
// true after Returned and the response is flushed.
func (s Scope) Hold() {
	if s.holds != nil {
		s.holds.hold(s)
	}
}

// hold releases s, and returns when its tasks have ended, or need not be waited
// for any more.
func (h *holder) hold(s Scope) {
	ctx := s.scope.request
	defer lend(ctx).end()
	if h.Limit > 0 {
		limited, cancel := context.WithTimeout(ctx, h.Limit)
		defer cancel()
		ctx = limited
	}
	var left []<-chan struct{}
	var taken chan struct{}
	if h.Last {
		left, taken = h.takeOver(s)
		defer h.leave(taken)
	} else {
		s.Sent(Held)
		left = append(left, s.scope.settles())
	}
	for _, settled := range left {
		select {
		case <-settled:
		case <-taken:
			return
		case <-h.freed:
			return
		case <-ctx.Done():
			return
		}
	}
}

// settles is closed when what the scope has started has ended.
func (s *scope) settles() <-chan struct{} {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if settled := s.settledLocked(); settled != nil {
		return settled
	}
	return closed
}

// takeOver frees the request that is held and returns what the new one is to wait
// for, and what tells that it is freed itself. The new one is released under the
// lock, so that requests take over in the order in which their tasks start.
func (h *holder) takeOver(s Scope) (left []<-chan struct{}, taken chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken != nil {
		close(h.taken)
	}
	h.taken = make(chan struct{})
	h.forgetLocked()
	s.Sent(Held)
	h.left = append(h.left, s.scope.settles()) // the scope is closed when they have ended: it starts no more
	return slices.Clone(h.left), h.taken
}

// leave notes that the request that was told of by taken is held no more.
func (h *holder) leave(taken chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken == taken {
		h.taken = nil
		h.forgetLocked()
	}
}

// forgetLocked forgets what has ended.
func (h *holder) forgetLocked() {
	h.left = slices.DeleteFunc(h.left, func(settled <-chan struct{}) bool {
		select {
		case <-settled:
			return true
		default:
			return false
		}
	})
}
