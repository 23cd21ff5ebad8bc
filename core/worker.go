package taskpool

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/elite-libs/taskpool/core/internal/sound"
	"github.com/elite-libs/taskpool/core/internal/stint"
)

// A worker runs tasks, one after the other, until there are none.
type worker struct {
	pool       *Pool
	prev, next *worker // in pool.active while it has a goroutine, else next in pool.idle

	scope   *scope       // for whom it runs something now; nil if for nobody. Written under pool.mu, as the next two
	job     *job         // what it runs, if that is a job
	task    Task         // … if it is a plain task of a request
	ofPool  bool         // … if it is one of the pool's own. If it is none of these, it is a notice
	streams bool         // the outlet was open when it took that
	current atomic.Value // of the pool's own, the Task: the outlet may have given it, without the lock
	step    step
	fate    Fate
	err     error
	wait    time.Duration // until another run is to follow
	result  *Result       // of it, if anybody is to see it: made for the first, and used again

	derived context.Context // what Hooks.Run gave to the task, once Run has returned; nil if it gave none
	seen    atomic.Int64    // ticks at which a Snapshot first saw what it runs, if that is a plain task; 0 if none did

	stint stint.Stint
	peers int // busy workers, itself included, when it took what it has

	// Protected by pool.mu.
	shared    *life // of the plain task of a request that it runs; nil if nobody has asked for it
	abandoned bool  // Done gave its task up: whatever it still does counts for nothing
	reporting bool  // result stands; the logger and Hooks.Ended are being called
	counted   bool  // an abandoned task has been counted
}

// A step is how far a worker has come with a task: where it goes on after a
// panic or a Goexit.
type step uint8

const (
	stepNone      step = iota
	stepRun            // in the caller's code
	stepRetryLog       // another run is to follow, the logger and the hook are to be called
	stepRetryHook      // the hook is to be called, the logger was
	stepRetry          // both were
	stepLog            // the fate is known, the logger and the hook are to be called
	stepHook           // the hook is to be called, the logger was
	stepCount          // only the ledger is left
)

func (w *worker) run() {
	w.stint.Begin()
	for w.workAndLock() {
	}
	w.leaveAndUnlock()
}

// workAndLock works until there is nothing to do, and returns with the lock held, or
// until a task panics: then it reports that it has to be entered again. One
// deferred call serves all its tasks.
func (w *worker) workAndLock() (again bool) {
	defer w.caught(&again)
	p := w.pool
	if w.step == stepNone {
		p.lock()
		p.seeking--
		p.active.push(w)
	} else {
		w.finishAndLock() // what a panic or a Goexit left
	}
	rechecked := false
	for {
		if w.abandoned {
			return false
		}
		if !w.takeLocked() {
			if rechecked {
				return false
			}
			// Often the next task is a moment away, and cheaper to meet here
			// than to start a worker for.
			rechecked = true
			p.seeking++
			w.stint.Begin()
			p.mu.Unlock()
			runtime.Gosched()
			p.lock()
			p.seeking--
			continue
		}
		rechecked = false
		p.unlock()
		w.yield()
		w.step = stepRun
		w.execute()
		for w.advance() {
			w.execute()
		}
		w.finishAndLock()
	}
}

// advance goes on to another of the pool's own tasks without the lock, if it can.
func (w *worker) advance() bool {
	p := w.pool
	if !w.ofPool || w.err != nil {
		return false
	}
	t := p.outlet.next()
	if t == nil && w.streams {
		// Mostly somebody holds the lock, and opens it again. To end this task
		// there would shut it for the next one, who would come there too.
		p.mu.Lock()
		t = p.outlet.next()
		p.mu.Unlock()
	}
	if t == nil {
		return false
	}
	w.unseen()
	w.current.Store(t)
	w.yield()
	return true
}

// takeLocked takes the next slot from the ring, if the worker may.
func (w *worker) takeLocked() bool {
	p := w.pool
	w.scope, w.task = nil, nil
	w.unseen()
	if w.ofPool {
		w.ofPool, w.current = false, atomic.Value{}
	}
	p.grantLocked()
	if !p.mayStartLocked() {
		return false
	}
	if p.root.line.size() == 1 && p.intake.isOpen() {
		p.takeInLocked()
		p.root.openIntakeLocked()
	}
	s, slot := p.rings.pop(&p.spare)
	if s == nil {
		return false
	}
	p.busy++
	w.scope, w.peers = s, p.busy
	switch slot := slot.(type) {
	case Task:
		if w.ofPool = s.isRoot(); w.ofPool {
			w.current.Store(slot)
		} else {
			if w.job = s.ownContext(slot); w.job == nil {
				w.task = slot
			}
		}
	case *job:
		w.job = slot
		slot.takenLocked(p)
	case notice:
		return true
	}
	p.queued--
	p.running++
	s.running++
	if w.ofPool {
		p.openOutletLocked()
		w.streams = p.outlet.isOpen()
	}
	return true
}

// hasTask reports whether the worker has a task, as opposed to a notice or nothing.
func (w *worker) hasTask() bool { return w.task != nil || w.job != nil || w.ofPool }

// slot is the task that the worker has.
func (w *worker) slot() slot {
	switch {
	case w.job != nil:
		return w.job
	case w.ofPool:
		return w.current.Load()
	}
	return w.task
}

