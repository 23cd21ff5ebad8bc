package taskpool_test

import (
	"context"
	"fmt"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// On a platform that freezes the process between invocations, an invocation is
// held until its tasks have ended.
func ExampleHold() {
	pool := taskpool.New(taskpool.Config{})
	held := taskpool.Hold(pool, taskpool.HoldOptions{Limit: 10 * time.Second})

	err := taskpool.Handle(context.Background(), held, func(ctx context.Context) error {
		fmt.Println("the invocation")
		return taskpool.FromContext(ctx).OnSuccess(func(context.Context) error {
			fmt.Println("its task")
			return nil
		})
	})
	fmt.Println("may be frozen:", err)
	// Output:
	// the invocation
	// its task
	// may be frozen: <nil>
}

// Of each request one task runs at a time, and requests do not wait for each
// other's tasks.
func ExamplePerRequest() {
	source := taskpool.PerRequest(taskpool.Config{Workers: 1})
	for _, name := range []string{"a", "b"} {
		_ = taskpool.Handle(context.Background(), source, func(ctx context.Context) error {
			fmt.Println(name, "has", taskpool.FromContext(ctx).Pool().Stats().Workers, "worker")
			return taskpool.FromContext(ctx).OnSuccess(func(context.Context) error { return nil })
		})
	}
	report, err := source.Done(context.Background())
	fmt.Println(report.Succeeded, "tasks succeeded,", err)
	// Output:
	// a has 1 worker
	// b has 1 worker
	// 2 tasks succeeded, <nil>
}
