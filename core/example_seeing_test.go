package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// A page or a dump shows what a pool is doing; the poolpage package is one.
func ExamplePool_Snapshot() {
	pool := taskpool.New(taskpool.Config{})
	pool.Pause()
	_ = pool.Submit(
		taskpool.Job{Name: "report", Run: func(context.Context) error { return nil }},
		taskpool.Job{Name: "charge", Run: func(context.Context) error { return nil }, Priority: taskpool.PriorityHigh},
		taskpool.Job{Name: "remind", Run: func(context.Context) error { return nil }, Delay: time.Hour},
	)
	snapshot := pool.Snapshot(10)
	for _, task := range snapshot.Waiting {
		fmt.Println(task.Name, task.State)
	}
	fmt.Println(snapshot.Stats.Accepted, "tasks,", len(snapshot.Running), "running")
	// Output:
	// charge queued
	// report queued
	// remind delayed
	// 3 tasks, 0 running
}

// A task does something else in its last attempt.
func ExampleRunOf() {
	pool := taskpool.New(taskpool.Config{})
	_ = pool.Submit(taskpool.Job{
		Name:  "notify",
		Retry: taskpool.Backoff(2, 0, 0),
		Run: func(ctx context.Context) error {
			run, _ := taskpool.RunOf(ctx)
			fmt.Println(run.Name, "attempt", run.Attempt)
			if run.Attempt < 2 {
				return errors.New("the partner does not answer")
			}
			return nil
		},
	})
	_, _ = pool.Drain(context.Background())
	// Output:
	// notify attempt 1
	// notify attempt 2
}

// One's own log beside what a tracer or a page hooks in.
func ExampleJoinHooks() {
	tracing := taskpool.Hooks{Run: func(ctx context.Context, name string, next taskpool.Task) error {
		fmt.Println("span of", name)
		return next(ctx)
	}}
	log := taskpool.Hooks{Ended: func(_ context.Context, r taskpool.Result) { fmt.Println(r.Name, r.Fate) }}

	pool := taskpool.New(taskpool.Config{Hooks: taskpool.JoinHooks(tracing, log)})
	_ = pool.Submit(taskpool.Job{Name: "receipt", Run: func(context.Context) error { return nil }})
	_, _ = pool.Drain(context.Background())
	// Output:
	// span of receipt
	// receipt succeeded
}
