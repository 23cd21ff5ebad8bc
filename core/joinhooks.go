package taskpool

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
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
		r := &joinedRun{inner: inner, name: name, next: next}
		err := outer(ctx, name, r.run)
		if v := r.panicked.Load(); v != nil {
			panic(v)
		}
		return err
	}
}

// A joinedRun is one run within the Run of two Hooks.
type joinedRun struct {
	inner    func(context.Context, string, Task) error
	name     string
	next     Task
	panicked atomic.Pointer[hookPanic]
}

// run is what the outer Run calls for next. A panic of the inner one waits until the
// outer has returned: that may have called it on a goroutine of its own, where it would
// end the process. Meanwhile the task counts, which next runs if that was not yet done.
func (r *joinedRun) run(ctx context.Context) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
			return
		case *hookPanic: // of one further in
			r.panicked.Store(v)
		default:
			r.panicked.Store(&hookPanic{v, debug.Stack()})
		}
		err = r.next(ctx)
	}()
	return r.inner(ctx, r.name, r.next)
}

// A hookPanic is the panic of a hook on its way to the log.
type hookPanic struct {
	value any
	stack []byte
}

func (p *hookPanic) Error() string { return fmt.Sprint(p.value) }

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
