package taskpool

import (
	"context"
	"slices"
	"time"
)

// farewell is how long running tasks may take to return when Done has run out
// of time and canceled their contexts, and then how long the hooks may take.
const farewell = time.Second

// Done ends the pool: it waits until every accepted task has its fate. From its
// call on Add and Submit are refused with ErrDone, and so is what is added to a
// scope that is begun later; scopes already open go on accepting until Done
// returns or its ctx ends. A paused pool is resumed, a delayed job starts at once,
// and one that waits for another run ends as FateFailed: where there is time for
// retries, Drain first.
// Scopes whose handler has returned are released at once (ReleasePoolDone); of the
// open handlers, those are waited for whose scopes have tasks.
//
// If ctx ends first, what waits, staged or queued, becomes FateCanceled. Running
// tasks have their context canceled: those that then return an error become
// FateCanceled, and those that do not return within one second FateAbandoned,
// whatever they still do. The report names them, the error says how many
// there are and wraps the cause of ctx. Hooks that are still to be called
// may take one more second.
//
// Done may be called again, by anyone: the ctx that ends first cuts, and
// everyone gets the same report. Inside a task of this pool, with that task's
// context, it returns ErrSelfWait and does nothing. If there is nothing to wait
// for it returns nil, even if ctx has ended. The report covers what ended since
// the last Drain that finished.
func (p *Pool) Done(ctx context.Context) (Report, error) {
	if !p.made() {
		return Report{}, ErrNoPool
	}
	if s := taskOf(ctx); s != nil && s.pool == p {
		return Report{}, ErrSelfWait
	}
	if !p.close() {
		defer lend(ctx).end()
		select {
		case <-p.finished:
		case <-ctx.Done():
			p.cut(context.Cause(ctx))
			<-p.finished
		}
	}
	r := p.doneReport
	r.Results = append([]Result(nil), r.Results...)
	return r, p.doneErr
}

// close begins the end, unless it has begun, and reports whether it has come.
func (p *Pool) close() (over bool) {
	p.lock()
	defer p.unlock()
	if p.phase.Load() == phaseOpen {
		p.closingLocked()
		p.supersedeLocked()
		for p.returned.head != nil {
			p.returned.head.sentLocked(ReleasePoolDone)
		}
		p.hurryLocked()
		p.settleLocked()
	}
	return p.over
}

func (p *Pool) closingLocked() {
	p.takeInLocked()
	p.phase.Store(phaseClosing)
	p.finished = make(chan struct{})
	p.paused = false
}

// overLocked is the end: every accepted task has its fate.
func (p *Pool) overLocked() {
	p.phase.Store(phaseClosed)
	p.over = true
	p.takeReportLocked(&p.doneReport)
	if p.cutCause != nil {
		p.doneErr = &cutError{p.doneReport.Canceled, p.doneReport.Abandoned, p.cutCause}
	}
	p.alarms.end()
	if p.listed {
		p.unlistLocked()
	}
	close(p.finished)
}

// cut ends a Done whose time is up. The first caller does it.
func (p *Pool) cut(cause error) {
	p.lock()
	if p.phase.Load() != phaseClosing {
		p.mu.Unlock()
		return
	}
	p.phase.Store(phaseClosed)
	p.cutCause = cause
	p.freeLanesLocked()
	p.extra = p.running + p.busy // what runs may be stuck, tasks that have lent their slot too, and what follows must not wait for it
	p.unstageLocked()
	if p.config.Hooks.Ended == nil {
		p.cancelQueuedLocked(false)
	} // else workers take what is queued, and call the hook instead of the task
	p.grantLocked()
	p.settleLocked()
	p.unlock()
	p.cancel(errCut)

	if p.finishedWithin(farewell) {
		return
	}
	p.abandon()
	if p.finishedWithin(farewell) {
		return
	}
	p.lock()
	defer p.unlock()
	if p.over {
		return
	}
	p.cancelQueuedLocked(true)
	for w := p.active.head; w != nil; w = w.next {
		w.abandonLocked()
	}
	if !p.over { // a hook Drained hangs
		p.overLocked()
	}
}

