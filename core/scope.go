package taskpool

import "context"

// A Scope is one request's part of a pool: what the request added, what is
// staged, what became of it. It is a small value to be copied freely and used
// by many goroutines at once. Its tasks get the values of the context that it was
// taken from, so what an inner middleware put there (a span, a user, a logger)
// is seen. The zero Scope refuses tasks and waits with ErrNoScope, and its other
// methods do nothing.
//
// The order within a scope is first in, first out. Staged tasks queue when the
// response is sent.
type Scope struct {
	scope *scope
	ctx   context.Context // where it was taken from; nil if that is what Begin returned
}

// FromContext returns the scope that ctx carries, or the zero Scope.
func FromContext(ctx context.Context) Scope {
	if c, ok := ctx.(*requestContext); ok {
		return Scope{scope: (*scope)(c)}
	}
	s := scopeOf(ctx)
	if s == nil && ctx != nil {
		s = foundIn(ctx)
	}
	if s == nil {
		return Scope{}
	}
	switch c := ctx.(type) {
	case *plainContext:
		return Scope{scope: s}
	case *jobContext:
		return Scope{scope: s, ctx: (*job)(c).values()}
	case *runContext:
		return Scope{scope: s, ctx: c.job.values()}
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

func (s Scope) submitAsync(j *Job, timed bool, work any, of promise) error {
	if s.scope == nil {
		return ErrNoScope
	}
	return s.scope.submitAsync(j, timed, work, of, s.inner())
}

// inner is the context whose values the tasks added through this Scope get; nil
// for the scope's own.
func (s Scope) inner() context.Context {
	if s.ctx == nil || isReused(s.ctx) || s.scope.framework.owns(s.ctx) {
		return s.scope.copied(nil) //nolint:staticcheck // what nil stands for it says
	}
	return s.scope.copied(s.ctx)
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
	if !s.scope.stage.useLocked() {
		return
	}
	if of := s.scope.extrasLocked(); of.vetoed == nil {
		of.vetoed = err
	}
}

// Outcome returns what became of the request; it is known once the response has
// been sent, or Config.Grace after the first call if nothing tells of that.
func (s Scope) Outcome() (o Outcome, known bool) {
	if s.scope == nil {
		return Outcome{}, false
	}
	p := s.scope.pool
	p.lock()
	defer p.mu.Unlock()
	if s.scope.awaitsSentLocked() {
		return Outcome{}, false
	}
	return s.scope.outcomeLocked(), true
}

// Pending returns the jobs that wait now, in the order in which they are to start:
// the queued ones as workers will take them, those in lanes that let none through
// included; those that a delay, another run or a lane's pace lets go at a time, the
// earliest first; and last the staged ones. It is for tests and status pages: it locks
// the pool while it copies.
func (s Scope) Pending() []Job {
	if s.scope == nil {
		return nil
	}
	p := s.scope.pool
	var slots []slot
	p.lock()
	for place := range p.placesLocked(s.scope) {
		slots = append(slots, place.slot)
	}
	p.mu.Unlock()
	var jobs []Job
	for _, slot := range slots {
		j, _ := asJob(slot)
		j.Name = nameOf(slot)
		jobs = append(jobs, j)
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
