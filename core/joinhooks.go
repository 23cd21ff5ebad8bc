package taskpool

import (
	"context"
	"time"
)

// JoinHooks makes one Hooks of several, as for tracing and one's own log. The Run of
// the first is the outermost. Of the others the first is called first, and one that
// panics keeps none from being called.
func JoinHooks(hooks ...Hooks) Hooks {
	var all Hooks
	for _, h := range hooks {
		all = Hooks{
			Run:     joinRun(all.Run, h.Run),
			Retried: joinRetried(all.Retried, h.Retried),
			Refused: joinRefused(all.Refused, h.Refused),
			Ended:   join(all.Ended, h.Ended),
			Drained: join(all.Drained, h.Drained),
		}
	}
	return all
}

func joinRun(outer, inner func(context.Context, string, Task) error) func(context.Context, string, Task) error {
	if outer == nil || inner == nil {
		return either(outer, inner, outer == nil)
	}
	return func(ctx context.Context, name string, next Task) error {
		r := &joinedRun{inner: inner, name: name, task: next}
		err := r.within(ctx, outer)
		if r.panicked != nil {
			panic(r.panicked)
		}
		return err
	}
}

// A joinedRun is one run within the Run of two Hooks.
type joinedRun struct {
	nextCall
	inner    func(context.Context, string, Task) error
	name     string
	task     Task // further in
	err      error
	panicked *PanicError // the hook
}

// within calls the outer Run. An inner one that it has called on a goroutine of its own is
// waited for; from then on next runs nothing.
func (r *joinedRun) within(ctx context.Context, outer func(context.Context, string, Task) error) error {
	defer r.end()
	return outer(ctx, r.name, r.next)
}

// next is what the outer Run is given: it calls the inner one, the first time.
func (r *joinedRun) next(ctx context.Context) error {
	if !r.call(func() { r.run(ctx) }) {
		return errEnded
	}
	return r.err
}

// run calls the inner Run. A panic of it waits until the outer has returned: that may
// have called it on a goroutine of its own, where it would end the process. Meanwhile
// the task counts, which is run if that was not yet done.
func (r *joinedRun) run(ctx context.Context) {
	r.err = ErrGoexit // unless it returns
	defer func() {
		if v := recover(); v != nil {
			r.panicked = panicOf(v)
			r.err = r.task(ctx)
		}
	}()
	r.err = r.inner(ctx, r.name, r.task)
}

func joinRetried(f, g func(context.Context, string, error, time.Duration)) func(context.Context, string, error, time.Duration) {
	if f == nil || g == nil {
		return either(f, g, f == nil)
	}
	return func(ctx context.Context, name string, err error, wait time.Duration) {
		defer g(ctx, name, err, wait) // whatever becomes of f
		f(ctx, name, err, wait)
	}
}

func joinRefused(f, g func(context.Context, []Job, error)) func(context.Context, []Job, error) {
	if f == nil || g == nil {
		return either(f, g, f == nil)
	}
	return func(ctx context.Context, jobs []Job, err error) {
		defer g(ctx, jobs, err)
		f(ctx, jobs, err)
	}
}

func join[T any](f, g func(context.Context, T)) func(context.Context, T) {
	if f == nil || g == nil {
		return either(f, g, f == nil)
	}
	return func(ctx context.Context, of T) {
		defer g(ctx, of)
		f(ctx, of)
	}
}

func either[T any](f, g T, second bool) T {
	if second {
		return g
	}
	return f
}
