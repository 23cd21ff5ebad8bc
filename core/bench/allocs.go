package bench

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// The allocations are the engine's alone. The pool is paused while they are
// counted, so that no worker is spawned, and run afterwards.

// addAllocs is the allocations of Add of a prepared func, a chunk of the queue
// now and then included.
func addAllocs(r Run) (float64, error) {
	var t task
	run := taskpool.Task(t.runContext)
	p := taskpool.New(taskpool.Config{Workers: 1, QueueLimit: -1})
	p.Pause()
	n := r.size(100_000)
	got := allocs(n, func() { must(p.Add(run)) })
	return got, ended(p, n, &t)
}

// scopeAllocs is the allocations of a scope with four tasks.
func scopeAllocs(r Run) (float64, error) {
	var t task
	run := taskpool.Task(t.runContext)
	p := taskpool.New(taskpool.Config{Workers: 1, QueueLimit: -1})
	p.Pause()
	n := r.size(20_000)
	got := allocs(n, func() {
		_, s := p.Begin(context.Background())
		must(s.Add(run))
		must(s.AfterResponse(run))
		must(s.OnSuccess(run, run))
		s.Returned(taskpool.Outcome{Status: 200})
		s.Sent(taskpool.Flushed)
	})
	return got, ended(p, 4*n, &t)
}

// requestAllocs is what the net/http middleware allocates for a request that
// adds no task.
func requestAllocs(r Run) (float64, error) {
	p := taskpool.New(taskpool.Config{})
	h := httppool.Middleware(p)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w, req := discard{http.Header{}}, httptest.NewRequest(http.MethodGet, "/", nil)
	return allocs(r.size(20_000), func() { h.ServeHTTP(w, req) }), nil
}

// ended runs what waits in a paused pool, and checks that it was the task, n
// times.
func ended(p *taskpool.Pool, n int, t *task) error {
	_, err := p.Done(context.Background())
	if got := int(t.ran); err == nil && got != n {
		err = fmt.Errorf("the task ran %d times, want %d", got, n)
	}
	return err
}

// allocs is how many allocations a call of f makes.
func allocs(n int, f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

// discard is the least that a ResponseWriter can be.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