// leaveAndUnlock ends a worker, and releases the lock. Another goroutine may use
// the worker from then on, unless Done has given it up.
func (w *worker) leaveAndUnlock() {
	p := w.pool
	switch {
	case !w.abandoned:
		p.active.remove(w)
		w.next, p.idle = p.idle, w
	case w.counted:
		p.active.remove(w)
	} // else it stays in the list of those that Done has yet to count
	p.unlock()
}

// yield lets other goroutines run, if the worker has worked for long enough.
func (w *worker) yield() {
	if !w.stint.Due() {
		return
	}
	now := ticks()
	if w.stint.Pauses(now) {
		runtime.Gosched()
		w.stint.Paused(now, ticks(), w.peers)
	}
}

// execute runs what was taken and sets its fate.
func (w *worker) execute() {
	switch {
	case w.task != nil:
		w.setFate(w.task(w.scope.ctx()))
	case w.ofPool:
		w.setFate(w.current.Load().(Task)(w.scope.ctx()))
	case w.job != nil:
		w.executeJob(w.job)
	default:
		w.pool.callDrained(w.scope)
	}
}

// setFate takes a task's return for its fate.
func (w *worker) setFate(err error) {
	if err == nil {
		w.err, w.fate = nil, FateSucceeded
		return
	}
	w.err, w.fate = sound.Error(err), FateFailed
	if w.pool.phase.Load() == phaseClosed {
		w.fate = FateCanceled
	}
}

// finishAndLock reports the task's end and counts it. It returns with the lock held,
// so that counting one task and taking the next is one critical section.
func (w *worker) finishAndLock() {
	p := w.pool
	if w.step < stepLog && w.fate == FateFailed && w.retryAndLock() {
		return
	}
	if w.step < stepCount && (w.err != nil || p.watched) {
		w.report()
		w.step = stepCount
	}
	if w.job != nil {
		w.job.endLife()
	}
	p.lock()
	w.step = stepNone
	if w.abandoned {
		return
	}
	if w.countLocked(w.fate, w.result) {
		w.stint.Woke()
	}
	w.fate, w.reporting = 0, false
	if w.job != nil { // the rest is cleared if nothing else is taken
		w.job, w.derived = nil, nil
	}
	if w.err != nil || p.watched {
		w.err = nil
		if w.result != nil {
			*w.result = Result{}
		}
	}
}

// report makes the result and shows it to the logger and the hook.
func (w *worker) report() {
	p := w.pool
	if !w.hasTask() {
		return
	}
	ctx := w.endedCtx()
	if w.step < stepHook {
		w.step = stepLog
		if w.result == nil {
			w.result = new(Result)
		}
		*w.result = describe(w.slot(), w.fate, w.err)
		logged, late := w.fate == FateFailed || w.fate == FatePanicked, isLate(w.slot())
		p.lock()
		if w.abandoned {
			p.mu.Unlock()
			return
		}
		w.reporting = true
		if w.fate == FateCanceled || late {
			logged = p.loseLocked(w.slot(), w.fate)
		}
		p.mu.Unlock()
		if logged {
			p.logFailure(ctx, *w.result, late)
		}
	}
	w.step = stepHook
	p.callEnded(ctx, *w.result)
}

// countLocked closes the books on what the worker has: the task's fate, the
// scope's count, and whatever waits for the last one. A result is there if one is
// to be kept or there was an error. It reports whether somebody waited for this.
func (w *worker) countLocked(f Fate, r *Result) (awaited bool) {
	p, s := w.pool, w.scope
	if w.shared != nil {
		w.leaveLifeLocked()
	}
	if !w.hasTask() {
		p.busy--
		p.notices--
	} else {
		w.freeLocked()
		s.live--
		if s.countLocked(f) {
			s.keepLocked(*r)
		}
		if w.job != nil {
			if j := w.job.full(); j != nil {
				j.stoppedLocked(p)
			}
			var err error
			if r != nil {
				err = r.Err
			}
			awaited = w.job.settle(f, err)
			w.job.endInheritance()
		}
		awaited = awaited || s.settled != nil && s.live == 0
		s.liveEndedLocked()
	}
	p.settleLocked()
	return awaited
}

// freeLocked takes back the slot of a task that has run.
func (w *worker) freeLocked() {
	p, s := w.pool, w.scope
	p.running--
	s.running--
	if s.lent <= s.running {
		p.busy--
	} else {
		// A goroutine that the task left behind waits in its name: the slot
		// it lent was this one.
		s.lent--
		p.lent--
	}
}

// ctx is the context that the worker's task is given.
func (w *worker) ctx() context.Context {
	if w.job != nil {
		return w.job.ctx()
	}
	return w.scope.ctx()
}

// caught is deferred once per worker. After a panic the loop is entered again;
// a Goexit cannot be stopped, so a new goroutine takes the worker over.
func (w *worker) caught(again *bool) {
	if w.step == stepNone {
		return
	}
	v := recover()
	if w.step == stepRun {
		if w.fate, w.err = FateFailed, ErrGoexit; v != nil {
			w.fate, w.err = FatePanicked, panicOf(v)
		}
		w.step = stepLog
	} else { // the logger or a hook called Goexit
		w.step++
	}
	if v == nil {
		go w.run()
		runtime.Goexit() // it may have been panic(nil), under GODEBUG=panicnil=1
	}
	*again = true
}
