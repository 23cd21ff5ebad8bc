package taskpool

import (
	"context"
	"errors"
)

// A Scope is one request's ledger on a pool: what the request added, what is
// staged, what became of it. It is a small value to be copied freely and used
// by many goroutines at once. Its tasks get the values of the context that it was
// taken from, so what an inner middleware put there (a span, a user, a logger)
// is seen. The zero Scope refuses tasks and waits with ErrNoScope, and its other
// methods do nothing.
//
// The order within a scope is first in, first out. Staged tasks queue when the
// response is sent.
type Scope struct {
	scope  *scope
	ctx    context.Context // where it was taken from; nil if that is what Begin returned
	joined bool            // an outer middleware began it, and tells its stages
	holds  *holder         // of what Begin of a Hold returned, if it is outermost
}

// A Source begins scopes: it is what an adapter takes. A *Pool is one: all
// requests share it.
type Source interface {
	// Begin begins a scope and returns a context in which FromContext finds it.
	Begin(ctx context.Context) (context.Context, Scope)
	// Done finalizes what the scopes run on.
	Done(ctx context.Context) (Report, error)
}

// Begin begins a scope on the pool, for one request, and returns a context that
// carries it. If ctx already carries a scope of this pool whose handler has not
// returned, as when a middleware is installed twice, that one is joined. On a
// pool that is done the scope refuses every task with ErrDone.
//
// Adapters call Begin, then Returned and Sent on the Scope. Everybody else
// finds Handle simpler.
func (p *Pool) Begin(ctx context.Context) (context.Context, Scope) {
	if ctx == nil {
		ctx = context.Background()
	}
	if !p.made() {
		return ctx, Scope{}
	}
	if outer := handledIn(ctx); outer != nil && outer.pool == p {
		return ctx, Scope{scope: outer, ctx: ctx, joined: true}
	}
	s := new(scope)
	s.init(p, ctx)
	s.refused = p.phase.Load() != phaseOpen || p.source.closing()
	return (*requestContext)(s), Scope{scope: s}
}

// handledIn is the scope whose handler has not returned and is what ctx is used
// in, as opposed to a task of it; nil if there is none.
func handledIn(ctx context.Context) *scope {
	s := scopeOf(ctx)
	if s != nil && (taskOf(ctx) == s || !s.open()) {
		return nil
	}
	return s
}

// FromContext returns the scope that ctx carries, or the zero Scope.
func FromContext(ctx context.Context) Scope {
	if c, ok := ctx.(*requestContext); ok {
		return Scope{scope: (*scope)(c)}
	}
	s := scopeOf(ctx)
	if s == nil {
		return Scope{}
	}
	switch c := ctx.(type) {
	case *plainContext:
		return Scope{scope: s}
	case *jobContext:
		return Scope{scope: s, ctx: c.inner}
	case *runContext:
		return Scope{scope: s, ctx: c.job.inner}
	}
	return Scope{scope: s, ctx: ctx}
}

// Add accepts tasks to be started as soon as workers are free, beside the
// handler. It accepts all of them or none and never blocks. An error
// (ErrNilTask, ErrNoScope, ErrScopeClosed, ErrOverloaded, ErrDone) means that
// none of them will ever run.
//
// A task may add to its own scope at any time, after the response too.
func (s Scope) Add(tasks ...Task) error { return s.add(StartNow, tasks) }

// AfterResponse accepts tasks to be started once the response is sent, whatever
// the outcome of the request. They take their place in the queue limit now, so
// that an overloaded pool refuses while the handler can still answer 503. It
// blocks as little as Add, and has Add's errors.
func (s Scope) AfterResponse(tasks ...Task) error { return s.add(StartAfterResponse, tasks) }

// OnSuccess is AfterResponse for tasks that are discarded unless the request
// succeeded; see Outcome.Success.
func (s Scope) OnSuccess(tasks ...Task) error { return s.add(StartOnSuccess, tasks) }

// OnFailure is AfterResponse for tasks that are discarded unless the request
// failed; see Outcome.Success.
func (s Scope) OnFailure(tasks ...Task) error { return s.add(StartOnFailure, tasks) }

func (s Scope) add(start Start, tasks []Task) error {
	if s.scope == nil {
		return ErrNoScope
	}
	return s.scope.add(start, tasks, s.inner())
}

// Submit is the long form of Add and of the staging methods: each job says when
// it starts. It blocks as little, and has Add's errors and those of a bad Job.
func (s Scope) Submit(jobs ...Job) error {
	if s.scope == nil {
		return ErrNoScope
	}
	return s.scope.submit(jobs, s.inner())
}

