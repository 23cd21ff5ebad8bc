package taskpool

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// A Promise is the value that a task will have. It is made by Async or AsyncJob,
// must not be copied, and may be awaited by any number of goroutines, any number
// of times. A zero Promise is never settled.
type Promise[T any] struct {
	state   atomic.Uint32
	waiters atomic.Pointer[chan struct{}] // closed when it is settled; made for the first who waits
	value   T
	err     error
}

// The states of a promise: err, and value if err is nil, stand once it is settled.
const (
	promiseOpen = iota
	promiseSettling
	promiseSettled
)

// An Adder accepts jobs: a *Pool, or a Scope.
type Adder interface{ Submit(jobs ...Job) error }

// Async submits fn as a task and returns the promise of its value. It does not
// block. If the task is refused, the promise is settled with the refusal, which is
// then found where it is awaited, and it is logged at Warn, as perhaps nobody awaits
// it; AsyncJob returns it. The task's failure is
// logged as any other is, whether it is awaited or not.
func Async[T any](to Adder, fn func(context.Context) (T, error)) *Promise[T] {
	p, err := AsyncJob(to, Job{}, fn)
	if err != nil {
		logUnawaited(to, fn, err)
	}
	return p
}

// AsyncJob is Async with a job's options; job.Run is ignored. The error is the
// refusal, with which the promise is settled too.
func AsyncJob[T any](to Adder, job Job, fn func(context.Context) (T, error)) (*Promise[T], error) {
	p := new(Promise[T])
	var work any // none for a nil func
	if fn != nil {
		work = fn
	}
	err := submitAsync(to, job, work, p)
	if err != nil {
		p.settle(err)
	}
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
func submitAsync(to Adder, job Job, work any, p promise) error {
	job.Run = nil
	switch to := to.(type) {
	case *Pool:
		return to.submitAsync(&job, work, p)
	case Scope:
		return to.submitAsync(&job, work, p)
	case nil:
		return errNilAdder
	}
	job.async = &async{work, p}
	if work != nil {
		job.Run = job.async.run
	}
	return to.Submit(job)
}

var (
	errNilAdder  = errors.New("taskpool: nil Adder: pass a *Pool or a Scope")
	errDiscarded = errors.New("taskpool: the task was discarded: the outcome of its request was another than it was staged for")
)

// Settled returns a channel that is closed when the task has its fate: for a
// select, after which Await returns at once. It does not block, and lends no
// worker: inside a task, use Await.
func (p *Promise[T]) Settled() <-chan struct{} {
	if p.state.Load() == promiseSettled {
		return closed
	}
	waiters := p.waiters.Load()
	if waiters == nil {
		c := make(chan struct{})
		if waiters = &c; !p.waiters.CompareAndSwap(nil, waiters) {
			waiters = p.waiters.Load()
		}
	}
	if p.state.Load() == promiseSettled { // perhaps too early to see that somebody waits
		return closed
	}
	return *waiters
}

// closed is what those wait for who need not wait.
var closed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Await waits until the task has its fate and returns its value. The error is the
// task's own, a *PanicError, ErrGoexit, the refusal, or one that says that the
// task was discarded, or canceled or abandoned by Done (then it wraps ErrDone,
// unless the canceled task gave an error of its own). If ctx ends first it is the
// cause of ctx, and the task goes on.
//
// Inside a task, with that task's context, Await lends the task's worker slot
// while it waits, so that tasks may await each other even on one worker.
// Awaiting the promise of the very task is ErrSelfWait.
func (p *Promise[T]) Await(ctx context.Context) (T, error) {
	var zero T
	if p.state.Load() == promiseSettled {
		return p.outcome()
	}
	if j := jobOf(ctx); j != nil && j.promise == promise(p) {
		return zero, ErrSelfWait
	}
	defer lend(ctx).end()
	select {
	case <-p.Settled():
		return p.outcome()
	case <-ctx.Done():
	}
	if p.state.Load() == promiseSettled { // it may have been at the same moment
		return p.outcome()
	}
	return zero, context.Cause(ctx)
}

// A promise is a Promise of whatever type, as a job sees it. It refers to nothing
// of the job's: who keeps it keeps neither the func nor the contexts of a request.
type promise interface {
	run(ctx context.Context, work any) error
	settle(err error)
	result() any
}

// run runs the func that AsyncJob was given.
func (p *Promise[T]) run(ctx context.Context, work any) error {
	v, err := work.(func(context.Context) (T, error))(ctx)
	if err == nil {
		p.value = v
	}
	return err
}

// settle is called under the lock of the pool, or by AsyncJob for a refusal. The
// first call counts: an Adder may submit a job twice, or refuse it and submit it
// all the same. If there is an error the value is not looked at any more: an
// abandoned task may still write it.
func (p *Promise[T]) settle(err error) {
	if !p.state.CompareAndSwap(promiseOpen, promiseSettling) {
		return
	}
	p.err = err
	p.state.Store(promiseSettled)
	if waiters := p.waiters.Load(); waiters != nil {
		close(*waiters)
	}
}

func (p *Promise[T]) outcome() (value T, err error) {
	if p.err != nil {
		return value, p.err
	}
	return p.value, nil
}

func (p *Promise[T]) result() any { return p.value }

// settle settles the promise of a job that has its fate, under the lock, and has
// it leave its lane.
func (j *job) settle(f Fate, err error) {
	if full := j.full(); full != nil {
		full.leaveLaneLocked()
	}
	if j.promise == nil {
		return
	}
	switch {
	case f == FateDiscarded:
		err = errDiscarded
	case f == FateSucceeded:
		err = nil
	case err == nil:
		err = fmt.Errorf("taskpool: the task was %v", f)
	}
	j.promise.settle(err)
}
