package taskpool

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
)

// A Promise is the value that a task will have. It is made by Async or AsyncJob,
// must not be copied, and may be awaited by any number of goroutines, any number
// of times. A zero Promise is never settled.
type Promise[T any] struct {
	state   atomic.Uint32
	waiters atomic.Pointer[latch] // opened when it is settled; made for the first who waits
	value   T
	err     error
}

// The states of a promise: err, and value if err is nil, stand once it is settled.
// Whoever writes them, or reads the value before that, has made it busy.
const (
	promiseOpen = iota
	promiseBusy
	promiseSettled
)

// An Adder accepts jobs: a *Pool, or a Scope.
type Adder interface{ Submit(jobs ...Job) error }

// Async submits fn as a task and returns the promise of its value. It does not
// block. If the task is refused, the promise is settled with the refusal, which is
// then found where it is awaited, and it is logged at Warn, as perhaps nobody awaits
// it; AsyncJob returns it. The task's failure is
// logged as any other is, whether it is awaited or not. No clock is read for it, as for
// what Add takes; see Result.Waited.
func Async[T any](to Adder, fn func(context.Context) (T, error)) *Promise[T] {
	var job Job
	p := new(Promise[T])
	if err := submitAsync(to, &job, false, fn, p); err != nil {
		logUnawaited(to, fn, err)
	}
	return p
}

// AsyncJob is Async with a job's options; job.Run is ignored. The error is the
// refusal, with which the promise is settled too.
func AsyncJob[T any](to Adder, job Job, fn func(context.Context) (T, error)) (*Promise[T], error) {
	p := new(Promise[T])
	err := submitAsync(to, &job, true, fn, p)
	return p, err
}

// An async is what AsyncJob was given and what it gave, for a job that is on its
// way through the hands of others.
type async struct {
	work    any // the func; nil if it was nil
	promise promise
}

func (a *async) run(ctx context.Context) error { return a.promise.run(ctx, a.work) }

// submitAsync submits what AsyncJob was given. The engine is given the func as it
// is, and any other Adder a Job whose Run can be called.
func submitAsync[T any](to Adder, job *Job, timed bool, fn func(context.Context) (T, error), p *Promise[T]) (err error) {
	job.Run = nil
	var work any // none for a nil func
	if fn != nil {
		work = fn
	}
	switch to := to.(type) {
	case *Pool:
		err = to.submitAsync(job, timed, work, p)
	case Scope:
		err = to.submitAsync(job, timed, work, p)
	case nil:
		err = fmt.Errorf("taskpool: nil Adder, pass a *Pool or a Scope: %w", ErrNoPool)
	default:
		of := *job // so that only what goes to others is allocated
		of.async = &async{work, p}
		if work != nil {
			of.Run = of.async.run
		}
		err = to.Submit(of)
	}
	if err != nil {
		p.settle(err)
	}
	return err
}

// Settled returns a channel that is closed when the task has its fate: for a
// select, after which Await returns at once. It does not block, and lends no
// worker: inside a task, use Await.
func (p *Promise[T]) Settled() <-chan struct{} {
	if p.state.Load() == promiseSettled {
		return opened.opened
	}
	return p.latch().opened
}

// latch opens when the promise is settled.
func (p *Promise[T]) latch() *latch {
	l := p.waiters.Load()
	if l == nil {
		if l = newLatch(); !p.waiters.CompareAndSwap(nil, l) {
			l = p.waiters.Load()
		}
		if p.state.Load() == promiseSettled { // perhaps too early to see that somebody waits
			l.open()
		}
	}
	return l
}

// Await waits until the task has its fate and returns its value. The error is the
// task's own, a *PanicError, ErrGoexit, the refusal, ErrDiscarded, or, of a task that
// Done canceled or abandoned, ErrCanceled, unless the canceled task gave an error of
// its own. If ctx ends first it is the
// cause of ctx, and the task goes on.
//
// Inside a task, with that task's context, Await lends the task's worker slot
// while it waits, so that tasks may await each other even on one worker, and goes on
// ahead of all that is queued. If ctx has ended it lends nothing and returns at once.
// Awaiting the promise of the very task is ErrSelfWait.
func (p *Promise[T]) Await(ctx context.Context) (T, error) {
	var zero T
	if p.state.Load() == promiseSettled {
		return p.outcome()
	}
	if j := jobOf(ctx); j != nil && j.promise == promise(p) {
		return zero, ErrSelfWait
	}
	if ctx == nil {
		ctx = context.Background()
	}
	l := p.latch()
	defer lend(ctx, l).end()
	if !l.wait(ctx) {
		return zero, context.Cause(ctx)
	}
	return p.outcome()
}

// A promise is a Promise of whatever type, as a job sees it. It refers to nothing
// of the job's: who keeps it keeps neither the func nor the contexts of a request.
type promise interface {
	run(ctx context.Context, work any) error
	settle(err error) (awaited bool)
	result() any
}

// run runs the func that AsyncJob was given.
func (p *Promise[T]) run(ctx context.Context, work any) error {
	v, err := work.(func(context.Context) (T, error))(ctx)
	if err == nil && p.occupy() {
		p.value = v
		p.state.Store(promiseOpen)
	}
	return err
}

// occupy makes the promise busy, unless it is settled: an Adder may have submitted
// the job twice, and an abandoned task may return after all.
func (p *Promise[T]) occupy() bool {
	for !p.state.CompareAndSwap(promiseOpen, promiseBusy) {
		if p.state.Load() == promiseSettled {
			return false
		}
		runtime.Gosched() // somebody copies a value
	}
	return true
}

// settle is called under the lock of the pool, or by AsyncJob for a refusal. The
// first call counts: an Adder may submit a job twice, or refuse it and submit it
// all the same. It reports whether somebody waited for it.
func (p *Promise[T]) settle(err error) (awaited bool) {
	if err == nil && p.state.CompareAndSwap(promiseOpen, promiseSettled) {
		// There is nothing to write, as for most.
	} else if p.occupy() {
		p.err = err
		p.state.Store(promiseSettled)
	} else {
		return false
	}
	l := p.waiters.Load()
	if l != nil {
		l.open()
	}
	return l != nil
}

func (p *Promise[T]) outcome() (value T, err error) {
	if p.err != nil {
		return value, p.err
	}
	return p.value, nil
}

// result is the value for a Report, of a run that has succeeded.
func (p *Promise[T]) result() any {
	if p.occupy() {
		defer p.state.Store(promiseOpen)
		return p.value
	}
	v, _ := p.outcome()
	return v
}

// settle settles the promise of a job that has its fate, under the lock, and has
// it leave its lane. It reports whether somebody waited for it.
func (j *job) settle(f Fate, err error) (awaited bool) {
	if full := j.full(); full != nil {
		full.leaveLaneLocked()
	}
	if j.promise == nil {
		return false
	}
	switch f {
	case FateDiscarded:
		err = ErrDiscarded
	case FateSucceeded:
		err = nil
	}
	return j.promise.settle(err)
}
