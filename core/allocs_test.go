package taskpool_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// What a request and an accepted task cost, in allocations and bytes as the allocator rounds
// them: of what a future costs, half is to allocate it and to collect it.
func TestScopesAndJobsAreLight(t *testing.T) {
	skipUnderRace(t)
	task := taskpool.Task(nop)
	retry := taskpool.Backoff(3, time.Second, time.Second)
	one := func(context.Context) (int, error) { return 1, nil }
	hooks := taskpool.Hooks{Ended: func(context.Context, taskpool.Result) {}}
	for _, tt := range []struct {
		name          string
		config        taskpool.Config
		add           func(p *taskpool.Pool, s, inner taskpool.Scope) error
		allocs, bytes uint64
	}{
		{name: "a scope", add: func(p *taskpool.Pool, _, _ taskpool.Scope) error {
			_, s := begin(p, context.Background())
			s.Returned(taskpool.Outcome{})
			return nil
		}, allocs: 1, bytes: 288},
		{name: "a plain task", add: func(_ *taskpool.Pool, s, _ taskpool.Scope) error {
			return s.Add(task)
		}},
		{name: "a future of a pool", add: func(p *taskpool.Pool, _, _ taskpool.Scope) error {
			taskpool.Async(p, one)
			return nil
		}, allocs: 2, bytes: 48 + 80},
		{name: "a future of a scope", add: func(_ *taskpool.Pool, s, _ taskpool.Scope) error {
			taskpool.Async(s, one)
			return nil
		}, allocs: 3, bytes: 48 + 80 + 24}, // the Scope is made an Adder
		{name: "a staged future with an inner context", add: func(_ *taskpool.Pool, _, inner taskpool.Scope) error {
			_, err := taskpool.AsyncJob(inner, taskpool.Job{Start: taskpool.StartOnSuccess, Priority: taskpool.PriorityLow}, one)
			return err
		}, allocs: 3, bytes: 48 + 80 + 24},
		{name: "a future with a name", add: func(p *taskpool.Pool, _, _ taskpool.Scope) error {
			_, err := taskpool.AsyncJob(p, taskpool.Job{Name: "one", Retry: retry}, one)
			return err
		}, allocs: 3, bytes: 48 + 32 + 224},
		{name: "a plain task with an inner context", add: func(_ *taskpool.Pool, _, inner taskpool.Scope) error {
			return inner.AfterResponse(task)
		}, allocs: 1, bytes: 80},
		{name: "a plain task that a hook sees", config: taskpool.Config{Hooks: hooks}, add: func(p *taskpool.Pool, _, _ taskpool.Scope) error {
			return p.Add(task)
		}, allocs: 1, bytes: 80},
		{name: "a job without options", add: func(p *taskpool.Pool, _, _ taskpool.Scope) error {
			return p.Submit(taskpool.Job{Run: task})
		}, allocs: 1, bytes: 80},
		{name: "a job with options", add: func(p *taskpool.Pool, _, _ taskpool.Scope) error {
			return p.Submit(taskpool.Job{Run: task, Name: "job", Retry: retry, Timeout: time.Second})
		}, allocs: 1, bytes: 224},
		{name: "a job with a lane", add: func(p *taskpool.Pool, _, _ taskpool.Scope) error {
			return p.Submit(taskpool.Job{Run: task, Lane: "lane"})
		}, allocs: 2, bytes: 256},
		{name: "a plain task with a timeout", config: taskpool.Config{Timeout: time.Second}, add: func(p *taskpool.Pool, _, _ taskpool.Scope) error {
			return p.Add(task)
		}, allocs: 1, bytes: 224},
	} {
		c := tt.config
		c.QueueLimit = -1
		p := newPool(c)
		_, many := begin(p, t.Context())
		must(t, many.Add(repeat(2000, task)...)) // fills the free list of chunks: none is to be counted
		finish(many, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		drain(t, p)
		ctx, s := begin(p, t.Context())
		inner := taskpool.FromContext(withUser(ctx, "ann"))
		p.Pause() // no worker is started
		allocs, bytes := allocated(func() { must(t, tt.add(p, s.Scope, inner)) })
		if allocs != tt.allocs || bytes != tt.bytes {
			t.Errorf("%s: got %d allocations of %d bytes in all, want %d of %d", tt.name, allocs, bytes, tt.allocs, tt.bytes)
		}
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		done(t, p)
	}
}

// allocated is what a call of f allocates, without what is after the point.
func allocated(f func()) (allocs, bytes uint64) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // what others allocate is not to be counted
	const runs = 1000
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.Mallocs - before.Mallocs) / runs, (after.TotalAlloc - before.TotalAlloc) / runs
}
