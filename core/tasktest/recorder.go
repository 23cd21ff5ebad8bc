package tasktest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// A Recorder is a pool for one test, which remembers what became of every task that it
// accepted. It is a taskpool.Source: pass it to the middleware in place of the pool, to
// Serve, or to taskpool.Handle. Code that wants a *taskpool.Pool gets its Pool, whose
// tasks it sees as well.
//
// NewRecorder makes it; the zero value is not usable. It is safe for concurrent use,
// but for Wait, WaitFor and Advance, which belong on the test's own goroutine, as they
// may end the test.
type Recorder struct {
	*taskpool.Pool // its methods too: Submit, Stats, Done

	t       testing.TB
	bubble  bool
	paused  atomic.Bool
	mu      sync.Mutex
	open    []taskpool.Scope  // of requests whose handlers may not have returned
	results []taskpool.Result // in the order in which tasks ended
	changed chan struct{}     // closed when the next task ends
}

// limit is how long nothing may happen, outside of a bubble, until Wait gives up, and
// how long the tasks that are left at the end of a test may take.
const limit = 10 * time.Second

// NewRecorder makes a Recorder of a pool with that configuration, but for two defaults:
// with Workers 0 it has one worker, so that tasks run one after the other, in their
// order; with Logger nil it logs to the test's output.
//
// When the test ends, what runs is waited for, and the test fails for each task that
// was accepted and cannot run any more: captured by Pause, delayed, staged in a request
// that is not over.
func NewRecorder(t testing.TB, c taskpool.Config) *Recorder {
	r := &Recorder{t: t, bubble: inBubble(), changed: make(chan struct{})}
	if c.Workers == 0 {
		c.Workers = 1
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	// Last, so that nothing but the count of the task follows what this notes.
	c.Hooks = taskpool.JoinHooks(c.Hooks, taskpool.Hooks{Ended: r.ended})
	r.Pool = taskpool.New(c)
	t.Cleanup(r.end)
	return r
}

// Begin implements taskpool.Source.
func (r *Recorder) Begin(ctx context.Context) (context.Context, taskpool.Exchange) {
	ctx, x := r.Pool.Begin(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = append(r.open, x.Scope())
	return ctx, x
}

// Pause captures tasks: they are accepted, and none starts before Resume, Wait or
// WaitFor. A handler that awaits a task would wait for ever.
func (r *Recorder) Pause() {
	r.paused.Store(true)
	r.Pool.Pause()
}

// Resume lets the tasks start that Pause has captured.
func (r *Recorder) Resume() {
	r.paused.Store(false)
	r.Pool.Resume()
}

// Waiting returns the tasks that wait now, in the order in which they are to start as
// far as that is known: captured by Pause, staged until a response is sent, delayed,
// in a lane, or for another run. If names are given it returns those of that name
// alone. It waits for nothing.
func (r *Recorder) Waiting(names ...string) []taskpool.TaskInfo {
	return slices.DeleteFunc(r.Snapshot(math.MaxInt).Waiting, func(task taskpool.TaskInfo) bool {
		return len(names) > 0 && !slices.Contains(names, task.Name)
	})
}

// Ended returns what became of the tasks that have ended until now, in the order in
// which they did: those of the names given, or all. It waits for nothing: call it
// after Wait or Advance.
func (r *Recorder) Ended(names ...string) []taskpool.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.results), func(result taskpool.Result) bool {
		return len(names) > 0 && !slices.Contains(names, result.Name)
	})
}

// Wait lets the tasks run, delays and retries included, and waits until every handler
// has returned and every task has ended. The report has all results since NewRecorder;
// its Err is nil if no task failed.
//
// A client may have the whole response of a server before the handler has returned,
// and before what it staged starts: Wait waits for both.
//
// Outside of a bubble it fails the test if for 10 s no task ends, and says what is left.
func (r *Recorder) Wait() taskpool.Report {
	r.t.Helper()
	r.Resume()
	r.until(r.idle)
	var report taskpool.Report
	report.Results = r.Ended()
	for _, result := range report.Results {
		switch result.Fate {
		case taskpool.FateSucceeded:
			report.Succeeded++
		case taskpool.FateFailed:
			report.Failed++
		case taskpool.FatePanicked:
			report.Panicked++
		case taskpool.FateDiscarded:
			report.Discarded++
		case taskpool.FateCanceled:
			report.Canceled++
		case taskpool.FateAbandoned:
			report.Abandoned++
		}
	}
	return report
}

// WaitFor lets the tasks run, waits until one of that name has ended, and returns what
// became of the first that has. It does not wait for the others.
//
// It fails the test if there is none and none can come, since every handler has
// returned and every task has ended, and where Wait does.
func (r *Recorder) WaitFor(name string) taskpool.Result {
	r.t.Helper()
	r.Resume()
	r.until(func() bool { return len(r.Ended(name)) > 0 || r.idle() })
	found := r.Ended(name)
	if len(found) == 0 {
		r.t.Fatalf("tasktest: no task %q was accepted: there were %s", name, r.seen())
	}
	return found[0]
}

