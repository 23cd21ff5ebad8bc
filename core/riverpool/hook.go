package riverpool

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"

	taskpool "github.com/elite-libs/taskpool/core"
)

// A run is one run of a stored task, with the hook around it.
type run struct {
	task     taskpool.Task
	once     sync.Once
	called   bool
	returned bool
	err      error // what the task ended with
}

// runOnce runs a task within Hooks.Run and returns what it ended with: a panic as
// a *taskpool.PanicError. It has a goroutine of its own, as River's would never
// return from a runtime.Goexit, and hold up its Stop for ever.
func (q *Queue[TTx]) runOnce(ctx context.Context, name string, task taskpool.Task) error {
	ended := make(chan error, 1)
	go func() {
		err := taskpool.ErrGoexit
		defer func() { ended <- err }()
		r := &run{task: task, err: err}
		panicked, hookErr := true, error(nil)
		if hook := q.config.Hooks.Run; hook != nil {
			panicked, hookErr = q.callRun(ctx, r, func() error { return hook(ctx, name, r.next) })
		}
		if panicked && !r.called { // without the hook, then
			r = &run{task: task, err: err}
			panicked, hookErr = q.callRun(ctx, r, func() error { return r.next(ctx) })
		}
		err = hookErr
		if panicked || r.called && !r.returned { // the task's own end stands, even if the hook recovered its panic
			err = r.err
		}
	}()
	return <-ended
}

// callRun calls what is to run r. A panic of the task passes through it.
func (q *Queue[TTx]) callRun(ctx context.Context, r *run, call func() error) (panicked bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			panicked = true
			if !r.called || r.returned {
				q.logHookPanic(ctx, "Run", v)
			}
		}
		r.once.Do(func() {}) // a run on a goroutine of the hook's is waited for; from here on next runs nothing
	}()
	return false, call()
}

// next runs the task, the first time that it is called.
func (r *run) next(ctx context.Context) error {
	r.once.Do(func() {
		r.called = true
		defer func() {
			if v := recover(); v != nil {
				r.err = &taskpool.PanicError{Value: v, Stack: debug.Stack()}
				panic(v)
			}
		}()
		r.err = r.task(ctx)
		r.returned = true
	})
	return r.err
}

// callEnded calls Hooks.Ended, if there is one.
func (q *Queue[TTx]) callEnded(ctx context.Context, r taskpool.Result) {
	if q.config.Hooks.Ended == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			q.logHookPanic(ctx, "Ended", v)
		}
	}()
	q.config.Hooks.Ended(ctx, r)
}

func (q *Queue[TTx]) logHookPanic(ctx context.Context, hook string, v any) {
	q.config.Logger.LogAttrs(ctx, slog.LevelError, "hook panicked",
		slog.String("hook", hook), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
}

// log tells of a stored task.
func (q *Queue[TTx]) log(ctx context.Context, level slog.Level, msg string, r taskpool.Result, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{slog.String("task", r.Name), slog.Any("error", r.Err), slog.Int("attempt", r.Attempts)}, attrs...)
	if e := (*taskpool.PanicError)(nil); errors.As(r.Err, &e) {
		attrs = append(attrs, slog.String("stack", string(e.Stack)))
	}
	q.config.Logger.LogAttrs(ctx, level, msg, attrs...)
}
