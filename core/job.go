package taskpool

import (
	"context"
	"fmt"
	"time"
)

// A Task is one unit of work. Its context has the values of the request's and
// lives as long as the task may: see [Scope]. A task that returns an error has
// failed; so has one that panics, which harms nobody else.
type Task func(ctx context.Context) error

// A Job is a task with its options. The zero value of each field is its default.
//
// A Timeout cancels the context of the run; [context.Cause] says so, with an
// error that is [context.DeadlineExceeded]. It stops nothing by force: a task
// that does not heed its context keeps its worker, and what it returns counts.
// One that overruns its Timeout by a second is logged, and counted in
// Stats.Overrun until it returns.
type Job struct {
	Run      Task          // the work; nil is refused with ErrNilTask
	Name     string        // in reports, hooks and logs; empty: the name of the function in Run, and its line if it is written inside another
	Start    Start         // when it may start; anything but StartNow needs a scope
	Priority Priority      // higher first; default PriorityNormal
	Delay    time.Duration // not before this long after its release; 0 means none, negative is refused
	Timeout  time.Duration // of one run; 0 means Config.Timeout, negative means none
	Retry    Retry         // whether a run that failed is repeated; nil means one run
	Lane     string        // tasks that share a limit or a pace; empty is none, one that is neither in Config.Lanes nor made by Config.NewLane has no limit of its own

	async *async // of AsyncJob, where a Job has to carry it
}

// Priority says which of the tasks that wait goes first. Nothing starves: of every 16
// starts one is that of a normal task, if one waits, and of every 64 that of a low
// one, or the next at which its lane has room.
type Priority int8

// The priorities.
const (
	PriorityLow    Priority = -1
	PriorityNormal Priority = 0
	PriorityHigh   Priority = 1
)

var priorityNames = [...]string{"low", "normal", "high"}

// String names the priority, such as "high".
func (p Priority) String() string { return enumName("Priority", priorityNames[:], int(p)+1) }

// MarshalText gives the same text as String; an unknown value is an error.
func (p Priority) MarshalText() ([]byte, error) {
	return enumText("Priority", priorityNames[:], int(p)+1)
}

func (p Priority) level() level { return level(1 - p) }

// Start says when a job may start.
type Start uint8

// The times at which a job may start. All but StartNow stage it: it takes its
// place in the queue limit at once and is held until the response is sent.
const (
	StartNow           Start = iota // as soon as a worker is free, beside the handler
	StartAfterResponse              // once the response is sent, whatever the outcome
	StartOnSuccess                  // once the response is sent, if the request succeeded; else it is discarded
	StartOnFailure                  // once the response is sent, if the request failed; else it is discarded
)

var startNames = [...]string{"now", "after response", "on success", "on failure"}

// String names the start in words, such as "on success".
func (s Start) String() string { return enumName("Start", startNames[:], int(s)) }

// MarshalText gives the same text as String; an unknown value is an error.
func (s Start) MarshalText() ([]byte, error) { return enumText("Start", startNames[:], int(s)) }

func enumName(kind string, names []string, i int) string {
	if i < 0 || i >= len(names) || names[i] == "" {
		return fmt.Sprintf("%s(%d)", kind, i)
	}
	return names[i]
}

func enumText(kind string, names []string, i int) ([]byte, error) {
	if i < 0 || i >= len(names) || names[i] == "" {
		return nil, fmt.Errorf("taskpool: unknown %s %d", kind, i)
	}
	return []byte(names[i]), nil
}

// check refuses what could never run.
func (j *Job) check() error {
	if j.Run == nil {
		return ErrNilTask
	}
	return j.checkOptions()
}

func (j *Job) checkOptions() error {
	if int(j.Start) >= len(startNames) {
		return fmt.Errorf("%w: unknown Start %d", ErrBadJob, j.Start)
	}
	if j.Priority < PriorityLow || j.Priority > PriorityHigh {
		return fmt.Errorf("%w: unknown Priority %d", ErrBadJob, j.Priority)
	}
	if j.Delay < 0 {
		return fmt.Errorf("%w: a negative Delay, %v", ErrBadJob, j.Delay)
	}
	return nil
}

// nthTask says which task of a call err speaks of, if that is a question.
func nthTask(i, of int, name string, err error) error {
	switch {
	case of > 1 && name != "":
		return fmt.Errorf("%w (task %q, number %d of %d)", err, name, i+1, of)
	case of > 1:
		return fmt.Errorf("%w (task number %d of %d)", err, i+1, of)
	case name != "":
		return fmt.Errorf("%w (task %q)", err, name)
	}
	return err
}

// light reports whether the job has nothing that few jobs have: a job that says no
// more than what to run and when is a third of the size of others.
func (j *Job) light() bool {
	return j.Name == "" && j.Lane == "" && j.Delay == 0 && j.Timeout == 0 && j.Retry == nil && j.async == nil
}

// ticks is the clock of everything here that measures: nanoseconds since the
// package was loaded, read at half the cost of time.Now. They begin at a large
// number and so are never 0 or less: the clock of a synctest bubble stands in the
// year 2000.
func ticks() int64 { return 1<<61 + int64(time.Since(epoch)) }

var epoch = time.Now()

// later is the tick that lies d after another. What is more than a century away
// counts as that: the sum would overflow.
func later(tick int64, d time.Duration) int64 {
	const century = 100 * 365 * 24 * time.Hour
	return tick + int64(min(d, century))
}
