package tasktest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/tasktest"
)

// test stands for the testing package, which runs tests in Examples too.
func test(f func(t testing.TB)) { fmt.Print(run(f)) }

// What became of what a handler has staged.
func ExampleRecorder() {
	test(func(t testing.TB) { // or TestOrder(t *testing.T)
		tasks := tasktest.NewRecorder(t, taskpool.Config{})
		err := taskpool.Handle(context.Background(), tasks, func(ctx context.Context) error { return placeOrder(ctx, 1) })
		fmt.Println("answered:", err)
		for _, result := range tasks.Wait().Results {
			fmt.Println(result.Name, result.Fate)
		}
	})
	// Output:
	// answered: <nil>
	// receipt succeeded
	// alert discarded
}

// What a handler has staged, before it runs.
func ExampleRecorder_Waiting() {
	test(func(t testing.TB) {
		tasks := tasktest.NewRecorder(t, taskpool.Config{})
		tasks.Pause()
		_ = taskpool.Handle(context.Background(), tasks, func(ctx context.Context) error { return placeOrder(ctx, 1) })
		for _, task := range tasks.Waiting("receipt") {
			fmt.Println(task.Name, "starts", task.Start, "in the lane", task.Lane)
		}
		tasks.Resume()
	})
	// Output: receipt starts on success in the lane mail
}

// One task of several.
func ExampleRecorder_WaitFor() {
	test(func(t testing.TB) {
		tasks := tasktest.NewRecorder(t, taskpool.Config{})
		_ = taskpool.Handle(context.Background(), tasks, func(ctx context.Context) error { return placeOrder(ctx, 0) })
		alert := tasks.WaitFor("alert")
		fmt.Println("alert:", alert.Fate, "after", alert.Attempts, "run")
	})
	// Output: alert: succeeded after 1 run
}

// A day in the life of a task, in a moment.
func ExampleRecorder_Advance() {
	synctest.Test(new(testing.T), func(*testing.T) { // or in TestReminder(t *testing.T)
		test(func(t testing.TB) {
			tasks := tasktest.NewRecorder(t, taskpool.Config{})
			runs := 0
			_ = tasks.Submit(taskpool.Job{
				Name:  "reminder",
				Delay: 24 * time.Hour,
				Retry: taskpool.Backoff(3, 0, 0),
				Run: func(context.Context) error {
					if runs++; runs < 3 {
						return errors.New("the mail server is away")
					}
					return nil
				},
			})
			tasks.Advance(23 * time.Hour)
			fmt.Println("waiting:", len(tasks.Waiting("reminder")))
			tasks.Advance(time.Hour)
			for _, result := range tasks.Ended("reminder") {
				fmt.Println(result.Fate, "after", result.Attempts, "runs")
			}
		})
	})
	// Output:
	// waiting: 1
	// succeeded after 3 runs
}
