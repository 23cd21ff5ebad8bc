package taskpool

import (
	"context"
	"time"
)

// A Run is what a task can know of the run that it is in.
type Run struct {
	Name     string        // the job's name, or the name of its function; empty for a plain task that no hook watches
	Lane     string        // empty: none
	Start    Start         // what it was staged for
	Priority Priority      // PriorityNormal if it is not a Job
	Attempt  int           // from 1
	Waited   time.Duration // from acceptance to the start of this run; measured as Result.Waited is
}

// RunOf tells of the run that ctx was given to, or that ctx is derived from: for
// logs, for spans, for a task that does something else in its last attempt. It is false
// for a context that is no task's.
//
// What was given to Add, AfterResponse, OnSuccess or OnFailure is a plain task,
// which costs less because nothing is noted of it: unless Config has a Timeout,
// Hooks.Run or Hooks.Ended, it need not be told more than its attempt, which is the first.
func RunOf(ctx context.Context) (r Run, ok bool) {
	if ctx == nil || taskOf(ctx) == nil {
		return Run{}, false
	}
	j, is := ctx.Value(jobKey{}).(*job)
	switch {
	case !is: // a hook's that is called for no task
		return Run{}, false
	case j == nil: // a plain task's
		return Run{Attempt: 1}, true
	}
	r = Run{
		Name: nameOf(j), Start: j.start, Priority: j.priority,
		Attempt: j.runs(),
	}
	if j.timed() {
		r.Waited = time.Duration(j.started - j.accepted)
	}
	if f := j.full(); f != nil {
		r.Lane = f.Lane
	}
	return r, true
}
