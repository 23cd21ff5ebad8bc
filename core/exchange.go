package taskpool

import (
	"context"
	"errors"
)

// A Source begins scopes: it is what an adapter takes. A *Pool is one: all
// requests share it.
type Source interface {
	// Begin begins a scope. It returns a context in which FromContext finds the
	// scope, and what an adapter tells the course of the request.
	Begin(ctx context.Context) (context.Context, Exchange)
	// Done finalizes what the scopes run on.
	Done(ctx context.Context) (Report, error)
}

// An Exchange is the adapter's side of one request: what tells its scope how far
// the request has come. Source.Begin returns it, and nothing else does: handlers
// and tasks cannot reach it. It is a small value to be copied freely; the calls for
// one request may come from several goroutines. The zero Exchange, which a Source
// that is not usable returns, does nothing.
//
// An adapter calls Returned when the handler chain has returned or panicked, and
// then Sent when the response is sent; or, if Held reports true, Hold instead of
// Sent.
type Exchange struct {
	scope  *scope
	joined context.Context // of a scope that an outer middleware began, and whose stages it tells: what this one was begun with; nil else
	holder *Holder         // which is to hold the request; nil if none is
}

// Scope returns the request's scope.
func (x Exchange) Scope() Scope { return Scope{scope: x.scope, ctx: x.joined} }

// Begin begins a scope on the pool, for one request, and returns a context that
// carries it. If ctx already carries a scope of this pool whose handler has not
// returned, as when a middleware is installed twice, that one is joined. On a
// pool that is done the scope refuses every task with ErrDone.
//
// It is for adapters, which then call Returned and Sent on the Exchange. Everybody
// else finds Handle simpler.
func (p *Pool) Begin(ctx context.Context) (context.Context, Exchange) {
	if ctx == nil {
		ctx = context.Background()
	}
	if !p.made() {
		return ctx, Exchange{}
	}
	if scopeOf(ctx) != nil { // else there is none to join, as for most
		if x, joins := joinScope(ctx, func(of *Pool) bool { return of == p }); joins {
			return x.joined, x
		}
	}
	reused := isReused(ctx)
	if reused {
		ctx = reusedContext{ctx}
	}
	s := new(scope)
	s.init(p, ctx)
	s.refused = p.phase.Load() != phaseOpen || p.source.closing()
	x := Exchange{scope: s}
	if reused {
		x.Reused(reusedKey{}, nil)
	}
	return (*requestContext)(s), x
}

// joinScope joins the innermost scope on such a pool whose handler has not returned and
// is what ctx is used in, as opposed to a task of it. There may be scopes of other
// pools within it.
func joinScope(ctx context.Context, on func(*Pool) bool) (x Exchange, joins bool) {
	innermost := scopeOf(ctx)
	for at := ctx; ; {
		s := scopeOf(at)
		switch {
		case s == nil, taskOf(at) == s:
			return Exchange{}, false
		case !s.open() || !on(s.pool):
			at = s.request
		case s == innermost:
			return Exchange{scope: s, joined: ctx}, true
		default:
			return Exchange{scope: s, joined: &joinedContext{ctx, s}}, true
		}
	}
}

func anyPool(*Pool) bool { return true }

// Returned tells that the handler chain has returned or panicked: adapters call
// it. What o does not know may be zero; that the deadline has passed is taken from the
// request's context. Why else that has ended is the adapter's to say, in
// Outcome.Disconnected: a middleware may have ended it as well as the client. It reports whether the scope
// has had tasks: only then is there anything for Sent to release.
//
// Until Sent it may be called again when more is known, as where a framework
// renders an error after its middleware has returned: the last call counts. An
// inner middleware that joined a scope tells nothing, and gets false.
func (x Exchange) Returned(o Outcome) bool {
	if x.scope == nil || x.joined != nil {
		return false
	}
	s := x.scope
	p := s.pool
	if s.open() {
		o.Expired = o.Expired || errors.Is(s.request.Err(), context.DeadlineExceeded)
		if p.phase.Load() == phaseOpen && s.stage.leave() {
			s.tell(o)
			s.stage.Store(stageReturned)
			return false
		}
	}
	p.lock()
	defer p.unlock()
	if at := s.stage.Load(); at == stageLeaving || at >= stageSent {
		return false
	}
	was, first := s.told, s.open()
	o.Expired, o.Disconnected = was.expired || o.Expired, was.disconnected || o.Disconnected
	s.tell(o)
	switch {
	case first && s.hadTasks:
		s.returnedLocked()
	case first:
		s.stage.Store(stageReturned)
	}
	if p.phase.Load() != phaseOpen && s.awaitsSentLocked() {
		s.sentLocked(ReleasePoolDone)
	}
	return s.hadTasks
}

// Hijacked tells that the handler has taken the connection over: adapters call it, at
// any time before Returned. Such a handler may run for as long as its client stays, so
// that Done does not wait for it, only for the tasks of its scope.
func (x Exchange) Hijacked() {
	if x.scope == nil {
		return
	}
	p := x.scope.pool
	p.lock()
	defer p.unlock()
	x.scope.hijacked = true
	p.settleLocked()
}

// Sent tells that the response is sent: adapters call it, after Returned, and
// the staged tasks start or are discarded as the outcome says. It is idempotent
// and never blocks: what it starts runs on workers. The first call decides.
func (x Exchange) Sent(r Release) {
	if x.scope == nil || x.joined != nil {
		return
	}
	if x.scope.stage.CompareAndSwap(stageQuiet, stageSent+uint32(r)) {
		return
	}
	p := x.scope.pool
	p.lock()
	if x.scope.stage.Load() == stageReturned {
		x.scope.sentLocked(r)
	}
	p.unlock()
}

// Value returns the key and the value by which FromContext finds the scope. An
// adapter puts them where a framework's own contexts look for values, such as the
// user values of fasthttp, so that the scope is found in them too; the framework
// has to drop them with the request. The zero Exchange returns nil twice.
func (x Exchange) Value() (key, value any) {
	if x.scope == nil {
		return nil, nil
	}
	return scopeKey{}, x.scope
}
