package taskpool

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Fate is what became of an accepted task. Every accepted task gets exactly one.
type Fate uint8

// The fates.
const (
	FateSucceeded Fate = iota + 1 // it returned nil
	FateFailed                    // it returned an error, or called runtime.Goexit
	FatePanicked                  // it panicked
	FateDiscarded                 // staged for an outcome that did not come
	FateCanceled                  // Done ran out of time before it started, or it gave up with an error when its context was canceled then
	FateAbandoned                 // Done ran out of time and the task did not return within a second
)

var fateNames = [...]string{"", "succeeded", "failed", "panicked", "discarded", "canceled", "abandoned"}

// String names the fate, such as "succeeded".
func (f Fate) String() string { return enumName("Fate", fateNames[:], int(f)) }

// MarshalText gives the same text as String; an unknown value is an error.
func (f Fate) MarshalText() ([]byte, error) { return enumText("Fate", fateNames[:], int(f)) }

// tally counts fates; the index is the Fate.
type tally[N uint8 | uint64] [len(fateNames)]N

// A Result is what became of one task.
type Result struct {
	Name     string // the job's name, or the name of its function
	Lane     string // empty: none
	Priority Priority
	Fate     Fate
	Err      error         // nil if it succeeded or was discarded
	Value    any           // of Async, under KeepAll
	Attempts int           // how many times it ran
	Waited   time.Duration // from acceptance to the start of its last run; measured for Submit and AsyncJob, and when Config has a Timeout, Hooks.Run or Hooks.Ended, else 0
	Ran      time.Duration // how long its last run took; measured as Waited is
}

// Results says which results a Report keeps. Its counts are exact whatever is
// kept.
type Results uint8

// What a Report keeps, up to Config.ResultLimit.
const (
	KeepErrors Results = iota // all but FateSucceeded and FateDiscarded
	KeepNone                  // none
	KeepAll                   // all
)

var resultsNames = [...]string{"errors", "none", "all"}

// String names the choice, such as "errors".
func (r Results) String() string { return enumName("Results", resultsNames[:], int(r)) }

// MarshalText gives the same text as String; an unknown value is an error.
func (r Results) MarshalText() ([]byte, error) { return enumText("Results", resultsNames[:], int(r)) }

// keeps reports whether a result of that fate is kept. An unknown value of
// Results is taken for the zero one.
func (r Results) keeps(f Fate) bool {
	switch r {
	case KeepNone:
		return false
	case KeepAll:
		return true
	}
	return f != FateSucceeded && f != FateDiscarded
}

// A Report says what became of the tasks that were waited for.
type Report struct {
	Succeeded, Failed, Panicked, Discarded, Canceled, Abandoned int

	// Results are in the order in which the tasks ended: a scope keeps its
	// first Config.ResultLimit, a pool its latest.
	Results []Result
	Omitted int     // results that were to be kept and did not fit
	Outcome Outcome // of a scope, once the response is sent
}

// Err joins the errors of the results; it is nil if no task failed, panicked,
// was canceled or abandoned. If results are missing (Omitted, KeepNone) it says
// how many tasks it speaks for without naming them.
func (r Report) Err() error {
	var errs []error
	for _, res := range r.Results {
		if res.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", res.Name, res.Err))
		}
	}
	if bad := r.Failed + r.Panicked + r.Canceled + r.Abandoned; bad > len(errs) {
		errs = append(errs, fmt.Errorf("taskpool: %d tasks did not succeed whose results were not kept", bad-len(errs)))
	}
	return errors.Join(errs...)
}

func (r *Report) count(f Fate, n int) {
	switch f {
	case FateSucceeded:
		r.Succeeded = n
	case FateFailed:
		r.Failed = n
	case FatePanicked:
		r.Panicked = n
	case FateDiscarded:
		r.Discarded = n
	case FateCanceled:
		r.Canceled = n
	case FateAbandoned:
		r.Abandoned = n
	}
}

// describe makes the result of the task in a slot that has run, or of a job,
// which ends now.
func describe(slot slot, f Fate, err error) Result {
	r := Result{Name: nameOf(slot), Fate: f, Err: err, Attempts: 1}
	j, ok := slot.(*job)
	if !ok {
		return r
	}
	r.Priority, r.Attempts = j.priority, j.runs()
	if full := j.full(); full != nil {
		r.Lane = full.Lane
	}
	if j.promise != nil && f == FateSucceeded {
		r.Value = j.promise.result()
	}
	if j.timed() {
		r.Waited, r.Ran = j.times()
	}
	return r
}

// times is how long a job that ends now has waited, and how long its last run took.
func (j *job) times() (waited, ran time.Duration) {
	ended := ticks()
	if j.started == 0 {
		return time.Duration(ended - j.accepted), 0
	}
	if failed := j.lastFailed(); failed != nil {
		ended = failed.ended
	}
	return time.Duration(j.started - j.accepted), time.Duration(ended - j.started)
}

// describeUnrun is describe for a task that never ran.
func describeUnrun(slot slot, f Fate, err error) Result {
	r := describe(slot, f, err)
	if _, ok := slot.(*job); !ok {
		r.Attempts = 0
	}
	return r
}

// A resultRing keeps the last of the results put into it.
type resultRing struct {
	results []Result
	first   int // where the oldest is
	omitted int
}

func (l *resultRing) put(r Result, limit int) {
	if len(l.results) < limit {
		l.results = append(l.results, r)
		return
	}
	l.omitted++
	if limit > 0 {
		l.results[l.first] = r
		l.first = (l.first + 1) % limit
	}
}

// report fills in these results, and the fates since an earlier count. Here and
// where it is called a Report is handed on by its address: the last worker fills
// it in, and the stack of a goroutine that has just begun would grow for a few
// copies.
func (l *resultRing) report(r *Report, fates, since *tally[uint64]) {
	r.Results, r.Omitted = slices.Concat(l.results[l.first:], l.results[:l.first]), l.omitted
	for f := range fates {
		r.count(Fate(f), int(fates[f]-since[f]))
	}
}
