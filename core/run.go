package taskpool

import (
	"context"
	"time"
)

// takenLocked notes that the job starts now, unless the pool was cut short.
func (j *job) takenLocked(p *Pool) {
	switch {
	case j.fate != 0:
	case p.phase.Load() == phaseClosed:
		j.fate = FateCanceled
	default:
		j.attempts++
		j.started = ticks()
		if f := j.full(); f != nil {
			f.startedLocked(p)
		}
	}
}

func (j *fullJob) startedLocked(p *Pool) {
	j.failed = nil
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
	switch j.fate {
	case 0:
		w.setFate(w.runJob(j))
	case FateCanceled:
		w.fate, w.err = FateCanceled, errCut
	default:
		w.fate, w.err = j.fate, j.lastErr()
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

// retry has a job whose run has failed wait for another, if there is to be one.
// Then it returns with the lock held, and the worker is free.
func (w *worker) retry() bool {
	p, s := w.pool, w.scope
	if w.job == nil {
		return false
	}
	j := w.job.full()
	wait, again := p.again(j, w.err)
	if !again {
		return false
	}
	ctx := w.endedCtx()
	p.logRetry(ctx, &j.job, w.err, wait)
	p.callRetried(ctx, &j.job, w.err, wait)
	p.lock()
	if p.phase.Load() != phaseOpen { // Done was called meanwhile: there are no more runs
		p.mu.Unlock()
		return false
	}
	j.failed = &failedRun{err: w.err, ended: ticks()}
	p.takeInLocked() // one more waits
	w.freeLocked()
	j.stoppedLocked(p)
	p.retried++
	w.scope, w.job, w.derived, w.fate, w.err, w.step = nil, nil, nil, 0, nil, stepNone
	if wait > 0 {
		j.waits = waitsRetry
		p.retrying++
		p.alarms.set(&j.alarm, later(j.failed.ended, wait))
	} else {
		p.queued++
		s.queueJobLocked(&j.job)
	}
	p.grantLocked()
	return true
}
