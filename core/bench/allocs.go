package bench

import (
	"context"
	"fmt"
	"runtime"

	taskpool "github.com/elite-libs/taskpool/core"
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
		_, x := p.Begin(context.Background())
		s := x.Scope()
		must(s.Add(run))
		must(s.AfterResponse(run))
		must(s.OnSuccess(run, run))
		x.Returned(taskpool.Outcome{Status: 200})
		x.Sent(taskpool.ReleaseFlushed)
	})
	return got, ended(p, 4*n, &t)
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
