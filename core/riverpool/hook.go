package riverpool

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/internal/sound"
)

// A run is one run of a stored task, with the hook around it.
type run struct {
	task     taskpool.Task
	once     sync.Once
	ctx      context.Context // what the task was given
	called   bool
	returned bool
	panicked bool
	err      error // what the task ended with
}

// runOnce runs a task within Hooks.Run. It returns the context that the run was
// given, and what it ended with: a panic as a *taskpool.PanicError. It has a
// goroutine of its own, as River's would never return from a runtime.Goexit, and
// hold up its Stop for ever.
func (q *Queue[TTx]) runOnce(ctx context.Context, name string, task taskpool.Task) (given context.Context, err error) {
	r := &run{task: task, ctx: ctx, err: taskpool.ErrGoexit}
	err = r.err
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		panicked, hookErr := true, error(nil)
		if hook := q.config.Hooks.Run; hook != nil {
			panicked, hookErr = q.callRun(ctx, r, func() error { return hook(ctx, name, r.next) })
		}
		if panicked && !r.called { // without the hook, then
			r = &run{task: task, ctx: ctx, err: taskpool.ErrGoexit}
			panicked, hookErr = q.callRun(ctx, r, func() error { return r.next(ctx) })
		}
		err = hookErr
		if panicked || r.called && !r.returned { // the task's own end stands, even if the hook recovered its panic
			err = r.err
		}
		err = sound.Error(err) // River recovers its panic of Work, and no hook hears of the end (jobexecutor reportError, v0.51)
	}()
	<-ended
	return r.ctx, err
}

// callRun calls what is to run r.
func (q *Queue[TTx]) callRun(ctx context.Context, r *run, call func() error) (panicked bool, err error) {
	defer func() {
		v := recover()
		r.once.Do(func() {}) // a run on a goroutine of the hook's is waited for; from here on next runs nothing
		if panicked = v != nil; panicked && !r.panicked {
			q.logHookPanic(ctx, "Run", v)
		}
	}()
	return false, call()
}

// next runs the task, the first time that it is called. A panic ends here, as in package
// taskpool: the hook may have called it on a goroutine of its own, where it would end
// the process.
func (r *run) next(ctx context.Context) error {
	r.once.Do(func() {
		r.called, r.ctx = true, ctx
		defer func() {
			if v := recover(); v != nil {
				r.panicked, r.err = true, panicOf(v)
			}
		}()
		r.err = sound.Error(r.task(ctx))
		r.returned = true
	})
	return r.err
}

// callEnded calls Hooks.Ended, if there is one.
func (q *Queue[TTx]) callEnded(ctx context.Context, r taskpool.Result) {
	if q.config.Hooks.Ended == nil {
		return
	}
	defer q.recoverHook(ctx, "Ended")
	q.config.Hooks.Ended(ctx, r)
}

// callRetried calls Hooks.Retried, if there is one.
func (q *Queue[TTx]) callRetried(ctx context.Context, r taskpool.Result, wait time.Duration) {
	if q.config.Hooks.Retried == nil {
		return
	}
	defer q.recoverHook(ctx, "Retried")
	q.config.Hooks.Retried(ctx, r.Name, r.Err, wait)
}

// recoverHook is deferred around a hook.
func (q *Queue[TTx]) recoverHook(ctx context.Context, hook string) {
	if v := recover(); v != nil {
		q.logHookPanic(ctx, hook, v)
	}
}

func (q *Queue[TTx]) logHookPanic(ctx context.Context, hook string, v any) {
	of := panicOf(v)
	q.write(ctx, slog.LevelError, "hook panicked",
		slog.String("hook", hook), slog.Any("panic", of.Value), slog.String("stack", string(of.Stack)))
}

// panicOf is a panic with the stack on which it came: here, unless a pool or JoinHooks has
// passed it on.
func panicOf(v any) *taskpool.PanicError {
	if e, ok := v.(*taskpool.PanicError); ok && e != nil {
		return e
	}
	return &taskpool.PanicError{Value: v, Stack: debug.Stack()}
}

// log tells of a stored task.
func (q *Queue[TTx]) log(ctx context.Context, level slog.Level, msg string, r taskpool.Result, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{slog.String("task", r.Name), slog.Any("error", r.Err), slog.Int("attempt", r.Attempts)}, attrs...)
	if e := (*taskpool.PanicError)(nil); errors.As(r.Err, &e) {
		attrs = append(attrs, slog.String("stack", string(e.Stack)))
	}
	q.write(ctx, level, msg, attrs...)
}

// write writes to the configured logger. A handler that panics harms nobody: River would
// take it for the task's end.
func (q *Queue[TTx]) write(ctx context.Context, level slog.Level, msg string, attrs ...slog.Attr) {
	defer func() { _ = recover() }()
	q.config.Logger.LogAttrs(ctx, level, msg, attrs...)
}
