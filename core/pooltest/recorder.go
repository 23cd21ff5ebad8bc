package pooltest

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"testing"

	"github.com/elite-libs/taskpool/core"
)

// A Recorder is a taskpool.Source for the tests of handlers: they see what a
// handler staged, and let it run. It is a pool with one worker, so that tasks
// run one after the other in their order; its log is the test's. Pass it to the
// middleware in place of the pool, or to taskpool.Handle, and serve the handler
// with a httptest.ResponseRecorder or a server, as you like:
//
//	tasks := pooltest.NewRecorder(t)
//	tasks.Pause() // capture what is added; without it tasks run as they are released
//	httppool.Middleware(tasks)(handler).ServeHTTP(httptest.NewRecorder(), request)
//	… tasks.Pending() has what waits to run
//	… tasks.Run() lets it run and says what became of it
//
// A handler that awaits a task needs a Recorder that is not paused. It works in a
// bubble of testing/synctest, where a delay of a day takes no time: make it within
// the bubble, as any pool. It is safe for concurrent use. Make one for each test,
// with NewRecorder: its zero value is not usable.
type Recorder struct {
	*taskpool.Pool // its methods too: Pause, Resume, Stats

	mu     sync.Mutex
	scopes []taskpool.Scope
}

// NewRecorder makes a Recorder. When the test ends, what has not ended is
// canceled, and the test fails if that was accepted and never let run.
func NewRecorder(t testing.TB) *Recorder {
	r := &Recorder{Pool: taskpool.New(taskpool.Config{
		Workers:     1,
		QueueLimit:  -1,
		Results:     taskpool.KeepAll,
		ResultLimit: math.MaxInt,
		Logger:      slog.New(slog.NewTextHandler(t.Output(), nil)),
	})}
	t.Cleanup(func() {
		t.Helper()
		for _, j := range r.Pending() {
			t.Errorf("pooltest: task %q was accepted and did not run: call Recorder.Run", j.Name)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = r.Done(ctx) // what it cut has just been named
	})
	return r
}

// Begin implements taskpool.Source.
func (r *Recorder) Begin(ctx context.Context) (context.Context, taskpool.Exchange) {
	inner, x := r.Pool.Begin(ctx)
	if inner != ctx { // else a scope was joined, which is known
		r.mu.Lock()
		defer r.mu.Unlock()
		r.scopes = append(r.scopes, x.Scope())
	}
	return inner, x
}

// Pending returns the jobs of all requests that wait: staged, queued while the
// Recorder is paused, delayed or for another run. Those of one request are
// together, the requests in the order in which they began.
func (r *Recorder) Pending() []taskpool.Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	var jobs []taskpool.Job
	for _, s := range r.scopes {
		jobs = append(jobs, s.Pending()...)
	}
	return jobs
}

// Run lets the tasks run that have been released, delays and retries included,
// waits until all have ended, and reports every one that has since the last Run.
// What waits for a response is not waited for.
func (r *Recorder) Run() taskpool.Report {
	r.Resume()
	report, _ := r.Drain(context.Background()) // it could only be superseded, by another Run
	return report
}
