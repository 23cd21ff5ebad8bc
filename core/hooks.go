package taskpool

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// A hookedRun is one run of a task with Hooks.Run around it.
type hookedRun struct {
	job      *job
	once     sync.Once
	ctx      context.Context // what next was called with
	called   bool
	returned bool
	panicked *PanicError
	err      error
}

// runHook runs a job through Hooks.Run. What that gave the job for its context is
// in derived when it returns or panics.
func (p *Pool) runHook(ctx context.Context, j *job, derived *context.Context) error {
	r := &hookedRun{job: j}
	defer func() { *derived = r.ctx }()
	hookPanicked, err := p.callRun(ctx, j, r)
	switch {
	case r.panicked != nil:
		panic(r.panicked) // it stays the task's fate, even if the hook recovered it
	case r.called && !r.returned:
		runtime.Goexit() // it was on a goroutine of the hook's
	case hookPanicked && !r.called:
		return j.run(ctx)
	case hookPanicked:
		return r.err
	}
	return err
}

func (p *Pool) callRun(ctx context.Context, j *job, r *hookedRun) (hookPanicked bool, err error) {
	defer func() {
		v := recover()
		r.once.Do(func() {}) // a run on a goroutine of the hook's is waited for; from here on next runs nothing
		hookPanicked = v != nil
		if hookPanicked && r.panicked == nil {
			p.logHookPanic(ctx, "Run", v)
		}
	}()
	return false, p.config.Hooks.Run(ctx, nameOf(j), r.next)
}

// next runs the task, the first time that it is called.
func (r *hookedRun) next(ctx context.Context) error {
	r.once.Do(func() {
		r.called, r.ctx = true, ctx
		defer func() {
			if v := recover(); v != nil {
				r.panicked = &PanicError{Value: v, Stack: debug.Stack()}
				panic(v)
			}
		}()
		r.err = r.job.run(ctx)
		r.returned = true
	})
	return r.err
}

// callEnded calls Hooks.Ended, if there is one.
func (p *Pool) callEnded(ctx context.Context, r Result) {
	if p.config.Hooks.Ended == nil {
		return
	}
	defer p.recoverHook(ctx, "Ended")
	p.config.Hooks.Ended(ctx, r)
}

func (p *Pool) callDrained(s *scope) {
	p.lock()
	r := s.reportLocked()
	p.mu.Unlock()
	defer p.recoverHook(s.ctx(), "Drained")
	p.config.Hooks.Drained(s.ctx(), r)
}

// recoverHook is deferred around a hook.
func (p *Pool) recoverHook(ctx context.Context, hook string) {
	if v := recover(); v != nil {
		p.logHookPanic(ctx, hook, v)
	}
}

func (p *Pool) logHookPanic(ctx context.Context, hook string, v any) {
	p.log(ctx, slog.LevelError, "hook panicked",
		slog.String("hook", hook), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
}

// logFailure logs a task that has failed, or was canceled. late says that a retry
// was given up.
func (p *Pool) logFailure(ctx context.Context, r Result, late bool) {
	attrs := []slog.Attr{slog.String("task", r.Name), slog.Any("error", r.Err)}
	if late {
		attrs = append(attrs, slog.Bool("given_up", true))
	}
	if e := (*PanicError)(nil); errors.As(r.Err, &e) && e != nil {
		attrs = append(attrs, slog.String("stack", string(e.Stack)))
	}
	p.log(ctx, slog.LevelError, "task "+r.Fate.String(), attrs...)
}

func (p *Pool) logOverrun(j *job, attempt int, timeout, ran time.Duration) {
	p.log(j.ctx(), slog.LevelWarn, "task overran its timeout",
		slog.String("task", nameOf(j)), slog.Int("attempt", attempt), slog.Duration("timeout", timeout), slog.Duration("ran", ran))
}

func (p *Pool) log(ctx context.Context, level slog.Level, msg string, attrs ...slog.Attr) {
	p.config.log(ctx, level, msg, attrs...)
}

// log writes to the configured logger. A handler that panics harms nobody.
func (c *Config) log(ctx context.Context, level slog.Level, msg string, attrs ...slog.Attr) {
	defer func() { _ = recover() }()
	l := c.Logger
	if l == nil {
		l = slog.Default()
	}
	if c.Name != "" {
		attrs = append(attrs, slog.String("pool", c.Name))
	}
	l.LogAttrs(ctx, level, msg, attrs...)
}
