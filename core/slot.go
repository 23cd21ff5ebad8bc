package taskpool

import (
	"context"
	"sync/atomic"
)

// A slot is one accepted task in a queue: two words, so that a plain func needs
// no allocation. It holds a Task, a Task of one of the staged types below (the
// type is where the condition is kept), a *job, or a notice.
type slot any

type (
	afterResponse Task
	onSuccess     Task
	onFailure     Task
)

// A notice is no task: it has a worker call Hooks.Drained for the scope whose
// queue it stands in.
type notice struct{}

// job is a Job once it is accepted, or a plain task that needs more than its
// func: a context of its own, hooks. There may be many, so its size counts; what
// few have is in a fullJob.
type job struct {
	scope     *scope
	inner     context.Context // whose values it gets; nil for the scope's own
	work      any             // a Task, the func that Async was given, or the *fullJob that this is a part of
	promise   promise         // nil if it is not of Async
	accepted  int64           // ticks; 0 if it is not timed
	started   int64           // ticks of the last run; 0 if it never ran, untimed if it is not timed
	lifeState atomic.Uint32   // see life.go
	fate      Fate            // decided without another run; 0 else
	start     Start
	priority  Priority
}

// A fullJob is a job that has other options than when it starts and how soon, or a
// timeout of its pool's. Start, priority and promise are those of the job.
type fullJob struct {
	job
	Job
	alarm    alarm
	failed   *failedRun // the last one, if it is to run again
	stay     *stay      // in its lane, from its acceptance to its end; nil without one
	attempts int32
	waits    waits
	overrun  bool // it runs on after its timeout
	late     bool // it has failed, and Done leaves no time for another run
}

type failedRun struct {
	err   error
	ended int64 // ticks
}

// waits says what a job's alarm is for.
type waits uint8

const (
	waitsNot waits = iota // a run that may overrun its timeout
	waitsDelay
	waitsRetry
)

// untimed is when a job last started that is not timed.
const untimed = 1

// newJob makes a job of what was submitted. With Async, work is the func that it
// was given; else j.Run. Only what is timed has the clock read for it, which would be
// a fifth of what a future takes. A job with options is.
func (s *scope) newJob(j *Job, work any, of promise, inner context.Context, timed bool) *job {
	var n *job
	if j.light() && s.pool.config.Timeout <= 0 {
		n = &job{work: work}
	} else {
		f := &fullJob{Job: *j}
		f.work, f.alarm.of = f, f
		if f.Run == nil {
			f.async = &async{work, of}
		}
		n = &f.job
	}
	n.scope, n.inner, n.promise = s, s.inherit(inner), of
	n.start, n.priority = j.Start, j.Priority
	if timed {
		n.accepted = ticks()
	}
	return n
}

// full is the job with its options, nil if it has none.
func (j *job) full() *fullJob {
	f, _ := j.work.(*fullJob)
	return f
}

// timed reports whether it is known when the job was accepted and when it started.
func (j *job) timed() bool { return j.accepted != 0 }

// runs is how often the job has run, the run that it is in included.
func (j *job) runs() int {
	switch f := j.full(); {
	case f != nil:
		return int(f.attempts)
	case j.started != 0:
		return 1
	}
	return 0
}

// lastFailed is the job's last run, if that failed and it is to run again.
func (j *job) lastFailed() *failedRun {
	if f := j.full(); f != nil {
		return f.failed
	}
	return nil
}

// lastErr is the error of that run, nil if there is none.
func (j *job) lastErr() error {
	if failed := j.lastFailed(); failed != nil {
		return failed.err
	}
	return nil
}

// run runs the job's func.
func (j *job) run(ctx context.Context) error {
	switch work := j.work.(type) {
	case Task:
		return work(ctx)
	case *fullJob:
		if work.Run != nil {
			return work.Run(ctx)
		}
		return work.async.run(ctx)
	}
	return j.promise.run(ctx, j.work)
}

// submitted is the job as it was submitted. Its Run can be called by anyone.
func (j *job) submitted() Job {
	of := Job{Start: j.start, Priority: j.priority}
	switch work := j.work.(type) {
	case Task:
		of.Run = work
	case *fullJob:
		of = work.Job
	default:
		of.async = &async{work, j.promise}
	}
	if of.Run == nil {
		of.Run = of.async.run
	}
	return of
}

// named gives the name that the job has, and the func that it is named after else.
func (j *job) named() (name string, after any) {
	f := j.full()
	switch {
	case f == nil:
		return "", j.work
	case f.async != nil && f.async.work != nil:
		return f.Name, f.async.work
	}
	return f.Name, f.Run
}

// plainSlot is the slot of a task that needs nothing but its func.
func plainSlot(t Task, start Start) slot {
	switch start {
	case StartAfterResponse:
		return afterResponse(t)
	case StartOnSuccess:
		return onSuccess(t)
	case StartOnFailure:
		return onFailure(t)
	}
	return t
}

// asJob gives back what was added, for those who look into a queue.
func asJob(s slot) (j Job, ok bool) {
	t, job, start := unpack(s)
	if job != nil {
		return job.submitted(), true
	}
	return Job{Run: t, Start: start}, t != nil
}

// unpack gives what is in a slot, a plain task or a job, and when it may start.
func unpack(s slot) (t Task, j *job, start Start) {
	switch s := s.(type) {
	case Task:
		return s, nil, StartNow
	case *job:
		return nil, s, s.start
	case afterResponse:
		return Task(s), nil, StartAfterResponse
	case onSuccess:
		return Task(s), nil, StartOnSuccess
	case onFailure:
		return Task(s), nil, StartOnFailure
	}
	return nil, nil, StartNow
}

// nameOf is the name that a slot is reported by.
func nameOf(s slot) string {
	t, j, _ := unpack(s)
	name, after := "", any(t)
	if j != nil {
		name, after = j.named()
	}
	if name != "" {
		return name
	}
	return funcName(after)
}
