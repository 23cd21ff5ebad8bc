package taskpool_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/elite-libs/taskpool/core"
)

// A wait is a call of Await or Drain that need not have returned.
type wait struct {
	by       *entry   // inside this task; nil is outside of all
	promise  *entry   // of Await
	scope    *request // of Scope.Drain; neither is Pool.Drain
	cancel   context.CancelFunc
	canceled bool
	instead  bool // a later Drain, or Done, took over
	over     bool
	fates    counts // to be reported
	want     error

	returned bool
	checked  bool
	value    int
	err      error
	report   taskpool.Report
}

// await is a call of Await or of Scope.Drain.
func (m *model) await(w *wait) {
	m.waits = append(m.waits, w)
	if w.by != nil {
		w.by.wait = w
	}
	switch {
	case w.by != nil && (w.promise == w.by || w.scope == w.by.in):
		w.over, w.want = true, taskpool.ErrSelfWait
	case !m.endWait(w) && w.by != nil:
		w.by.state = isLending
	}
}

// drain is a call of Pool.Drain outside of all tasks.
func (m *model) drain(w *wait) {
	m.waits = append(m.waits, w)
	switch {
	case m.closing && !m.over:
		w.instead = true
	case m.quiet() || w.canceled:
	default:
		if m.drainer != nil {
			m.drainer.instead = true
		}
		m.drainer = w
	}
}

// endWait ends a wait, if it is over.
func (m *model) endWait(w *wait) bool {
	pool := w.promise == nil && w.scope == nil
	switch {
	case w.instead:
		w.want = taskpool.ErrSuperseded
	case pool && m.quiet():
		w.fates = m.fates.less(m.drained)
		m.drained = m.fates
	case w.promise != nil && w.promise.state == hasEnded:
		w.want = w.promise.err
	case w.scope != nil && m.live(w.scope) == 0:
		w.fates = w.scope.fates
	case !w.canceled:
		return false
	default:
		w.want = context.Canceled
		if pool {
			w.fates = m.fates.less(m.drained)
		} else if w.scope != nil {
			w.fates = w.scope.fates
		}
	}
	w.over = true
	if m.drainer == w {
		m.drainer = nil
	}
	return true
}

// endWaits ends all waits that are over, and reports whether there are any. A
// task takes its slot back before it goes on.
func (m *model) endWaits() (any bool) {
	for _, w := range m.waits {
		if !w.over && m.endWait(w) {
			any = true
			if w.by != nil {
				w.by.state, w.by.since = isReclaiming, m.step
			}
		}
	}
	return any
}

// errDiscarded stands for the error of a promise whose task was discarded.
var errDiscarded = errors.New("the task was discarded")

func (w *wait) what() fmt.Stringer {
	if w.promise != nil {
		return w.promise
	}
	return w.scope
}

// target makes a wait for something that may be awaited.
func (s *schedule) target(by *entry) *wait {
	w := &wait{by: by}
	if s.maybe() {
		w.promise = one(s, s.tasks, func(e *entry) bool { return e.promise != nil })
	}
	if w.promise == nil {
		w.scope = s.aScope()
	}
	if w.promise == nil && w.scope == nil {
		return nil
	}
	return w
}

// call waits, within ctx.
func (s *schedule) call(ctx context.Context, w *wait) {
	defer s.noted(func() { w.returned = true })
	switch {
	case w.promise != nil:
		w.value, w.err = w.promise.promise.Await(ctx)
	case w.scope != nil:
		w.report, w.err = w.scope.scope.Drain(ctx)
	default:
		w.report, w.err = s.p.Drain(ctx)
	}
}

// waitInTask has a task wait for another, or for a scope.
func (s *schedule) waitInTask() {
	e := one(s, s.tasks, func(e *entry) bool { return e.state == isRunning && e.job.Timeout == 0 })
	if e == nil {
		return
	}
	w := s.target(e)
	if w == nil {
		return
	}
	s.note("%v waits for %v", e, w.what())
	s.tell(e, func(ctx context.Context) {
		ctx, w.cancel = context.WithCancel(ctx)
		s.call(ctx, w)
	})
	s.await(w)
}

func (s *schedule) waitForItself() {
	e := s.aTask()
	if e == nil {
		return
	}
	s.note("%v waits for its pool", e)
	var drain, done error
	s.tell(e, func(ctx context.Context) {
		_, drain = s.p.Drain(ctx)
		_, done = s.p.Done(ctx)
	})
	if !errors.Is(drain, taskpool.ErrSelfWait) || !errors.Is(done, taskpool.ErrSelfWait) {
		s.fatalf("got %v and %v, want ErrSelfWait", drain, done)
	}
}

// outside starts a wait outside of all tasks; now and then its ctx has ended.
func (s *schedule) outside(w *wait) {
	var ctx context.Context
	ctx, w.cancel = context.WithCancel(context.Background())
	if w.canceled = s.IntN(6) == 0; w.canceled {
		w.cancel()
	}
	go s.call(ctx, w)
}

func (s *schedule) waitOutside() {
	if w := s.target(nil); w != nil {
		s.note("somebody waits for %v", w.what())
		s.outside(w)
		s.await(w)
	}
}

func (s *schedule) drainPool() {
	w := new(wait)
	s.note("drain")
	s.outside(w)
	s.drain(w)
}

func (s *schedule) cancelWait() {
	if w := one(s, s.waits, func(w *wait) bool { return !w.over }); w != nil {
		s.note("cancel the wait of %v for %v", w.by, w.what())
		w.canceled = true
		w.cancel()
	}
}
