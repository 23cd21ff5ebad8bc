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
		j.started, j.ended, j.err = ticks(), 0, nil
		if j.Lane != "" {
			p.lanes[j.Lane].startLocked(j)
		}
		if t := j.timeout(p); t > 0 {
			p.alarms.set(&j.alarm, later(later(j.started, t), farewell))
		}
	}
}

// stoppedLocked notes that the job's run has ended.
func (j *job) stoppedLocked(p *Pool) {
	p.alarms.stop(&j.alarm)
	if j.overrun {
		j.overrun = false
		p.overrun--
	}
	if j.lane != nil {
		j.lane.endLocked(p, j)
	}
}

// alarmLocked is told when the job's alarm rings.
func (j *job) alarmLocked(now int64) {
	p := j.ctx.scope.pool
	waited := j.waits
	switch waited {
	case waitsDelay:
		p.delayed--
	case waitsRetry:
		p.retrying--
	default:
		j.overrun = true
		p.overrun++
		go p.logOverrun(j, int(j.attempts), j.timeout(p), time.Duration(now-j.started))
		return
	}
	j.waits = waitsNot
	p.queued++
	j.ctx.scope.queueJobLocked(j)
	if waited == waitsRetry && j.Lane != "" {
		p.lanes[j.Lane].retrying-- // not before: the lane would be forgotten
	}
}

// timeout is the limit of one run; 0 or less if there is none.
func (j *job) timeout(p *Pool) time.Duration {
	if j.Timeout != 0 {
		return j.Timeout
	}
	return p.config.Timeout
}

func (w *worker) executeJob(j *job) {
	switch j.fate {
	case 0:
		w.setFate(w.pool.runJob(j))
	case FateCanceled:
		w.fate, w.err = FateCanceled, errCut
	default:
		w.fate, w.err = j.fate, j.err
	}
}

// runJob runs a job once, within its timeout and the hook.
func (p *Pool) runJob(j *job) error {
	var ctx context.Context = &j.ctx
	if timeout := j.timeout(p); timeout > 0 {
		c, cancel := context.WithTimeoutCause(ctx, timeout, &timeoutError{timeout})
		defer cancel()
		ctx = &runContext{c, &j.ctx}
	}
	if p.config.Hooks.Run == nil {
		return j.Run(ctx)
	}
	return p.runHook(ctx, j)
}

// retry has a job whose run has failed wait for another, if there is to be one.
// Then it returns with the lock held, and the worker is free.
func (w *worker) retry() bool {
	p, s := w.pool, w.scope
	j := w.job
	if j == nil {
		return false
	}
	wait, again := p.again(j, w.err)
	if !again {
		return false
	}
	p.logRetry(&j.ctx, j, w.err, wait)
	p.lock()
	if p.phase.Load() != phaseOpen { // Done was called meanwhile: there are no more runs
		p.mu.Unlock()
		return false
	}
	j.ended, j.err = ticks(), w.err
	p.takeInLocked() // one more waits
	w.freeLocked()
	lane := j.lane
	if lane != nil {
		lane.retrying++
	}
	j.stoppedLocked(p)
	w.scope, w.job, w.fate, w.err, w.step = nil, nil, 0, nil, stepNone
	if wait > 0 {
		j.waits = waitsRetry
		p.retrying++
		p.alarms.set(&j.alarm, later(j.ended, wait))
	} else {
		p.queued++
		s.queueJobLocked(j)
		if lane != nil {
			lane.retrying--
		}
	}
	p.grantLocked()
	return true
}
