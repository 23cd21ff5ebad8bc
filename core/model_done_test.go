package taskpool_test

import (
	"context"
	"errors"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// wrapUp ends everything in good order: then nothing may be left.
func (s *schedule) wrapUp() {
	s.note("wrap up")
	s.resume()
	s.settle()
	for _, r := range s.requests {
		s.returns(r, 200)
		r.scope.Returned(taskpool.Outcome{Status: 200})
		s.send(r)
		r.scope.Sent(taskpool.ReleaseFlushed)
		s.settle()
	}
	for s.inQueue()+s.count((*entry).executing) > 0 {
		for s.inState(isRunning) > 0 {
			s.endOne()
			s.settle()
		}
		if w := one(s, s.waits, func(w *wait) bool { return !w.over && w.by != nil }); w != nil {
			s.cancelWait()
		} else if next := s.next(); !next.IsZero() {
			s.sleepUntil(next)
		}
		s.settle()
	}
}

func (s *schedule) done() {
	s.note("done")
	d := new(doneCall)
	ctx := context.Background()
	var due time.Time
	if s.maybe() {
		due = s.now.Add(time.Duration(s.IntN(20))*500*time.Millisecond + 123_457) // at no other moment
		s.note("    until %v", due.Sub(epoch))
		ctx, d.release = context.WithDeadline(ctx, due)
	}
	ctx, d.cancel = context.WithCancel(ctx)
	s.dones = append(s.dones, d)
	s.close(due)
	go func() {
		d.report, d.err = s.p.Done(ctx)
		s.noted(func() { d.returned = true })
	}()
}

// conclude has Done cut if it has not ended, by its deadline or before, and checks
// what it made of everything.
func (s *schedule) conclude() {
	cut := !s.over
	cause := context.Canceled
	if cut && !s.due.IsZero() && s.maybe() {
		cause = context.DeadlineExceeded
		s.pass(s.due.Add(-1))
		s.settle()
		cut = !s.over
	}
	lost := cut || s.count(func(e *entry) bool { return e.late || e.fate == taskpool.FateCanceled }) > 0
	if !cut {
		cause = context.DeadlineExceeded
	}
	start := time.Now()
	late := time.Duration(0)
	if cut {
		s.note("cut")
		for _, e := range s.tasks {
			s.cut(e)
		}
		if s.count(func(e *entry) bool { return e.fate == taskpool.FateAbandoned }) > 0 {
			late = time.Second
		}
		s.reported = s.fates.less(s.drained)
		if cause == context.Canceled {
			s.dones[s.IntN(len(s.dones))].cancel()
		} else {
			time.Sleep(1)
		}
		time.Sleep(late)
	}
	s.rest()
	for _, d := range s.dones {
		switch {
		case !d.returned:
			s.fatalf("Done has not returned after %v", elapsed(start))
		case countsOf(d.report) != s.reported:
			s.fatalf("Done: got %+v, want %+v", countsOf(d.report), s.reported)
		case lost != errors.Is(d.err, cause), lost != (d.err != nil):
			s.fatalf("Done: %v, want %v %v", d.err, lost, cause)
		}
		d.cancel()
		if d.release != nil {
			d.release()
		}
	}
	st := s.p.Stats()
	s.checkFates(st)
	for _, w := range s.waits {
		if !w.returned && w.by == nil {
			s.fatalf("the wait for %v, %v has not returned", w.promise, w.scope)
		}
		w.cancel()
	}
	for _, e := range s.tasks { // the stuck ones; the others have nobody who hears it
		if e.seen.executing {
			e.do <- func(context.Context) (bool, error) { return true, errTask }
		}
	}
	for _, r := range s.requests {
		finish(r.scope, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		if err := r.scope.Add(nop); !errors.Is(err, taskpool.ErrDone) {
			s.fatalf("%v after Done: %v", r, err)
		}
		st.Refused++
	}
	s.rest()
	if got := s.p.Stats(); got != st {
		s.fatalf("stats after late returns: got %+v, want %+v", got, st)
	}
	s.checkFates(st)
}

// cut is what becomes of a task when Done is cut.
func (m *model) cut(e *entry) {
	stuck := e.manner == isStuck || e.timedOut(m.now) && !e.heeds
	switch {
	case e.state == hasEnded:
	case e.state == isQueued && e.decided != 0:
		m.end(e, e.decided, e.err)
	case !e.executing():
		m.giveUp(e)
		m.end(e, e.decided, e.err)
	case stuck:
		m.end(e, taskpool.FateAbandoned, taskpool.ErrDone)
	case e.manner == givesUp:
		m.end(e, taskpool.FateCanceled, taskpool.ErrDone)
	default:
		m.end(e, taskpool.FateSucceeded, nil)
	}
}
