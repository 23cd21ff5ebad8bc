package tasktest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/elite-libs/taskpool/core"
)

// A fakeTB is a test whose end and failures are looked at.
type fakeTB struct {
	testing.TB
	cleanups []func()
	failures []string
}

func (t *fakeTB) Helper()           {}
func (t *fakeTB) Cleanup(f func())  { t.cleanups = append(t.cleanups, f) }
func (t *fakeTB) Output() io.Writer { return io.Discard }
func (t *fakeTB) Errorf(format string, args ...any) {
	t.failures = append(t.failures, fmt.Sprintf(format, args...))
}
func (t *fakeTB) Fatal(args ...any)                 { t.Errorf("%s", fmt.Sprint(args...)); runtime.Goexit() }
func (t *fakeTB) Fatalf(format string, args ...any) { t.Errorf(format, args...); runtime.Goexit() }

// run runs a test to its end, as the testing package would, and returns its failures.
func run(test func(t testing.TB)) (failures string) {
	t := new(fakeTB)
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() {
			for _, f := range slices.Backward(t.cleanups) {
				f()
			}
		}()
		test(t)
	}()
	<-over
	return strings.Join(t.failures, "\n")
}

// nothing is a task.
func nothing(context.Context) error { return nil }

// placeOrder is a handler to be tested; which of what it stages runs depends on the outcome.
func placeOrder(ctx context.Context, stock int) error {
	err := taskpool.FromContext(ctx).Submit(
		taskpool.Job{Name: "receipt", Start: taskpool.StartOnSuccess, Lane: "mail", Run: nothing},
		taskpool.Job{Name: "alert", Start: taskpool.StartOnFailure, Run: nothing},
	)
	if err == nil && stock == 0 {
		err = errors.New("out of stock")
	}
	return err
}

func names(tasks []taskpool.TaskInfo) string {
	var all []string
	for _, task := range tasks {
		all = append(all, task.Name)
	}
	return strings.Join(all, " ")
}

func fates(results []taskpool.Result) string {
	var all []string
	for _, result := range results {
		all = append(all, fmt.Sprint(result.Name, " ", result.Fate))
	}
	return strings.Join(all, ", ")
}
