package pooltest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
)

// placeOrder is a handler to be tested; what it stages depends on the outcome.
func placeOrder(ctx context.Context, stock int) error {
	tasks := taskpool.FromContext(ctx)
	err := tasks.Submit(
		taskpool.Job{Name: "receipt", Start: taskpool.StartOnSuccess, Run: func(context.Context) error { return nil }},
		taskpool.Job{Name: "alert", Start: taskpool.StartOnFailure, Run: func(context.Context) error { return nil }},
	)
	if err == nil && stock == 0 {
		err = errors.New("out of stock")
	}
	return err
}

// What a handler has staged, and what became of it.
func ExampleRecorder() {
	test := func(t testing.TB) {
		tasks := pooltest.NewRecorder(t)
		tasks.Pause()
		err := taskpool.Handle(context.Background(), tasks, func(ctx context.Context) error { return placeOrder(ctx, 1) })
		fmt.Println("answered:", err)
		for _, j := range tasks.Pending() {
			fmt.Println("waits:", j.Name)
		}
		for _, r := range tasks.Run().Results {
			fmt.Println(r.Name, r.Fate)
		}
	}
	run(test) // go test does this
	// Output:
	// answered: <nil>
	// waits: receipt
	// alert discarded
	// receipt succeeded
}
