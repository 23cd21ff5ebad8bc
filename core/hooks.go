package taskpool

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/elite-libs/taskpool/core/internal/sound"
)

// A nextCall is the one call of what a Hooks.Run is given for next: it may call that any
// number of times, on goroutines of its own, and after it has returned.
type nextCall struct {
	mu     sync.Mutex // protects the next two
	over   bool       // Run has returned: next runs nothing
	called bool
	ran    sync.WaitGroup // not a sync.Once, as time has to pass in a bubble of synctest
}

// call has the first call run run; the others wait for it. It reports whether there was one.
func (c *nextCall) call(run func()) (called bool) {
	c.mu.Lock()
	first := !c.called && !c.over
	if first {
		c.called = true
		c.ran.Add(1)
	}
	called = c.called
	c.mu.Unlock()
	if first {
		defer c.ran.Done()
		run()
		return true
	}
	c.ran.Wait()
	return called
}

// end is told that Run has returned, and waits for the call that it has left behind.
func (c *nextCall) end() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.ran.Wait()
}

// A hookedRun is one run of a task with Hooks.Run around it.
type hookedRun struct {
	nextCall
	job      *job
	ctx      context.Context // what next was called with
	exited   bool            // it called runtime.Goexit
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
		panic(r.panicked) // it stays the task's fate, whatever the hook makes of it
	case r.exited:
		runtime.Goexit()
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
		r.end()
		hookPanicked = v != nil
		if hookPanicked && r.panicked == nil {
			p.logHookPanic(ctx, "Run", v)
		}
	}()
	return false, p.config.Hooks.Run(ctx, nameOf(j), r.next)
}

// next runs the task, the first time that it is called. When Run has returned it
// runs nothing.
func (r *hookedRun) next(ctx context.Context) error {
	if !r.call(func() { r.run(ctx) }) {
		return errEnded
	}
	return r.err
}

// run runs the task. A panic ends here: the hook may have called next on a goroutine
// of its own, where it would end the process. A Goexit cannot be stopped, and ends
// that goroutine.
func (r *hookedRun) run(ctx context.Context) {
	r.ctx, r.exited = ctx, true
	defer func() {
		if v := recover(); v != nil {
			r.panicked = panicOf(v)
			r.exited, r.err = false, r.panicked
		} else if r.exited {
			r.err = ErrGoexit
		}
	}()
	r.err = sound.Error(r.job.run(ctx))
	r.exited = false
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
	j := &job{scope: s} // for the context of a hook that is called for no task
	defer j.endLife()
	defer p.recoverHook(j.ctx(), "Drained")
	p.config.Hooks.Drained(j.ctx(), r)
}

// recoverHook is deferred around a hook.
func (p *Pool) recoverHook(ctx context.Context, hook string) {
	if v := recover(); v != nil {
		p.logHookPanic(ctx, hook, v)
	}
}

func (p *Pool) logHookPanic(ctx context.Context, hook string, v any) {
	of := panicOf(v)
	p.log(ctx, slog.LevelError, "hook panicked",
		slog.String("hook", hook), slog.Any("panic", of.Value), slog.String("stack", string(of.Stack)))
}

// logFailure logs a task that has failed, or was canceled. late says that a retry
// was given up.
func (p *Pool) logFailure(ctx context.Context, r Result, late bool) {
	attrs := []slog.Attr{slog.String("task", r.Name), slog.Any("error", r.Err), slog.Int("attempts", r.Attempts)}
	if late {
		attrs = append(attrs, slog.Bool("given_up", true))
	}
	if e := (*PanicError)(nil); errors.As(r.Err, &e) {
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
