// Package ignored has refusals that nobody looks at.
package ignored

import (
	"context"
	"sync"

	taskpool "github.com/elite-libs/taskpool/core"
)

var pool = taskpool.New()

func task(ctx context.Context) error            { return nil }
func value(ctx context.Context) (int, error)    { return 0, nil }
func check(err error)                           {}
func scoped(ctx context.Context) taskpool.Scope { return taskpool.FromContext(ctx) }

type server struct{ *taskpool.Pool }

func faults(ctx context.Context, s server, to taskpool.Adder) {
	pool.Add(task)              // want `the error of Pool.Add is ignored, and with it a refusal, after which the work never runs: handle it, or assign it to _`
	pool.Submit(taskpool.Job{}) // want `the error of Pool.Submit is ignored`
	(pool.Add(task))            // want `Pool.Add`
	s.Add(task)                 // want `Pool.Add`
	scope := taskpool.FromContext(ctx)
	scope.Add(task)                                     // want `Scope.Add`
	scope.AfterResponse(task)                           // want `Scope.AfterResponse`
	scope.OnSuccess(task)                               // want `Scope.OnSuccess`
	scope.OnFailure(task)                               // want `Scope.OnFailure`
	scope.Submit(taskpool.Job{})                        // want `Scope.Submit`
	scoped(ctx).OnSuccess(task)                         // want `Scope.OnSuccess`
	to.Submit(taskpool.Job{Run: task})                  // want `Adder.Submit`
	taskpool.AsyncJob(pool, taskpool.Job{}, value)      // want `AsyncJob`
	taskpool.AsyncJob[int](pool, taskpool.Job{}, value) // want `AsyncJob`
	go pool.Add(task)                                   // want `Pool.Add`
	defer scope.Add(task)                               // want `Scope.Add`
	if ctx != nil {
		func() { pool.Add(task) }() // want `Pool.Add`
	}
}

type set struct{}

func (set) Add(tasks ...taskpool.Task) error { return nil }
func (set) OnSuccess(fn func())              {}

func quiet(ctx context.Context) error {
	scope := taskpool.FromContext(ctx)
	_ = pool.Add(task)
	_ = scope.OnSuccess(task)
	_, _ = taskpool.AsyncJob(pool, taskpool.Job{}, value)
	p, _ := taskpool.AsyncJob(pool, taskpool.Job{}, value)
	p.Await(ctx)
	taskpool.Async(pool, value)
	check(pool.Add(task))
	if err := scope.Add(task); err != nil {
		return err
	}
	switch pool.Submit() {
	case nil:
	}
	scope.Fail(nil)
	scope.Drain(ctx)
	pool.Resize(1)
	pool.Done(ctx)
	var wg sync.WaitGroup
	wg.Add(1)
	set{}.Add(task)
	set{}.OnSuccess(func() {})
	err := pool.Add(task)
	return err
}
