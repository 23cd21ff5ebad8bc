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
// returns or its ctx ends. A paused pool is resumed.
// Scopes whose handler has returned are released at once (ReleasePoolDone); of the
// open handlers, those are waited for whose scopes have tasks.
//
// What waits for a time keeps it, if that is before the deadline of ctx, and without
// a deadline always, as in Drain: a delayed job runs when it is due, and one that
// has failed and is to run again does. What is due later is ended at once, so that
// Done waits for nothing that cannot come: a delayed job becomes FateCanceled
// and is not run early, a retry FateFailed with the error of its last run. So it is
// with what waits in a lane that is held until the deadline or longer while nothing
// of it runs.
//
// If ctx ends first, what waits, staged or queued, becomes FateCanceled, or
// FateFailed if it has run and failed. Running
// tasks have their context canceled: those that then return an error become
// FateCanceled, and those that do not return within one second FateAbandoned,
// whatever they still do. Hooks that are still to be called
// may take one more second, and so may a logger that hangs.
//
// The error tells of what was cut short or given up: how many tasks, the names of
// the first, and how many handlers were still open. It wraps the cause of ctx, or
// context.DeadlineExceeded if Done has ended before, and is nil if nothing was.
// The report names the tasks, and each of the first hundred has a line in the log.
// What tasks returned is not in the error.
//
// Done may be called again, by anyone: the ctx that ends first cuts, the earliest
// deadline is the one that counts, and
// everyone gets the same report. Inside a task of this pool, with that task's
// context, it returns ErrSelfWait and does nothing. If there is nothing to wait
// for it returns nil, even if ctx has ended. The report covers what ended since
// the last Drain that finished.
func (p *Pool) Done(ctx context.Context) (Report, error) {
	if !p.made() {
		return Report{}, ErrNoPool
	}
	if ctx == nil {
		ctx = context.Background()
	}
	if s := taskOf(ctx); s != nil && s.pool == p {
		return Report{}, ErrSelfWait
	}
	p.close(dueOf(ctx))
	defer p.life.end(errEnded) // of what the pool's own tasks have left behind
	return p.ending.wait(ctx, &p.config, p.cut)
}

// close begins the end, unless it has begun, and has it come by the tick due.
func (p *Pool) close(due int64) {
	p.lock()
	defer p.unlock()
	if p.phase.Load() == phaseOpen {
		p.closingLocked()
		p.supersedeLocked()
		for p.returned.head != nil {
			p.returned.head.sentLocked(ReleasePoolDone)
		}
	}
	if p.phase.Load() == phaseClosing {
		p.hurryLocked(due)
		p.settleLocked()
	}
}

func (p *Pool) closingLocked() {
	p.takeInLocked()
	p.phase.Store(phaseClosing)
	p.ending.finished.init()
	p.paused = false
}

// overLocked is the end: every accepted task has its fate.
func (p *Pool) overLocked() {
	p.phase.Store(phaseClosed)
	p.takeReportLocked(&p.ending.report)
	p.alarms.end()
	if p.listed {
		p.unlistLocked()
	}
	p.ending.concludeLocked()
}

// cut ends a Done whose time is up. The first caller does it.
func (p *Pool) cut(cause error) {
	p.lock()
	if p.phase.Load() != phaseClosing {
		p.mu.Unlock()
		return
	}
	p.phase.Store(phaseClosed)
	p.ending.cause = cause
	p.ending.extra = p.running + p.busy // what runs may be stuck, tasks that have lent their slot too, and what follows must not wait for it
	p.countOpenLocked()
	p.hurryLocked(0)
	p.unstageLocked()
	if p.config.Hooks.Ended == nil {
		p.cancelQueuedLocked(false)
	} // else workers take what is queued, and call the hook instead of the task
	p.grantLocked()
	p.settleLocked()
	p.unlock()
	p.life.end(ErrCanceled)

	finished := p.ending.finished.opened
	if within(farewell, finished) {
		return
	}
	p.abandon()
	if within(farewell, finished) {
		return
	}
	p.lock()
	defer p.unlock()
	if p.ending.over {
		return
	}
	p.cancelQueuedLocked(true)
	for w := p.active.head; w != nil; w = w.next {
		w.abandonLocked()
	}
	if !p.ending.over { // a hook Drained hangs
		p.overLocked()
	}
}