func (p *Pool) finishedWithin(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.finished:
		return true
	case <-t.C:
		return false
	}
}

// hurryLocked ends all waiting for a time: delayed jobs are queued, and those
// that wait for another run end with the error of the last one.
func (p *Pool) hurryLocked() {
	now := ticks()
	var waiting []*fullJob
	for _, a := range p.alarms.heap {
		if j, ok := a.of.(*fullJob); ok && j.waits != waitsNot {
			waiting = append(waiting, j)
		}
	}
	slices.SortFunc(waiting, func(a, b *fullJob) int { return a.alarm.compare(&b.alarm) })
	for _, j := range waiting {
		if j.waits == waitsRetry {
			j.fate = FateFailed
		}
		p.alarms.stop(&j.alarm)
		j.alarmLocked(now)
	}
}

// unstageLocked queues what is staged, with no regard to outcomes: it will be
// canceled there.
func (p *Pool) unstageLocked() {
	for _, l := range []*scopeList{&p.handling, &p.returned} {
		for s := l.head; s != nil; s = s.next {
			for s.held.size > 0 {
				p.staged--
				s.live++
				p.queued++
				if t, j, _ := unpack(s.held.pop(&p.spare)); j != nil {
					s.queueJobLocked(j)
				} else {
					s.queueLocked(&s.line, t)
				}
			}
		}
	}
}

// cancelQueuedLocked cancels what is queued, without a hook. Jobs that have their
// fate already, as those whose last run failed, are left to workers, which log it,
// unless it is for all.
func (p *Pool) cancelQueuedLocked(all bool) {
	var left []*job
	var notices []*scope
	for !p.rings.empty() {
		s, slot := p.rings.pop(&p.spare)
		if _, ok := slot.(notice); ok {
			notices = append(notices, s)
			continue
		}
		f, err := FateCanceled, errCut
		j, _ := slot.(*job)
		if j != nil && j.fate != 0 && j.fate != FateCanceled {
			if !all {
				left = append(left, j)
				continue
			}
			f, err = j.fate, j.lastErr()
		}
		p.queued--
		s.live--
		if s.countLocked(f) {
			s.keepLocked(describeUnrun(slot, f, err))
		}
		if j != nil {
			j.settle(f, err)
		}
		s.liveEndedLocked()
	}
	for _, j := range left {
		j.scope.queueJobLocked(j)
	}
	for _, s := range notices {
		s.queueLocked(&s.line, notice{})
	}
}

// abandon gives up the tasks that run. Where a hook has to hear of it, each has
// a goroutine for that, since the hook may be what hangs. A task that has returned
// and whose hook is being called has the hooks' second.
func (p *Pool) abandon() {
	p.lock()
	defer p.unlock()
	for w := p.active.head; w != nil; w = w.next {
		if p.config.Hooks.Ended == nil {
			w.abandonLocked()
		} else if w.hasTask() && !w.reporting {
			w.abandoned = true
			go w.tellAbandoned()
		}
	}
}

// tellAbandoned calls the hook for a task that was given up, and counts it.
func (w *worker) tellAbandoned() {
	p := w.pool
	defer func() {
		p.lock()
		w.abandonLocked()
		p.unlock()
	}()
	p.callEnded(w.ctx(), describe(w.slot(), FateAbandoned, errCut))
}

// abandonLocked counts the task that a worker runs without waiting for it.
func (w *worker) abandonLocked() {
	if w.counted || !w.hasTask() {
		return
	}
	w.abandoned, w.counted = true, true
	f, r := FateAbandoned, Result{}
	if w.reporting { // it has returned, and only the logger or a hook hangs
		f, r = w.fate, w.result
	} else {
		r = describe(w.slot(), f, errCut)
	}
	w.countLocked(f, &r)
}