// Advance lets d of the time of a bubble of testing/synctest pass, and what is due in it
// run, until all that is left waits for a later time or for the test. It fails the test
// outside of a bubble.
func (r *Recorder) Advance(d time.Duration) {
	r.t.Helper()
	if !r.bubble {
		r.t.Fatal("tasktest: Advance needs the time of a bubble: call NewRecorder and it inside of synctest.Test")
	}
	time.Sleep(d)
	synctest.Wait()
}

// ended is the hook.
func (r *Recorder) ended(_ context.Context, result taskpool.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, result)
	close(r.changed)
	r.changed = make(chan struct{})
}

// until waits until something is so. It asks again when a task has ended; while all have
// and a handler has not returned, of which nothing tells, from time to time.
func (r *Recorder) until(so func() bool) {
	r.t.Helper()
	patience, longest := limit, 100*time.Millisecond
	if r.bubble {
		patience = 100 * 365 * 24 * time.Hour // what else is to come is earlier: time passes when nothing can run
		longest = patience
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, longest) {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if so() {
			return
		}
		var again <-chan time.Time
		if r.allEnded() {
			again = time.After(pause)
		}
		select {
		case <-changed:
			late.Reset(patience)
		case <-again:
		case <-late.C:
			r.t.Fatalf("tasktest: no task has ended for %v, and this is left: %s", patience, r.left())
		}
	}
}

// idle reports whether all handlers have returned and all tasks have ended.
func (r *Recorder) idle() bool {
	return r.allEnded() && !r.handling() && r.allEnded() // what a handler added in between counts
}

// allEnded reports whether every task that was accepted has ended and is counted.
func (r *Recorder) allEnded() bool {
	for {
		r.mu.Lock()
		ended := len(r.results) // before the number of those accepted
		r.mu.Unlock()
		stats := r.Stats()
		switch {
		case stats.Accepted != uint64(ended):
			return false
		case stats.Running+stats.Queued+stats.Staged+stats.Delayed+stats.Retrying == 0:
			return true
		}
		runtime.Gosched() // the worker has called the hook, and counts the task next
	}
}

// handling reports whether a handler has not returned. Where all tasks have ended only
// that keeps a scope open.
func (r *Recorder) handling() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = slices.DeleteFunc(r.open, func(s taskpool.Scope) bool {
		err := s.Add() // nothing: that is refused if the scope is closed
		return errors.Is(err, taskpool.ErrScopeClosed) || errors.Is(err, taskpool.ErrDone)
	})
	return len(r.open) > 0
}

// end is called when the test has ended.
func (r *Recorder) end() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	unrun, running := map[string]int{}, map[string]int{}
	captured := r.paused.Load()
	if captured { // it is not waited for, and Done may let some of it begin
		cancel()
		for _, task := range r.Waiting() {
			unrun[task.Name]++
		}
	}
	before := len(r.Ended())
	_, _ = r.Done(ctx) // what it cuts is named here
	for _, result := range r.Ended()[before:] {
		switch {
		case result.Fate == taskpool.FateCanceled && result.Attempts == 0:
			if !captured {
				unrun[result.Name]++
			}
		case result.Fate == taskpool.FateCanceled, result.Fate == taskpool.FateAbandoned:
			running[result.Name]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unrun)) {
		r.t.Errorf("tasktest: %d × %q accepted and not run: call Recorder.Wait, in a bubble if it is delayed", unrun[name], name)
	}
	for _, name := range slices.Sorted(maps.Keys(running)) {
		r.t.Errorf("tasktest: %d × %q still running after the test", running[name], name)
	}
}

// left says what has not ended.
func (r *Recorder) left() string {
	now := r.Snapshot(math.MaxInt)
	var all []string
	for _, task := range slices.Concat(now.Running, now.Waiting) {
		text := fmt.Sprintf("%q is %v", task.Name, task.State)
		if !task.Due.IsZero() {
			text += fmt.Sprintf(" for %v", time.Until(task.Due).Round(time.Millisecond))
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		return "a handler that has not returned"
	}
	return strings.Join(all, ", ")
}

// seen names the tasks that there have been.
func (r *Recorder) seen() string {
	var names []string
	for _, result := range r.Ended() {
		names = append(names, fmt.Sprintf("%q", result.Name))
	}
	if len(names) == 0 {
		return "none at all"
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// inBubble reports whether this is a bubble of testing/synctest, whose clock begins in
// the year 2000 (its documentation, "Time"). To ask synctest.Wait, which panics outside
// of one, would wait for whatever else is in the bubble.
func inBubble() bool { return time.Now().Year() < 2025 }
