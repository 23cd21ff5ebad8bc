package taskpool

import (
	"context"
	"time"
)

// takenLocked notes that the job starts now, unless there is no time left for it.
func (j *job) takenLocked(p *Pool) {
	f := j.full()
	switch {
	case j.fate != 0:
	case p.phase.Load() == phaseClosed:
		j.giveUpTakenLocked(p)
	case !j.timed():
		j.started = untimed
	case f == nil:
		j.started = ticks()
	case f.missesInLaneLocked(p):
	default:
		j.started = ticks()
		f.startedLocked(p)
	}
}

// giveUpLocked decides how a job ends that Done leaves no time for: as canceled, or,
// if it has run, as its last run did.
func (j *job) giveUpLocked() {
	j.fate = FateCanceled
	if f := j.full(); f != nil && f.failed != nil {
		j.fate, f.late = FateFailed, true
	}
}

// giveUpTakenLocked is giveUpLocked for a job that has just been taken from its queue,
// which is its lane's if it has one.
func (j *job) giveUpTakenLocked(p *Pool) {
	j.giveUpLocked()
	if f := j.full(); f != nil && f.stay != nil {
		f.stay.lane.waiting--
		p.agedLocked(f.stay.lane)
	}
}

// isLate reports whether a slot is a job that was given up after a run.
func isLate(s slot) bool {
	j, ok := s.(*job)
	if !ok {
		return false
	}
	f := j.full()
	return f != nil && f.late
}

// endErr is the error of a job that ends without another run.
func (j *job) endErr() error {
	if j.fate == FateCanceled {
		return ErrCanceled
	}
	return j.lastErr()
}

// missesInLaneLocked gives a job up that its lane holds for longer than Done has
// time, and reports whether it did.
func (j *fullJob) missesInLaneLocked(p *Pool) bool {
	if j.stay == nil || p.ending.due == endless {
		return false
	}
	l := j.stay.lane
	if !l.missesLocked(ticks()) {
		return false
	}
	j.giveUpTakenLocked(p)
	p.wakeLaneLocked(l)
	return true
}

// anew is the job for another run. The one that has run stays as it is: it is what
// the contexts of that run refer to, and what the run has left behind may still ask.
func (j *fullJob) anew(failed *failedRun) *fullJob {
	n := &fullJob{Job: j.Job, stay: j.stay, attempts: j.attempts, failed: failed}
	n.work, n.alarm.of = n, n
	n.scope, n.inner, n.promise = j.scope, j.inner, j.promise
	n.accepted, n.started = j.accepted, j.started
	n.start, n.priority = j.start, j.priority
	j.stay = nil // what it has left behind speaks for no other run
	return n
}

func (j *fullJob) startedLocked(p *Pool) {
	j.failed = nil
	j.attempts++
	if j.stay != nil {
		j.stay.lane.startLocked(j)
	}
	if t := j.timeout(p); t > 0 {
		p.alarms.set(&j.alarm, later(later(j.started, t), farewell))
	}
}

// stoppedLocked notes that the job's run has ended.
func (j *fullJob) stoppedLocked(p *Pool) {
	p.alarms.stop(&j.alarm)
	if j.overrun {
		j.overrun = false
		p.overrun--
	}
	if j.stay != nil && j.stay.running {
		j.stay.lane.endLocked(p, j)
	}
}

// alarmLocked is told when the job's alarm rings.
func (j *fullJob) alarmLocked(now int64) {
	p := j.scope.pool
	switch j.waits {
	case waitsDelay:
		p.delayed--
	case waitsRetry:
		p.retrying--
	default:
		j.overrun = true
		p.overrun++
		go p.logOverrun(&j.job, int(j.attempts), j.timeout(p), time.Duration(now-j.started))
		return
	}
	j.waits = waitsNot
	p.queued++
	j.scope.queueJobLocked(&j.job)
}

// timeout is the limit of one run; 0 or less if there is none.
func (j *fullJob) timeout(p *Pool) time.Duration {
	if j.Timeout != 0 {
		return j.Timeout
	}
	return p.config.Timeout
}

func (w *worker) executeJob(j *job) {
	if j.fate == 0 {
		w.setFate(w.runJob(j))
	} else {
		w.fate, w.err = j.fate, j.endErr()
	}
}

// runJob runs a job once, within its timeout and the hook.
func (w *worker) runJob(j *job) error {
	p := w.pool
	ctx := j.ctx()
	if f := j.full(); f != nil && f.timeout(p) > 0 {
		timeout := f.timeout(p)
		c, cancel := context.WithTimeoutCause(ctx, timeout, &timeoutError{timeout})
		defer cancel()
		ctx = &runContext{c, j}
	}
	if p.config.Hooks.Run == nil {
		return j.run(ctx)
	}
	return p.runHook(ctx, j, &w.derived)
}

// retryAndLock has a job whose run has failed wait for another, if there is to be one.
// Then it returns with the lock held, and the worker is free.
func (w *worker) retryAndLock() bool {
	p, s := w.pool, w.scope
	if w.job == nil || w.job.fate != 0 { // it did not run
		return false
	}
	j := w.job.full()
	if w.step == stepRun {
		again := false
		if w.wait, again = p.again(j, w.err); !again {
			return false
		}
		p.lock()
		j.late = p.ending.misses(later(ticks(), w.wait))
		p.mu.Unlock()
		if j.late {
			return false
		}
		w.step = stepRetryLog
	}
	ctx, wait := w.endedCtx(), w.wait
	if w.step == stepRetryLog {
		p.logRetry(ctx, &j.job, w.err, wait)
		w.step = stepRetryHook
	}
	if w.step == stepRetryHook {
		p.callRetried(ctx, &j.job, w.err, wait)
		w.step = stepRetry
	}
	w.job.endLife()
	p.lock()
	now := ticks()
	if j.late = p.ending.misses(later(now, wait)); j.late { // Done was called meanwhile
		p.mu.Unlock()
		return false
	}
	p.takeInLocked() // one more waits
	w.freeLocked()
	j.stoppedLocked(p)
	j = j.anew(&failedRun{err: w.err, ended: now})
	p.retried++
	w.scope, w.job, w.derived, w.fate, w.err, w.step = nil, nil, nil, 0, nil, stepNone
	if wait > 0 {
		j.waits = waitsRetry
		p.retrying++
		p.alarms.set(&j.alarm, later(now, wait))
	} else {
		p.queued++
		s.queueJobLocked(&j.job)
	}
	return true
}