func (s Scope) submitAsync(j *Job, work any, of promise) error {
	if s.scope == nil {
		return ErrNoScope
	}
	return s.scope.submitAsync(j, work, of, s.inner())
}

// Reused names a key that only the framework's own contexts answer, and what is
// derived from them: adapters of frameworks that reuse their contexts call it
// right after Begin. Where a scope is then taken from such a context, its tasks
// get the values of the context that Begin was given instead, and if that is one
// too, none: they would read another request's.
func (s Scope) Reused(key any) {
	if s.scope == nil || s.joined {
		return
	}
	s.scope.reused = key
	if s.scope.request.Value(key) != nil {
		s.scope.valueless = true
	}
}

// inner is the context whose values the tasks added through this Scope get; nil
// for the scope's own.
func (s Scope) inner() context.Context {
	if s.ctx == nil || s.scope.reused != nil && s.ctx.Value(s.scope.reused) != nil {
		return nil
	}
	return s.ctx
}

// Fail makes the request a failed one, whatever its status: the handler's veto.
// The first error given counts; nil, and a call after the handler has returned,
// are ignored.
func (s Scope) Fail(err error) {
	if s.scope == nil || err == nil {
		return
	}
	p := s.scope.pool
	p.lock()
	defer p.mu.Unlock()
	if s.scope.stage.useLocked() && s.scope.outcome.Vetoed == nil {
		s.scope.outcome.Vetoed = err
	}
}

// Outcome returns what became of the request; it is known once the response has
// been sent.
func (s Scope) Outcome() (o Outcome, known bool) {
	if s.scope == nil {
		return Outcome{}, false
	}
	p := s.scope.pool
	p.lock()
	defer p.mu.Unlock()
	if s.scope.stage.Load() < stageSent {
		return Outcome{}, false
	}
	return s.scope.outcome, true
}

// Pending returns the jobs that wait now: queued, staged, delayed or for a retry.
// It is for tests and status pages: it locks the pool while it copies.
func (s Scope) Pending() []Job {
	if s.scope == nil {
		return nil
	}
	p := s.scope.pool
	p.lock()
	defer p.mu.Unlock()
	var jobs []Job
	for slot := range s.scope.waitingLocked() {
		if j, ok := asJob(slot); ok {
			j.Name = nameOf(slot)
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// Pool returns the pool that the scope is on; nil for the zero Scope.
func (s Scope) Pool() *Pool {
	if s.scope == nil {
		return nil
	}
	return s.scope.pool
}

// Returned tells that the handler chain has returned or panicked: adapters call
// it. What o does not know may be zero; that the client has gone or the deadline
// has passed is taken from the request's context. It reports whether the scope
// has had tasks: only then is there anything for Sent to release.
//
// Until Sent it may be called again when more is known, as where a framework
// renders an error after its middleware has returned: the last call counts. An
// inner middleware that joined a scope tells nothing, and gets false.
func (s Scope) Returned(o Outcome) bool {
	if s.scope == nil || s.joined {
		return false
	}
	sc := s.scope
	p := sc.pool
	o.Release, o.Vetoed = 0, nil
	if sc.open() {
		ended := sc.request.Err()
		o.Expired = o.Expired || errors.Is(ended, context.DeadlineExceeded)
		o.Disconnected = o.Disconnected || ended != nil && !o.Expired
		if p.phase.Load() == phaseOpen && sc.stage.leave() {
			sc.outcome = o
			sc.stage.Store(stageReturned)
			return false
		}
	}
	p.lock()
	defer p.unlock()
	if at := sc.stage.Load(); at == stageSent || at == stageLeaving {
		return false
	}
	was, first := sc.outcome, sc.open()
	o.Vetoed, o.Expired, o.Disconnected = was.Vetoed, was.Expired || o.Expired, was.Disconnected || o.Disconnected
	sc.outcome = o
	if first {
		sc.stage.Store(stageReturned)
		if sc.hadTasks {
			p.handling.remove(sc)
			p.returned.push(sc)
		}
	}
	if p.phase.Load() != phaseOpen {
		sc.sentLocked(PoolDone)
	} else if first && sc.hadTasks {
		p.armSweepLocked(sc)
	}
	return sc.hadTasks
}

// Sent tells that the response is sent: adapters call it, after Returned, and
// the staged tasks start or are discarded as the outcome says. It is idempotent
// and never blocks: what it starts runs on workers. The first call decides.
func (s Scope) Sent(r Release) {
	if s.scope == nil || s.joined {
		return
	}
	p := s.scope.pool
	p.lock()
	if s.scope.stage.Load() == stageReturned {
		s.scope.sentLocked(r)
	}
	p.unlock()
}