// countOpenLocked notes how many handlers Done has waited for in vain.
func (p *Pool) countOpenLocked() {
	open := 0
	for s := p.handling.head; s != nil; s = s.next {
		open++
	}
	if open > 0 {
		p.lossesLocked(func(l *losses, _ bool) { l.handlers += open })
	}
}

// hurryLocked ends what waits for a time at which it is too late: for a moment from
// the tick due on. An earlier one than before is the one that counts.
func (p *Pool) hurryLocked(due int64) {
	if due >= p.ending.due {
		return
	}
	p.ending.due = due
	now := ticks()
	var late []*fullJob
	for _, a := range p.alarms.heap {
		if j, ok := a.of.(*fullJob); ok && j.waits != waitsNot && p.ending.misses(a.at) {
			late = append(late, j)
		}
	}
	slices.SortFunc(late, func(a, b *fullJob) int { return a.alarm.compare(&b.alarm) })
	for _, j := range late {
		j.giveUpLocked()
		p.alarms.stop(&j.alarm)
		j.alarmLocked(now)
	}
	p.freeLanesLocked()
}

// unstageLocked queues what is staged, with no regard to outcomes: it will be
// canceled there.
func (p *Pool) unstageLocked() {
	for _, l := range []*scopeList{&p.handling, &p.returned} {
		for s := l.head; s != nil; s = s.next {
			for s.staged.size > 0 {
				p.staged--
				s.live++
				p.queued++
				if t, j, _ := unpack(s.staged.pop(&p.spare)); j != nil {
					s.queueJobLocked(j)
				} else {
					s.queueLocked(&s.line, t)
				}
			}
		}
	}
}

// cancelQueuedLocked ends what is queued, without a hook. Jobs that end as they
// were to anyway, as those whose last run failed, are left to workers, which log
// it, unless it is for all.
func (p *Pool) cancelQueuedLocked(all bool) {
	var left []*job
	var notices []*scope
	for !p.rings.empty() {
		s, slot := p.rings.pop(&p.spare)
		if _, ok := slot.(notice); ok {
			notices = append(notices, s)
			continue
		}
		f, err := FateCanceled, ErrCanceled
		j, _ := slot.(*job)
		if j != nil {
			if j.fate == 0 {
				j.giveUpTakenLocked(p)
			}
			if j.fate != FateCanceled && !all {
				left = append(left, j)
				continue
			}
			f, err = j.fate, j.endErr()
		}
		p.queued--
		p.endUnrunLocked(s, slot, f, err)
	}
	for _, j := range left {
		j.scope.queueJobLocked(j)
	}
	for _, s := range notices {
		s.queueLocked(&s.line, notice{})
	}
}

// endUnrunLocked gives a started task its fate without a worker, and so without
// the hook.
func (p *Pool) endUnrunLocked(s *scope, slot slot, f Fate, err error) {
	if f == FateCanceled || isLate(slot) {
		p.loseUnseenLocked(s, slot, f, err)
	}
	s.live--
	if s.countLocked(f) {
		s.keepLocked(describeUnrun(slot, f, err))
	}
	if j, ok := slot.(*job); ok {
		j.settle(f, err)
	}
	s.liveEndedLocked()
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
	p.callEnded(w.ctx(), describe(w.slot(), FateAbandoned, ErrCanceled))
}

// abandonLocked counts the task that a worker runs without waiting for it.
func (w *worker) abandonLocked() {
	if w.counted || !w.hasTask() {
		return
	}
	w.abandoned, w.counted = true, true
	f, r := FateAbandoned, new(Result)
	if w.reporting { // it has returned, and only the logger or a hook hangs
		f, r = w.fate, w.result
	} else {
		*r = describe(w.slot(), f, ErrCanceled)
		w.pool.loseUnseenLocked(w.scope, w.slot(), f, ErrCanceled)
	}
	w.countLocked(f, r)
}
