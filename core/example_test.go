package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elite-libs/taskpool/core"
)

func Example() {
	pool := taskpool.New(taskpool.Config{Workers: 2})

	hello := func(context.Context) error {
		fmt.Println("hello from a worker")
		return nil
	}
	if err := pool.Add(hello); err != nil {
		fmt.Println(err) // the pool is done, or overloaded: hello will not run
	}

	report, err := pool.Done(context.Background())
	fmt.Println(report.Succeeded, err)
	// Output:
	// hello from a worker
	// 1 <nil>
}

// What the tasks returned is in the report; the error speaks of the waiting.
func ExamplePool_Drain() {
	pool := taskpool.New(taskpool.Config{})
	_ = pool.Submit(
		taskpool.Job{Name: "index", Run: func(context.Context) error { return nil }},
		taskpool.Job{Name: "mail", Run: func(context.Context) error { return errors.New("no such address") }},
	)

	report, err := pool.Drain(context.Background())
	fmt.Println("waiting:", err)
	fmt.Println("tasks:", report.Succeeded, "succeeded,", report.Failed, "failed")
	fmt.Println(report.Err())
	// Output:
	// waiting: <nil>
	// tasks: 1 succeeded, 1 failed
	// mail: no such address
}

// A server that stops gives its tasks a limit. What does not end in time is
// canceled, and named.
func ExamplePool_Done() {
	pool := taskpool.New(taskpool.Config{})
	_ = pool.Submit(taskpool.Job{Name: "export", Run: func(ctx context.Context) error {
		<-ctx.Done() // it would take all day
		return context.Cause(ctx)
	}})

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	report, err := pool.Done(ctx)
	fmt.Println(err)
	for _, r := range report.Results {
		fmt.Println(r.Name, r.Fate)
	}
	// Output:
	// taskpool: Done ran out of time: 1 task canceled (export): context deadline exceeded
	// export canceled
}

// What an adapter does for each request. Handlers see only FromContext.
func ExamplePool_Begin() {
	pool := taskpool.New(taskpool.Config{Workers: 1})
	say := func(s string) taskpool.Task {
		return func(context.Context) error {
			fmt.Println(s)
			return nil
		}
	}
	handler := func(ctx context.Context) (status int) {
		tasks := taskpool.FromContext(ctx)
		if err := tasks.OnSuccess(say("send the receipt")); err != nil {
			return 503
		}
		_ = tasks.OnFailure(say("release the stock"))
		_ = tasks.AfterResponse(say("count the request"))
		fmt.Println("the response")
		return 201
	}

	ctx, exchange := pool.Begin(context.Background())
	status := handler(ctx)
	exchange.Returned(taskpool.Outcome{Status: status})
	exchange.Sent(taskpool.ReleaseFlushed)

	report, _ := exchange.Scope().Drain(context.Background())
	fmt.Println(report.Succeeded, "succeeded,", report.Discarded, "discarded")
	// Output:
	// the response
	// send the receipt
	// count the request
	// 2 succeeded, 1 discarded
}

// A request that has to be taken for a failure, whatever its status.
func ExampleScope_Fail() {
	pool := taskpool.New(taskpool.Config{})
	ctx, exchange := pool.Begin(context.Background())
	_ = taskpool.FromContext(ctx).OnSuccess(func(context.Context) error {
		fmt.Println("not reached")
		return nil
	})
	taskpool.FromContext(ctx).Fail(errors.New("the card was declined"))
	exchange.Returned(taskpool.Outcome{Status: 200})
	exchange.Sent(taskpool.ReleaseFlushed)

	outcome, _ := exchange.Scope().Outcome()
	fmt.Println(outcome.Success(), outcome.Vetoed)
	// Output: false the card was declined
}

// The lifecycle for what is not HTTP: a message from a queue.
func ExampleHandle() {
	pool := taskpool.New(taskpool.Config{Workers: 1})
	consume := func(ctx context.Context) error {
		tasks := taskpool.FromContext(ctx)
		_ = tasks.OnSuccess(func(context.Context) error {
			fmt.Println("tell the others")
			return nil
		})
		fmt.Println("store the message")
		return nil
	}

	err := taskpool.Handle(context.Background(), pool, consume)
	fmt.Println("handled:", err)
	_, _ = pool.Done(context.Background())
	// Unordered output:
	// store the message
	// handled: <nil>
	// tell the others
}

func ExampleHooks() {
	pool := taskpool.New(taskpool.Config{
		Workers: 1,
		Hooks: taskpool.Hooks{
			Run: func(ctx context.Context, name string, next taskpool.Task) error {
				fmt.Println("begin", name) // start a span
				defer fmt.Println("end", name)
				return next(ctx)
			},
			Ended: func(_ context.Context, r taskpool.Result) {
				fmt.Println(r.Name, r.Fate) // count it
			},
		},
	})
	_ = pool.Submit(taskpool.Job{Name: "mail", Run: func(context.Context) error { return nil }})
	_, _ = pool.Done(context.Background())
	// Output:
	// begin mail
	// end mail
	// mail succeeded
}

func ExampleConfig() {
	pool := taskpool.New(taskpool.Config{
		Name:       "mail",
		Workers:    8,
		QueueLimit: 100,
		Timeout:    time.Minute,
		Results:    taskpool.KeepAll,
	})
	pool.Pause()
	tasks := make([]taskpool.Task, 200)
	for i := range tasks {
		tasks[i] = func(context.Context) error { return nil }
	}
	fmt.Println(pool.Add(tasks...))
	fmt.Println(pool.Add(tasks[:100]...))
	fmt.Println(pool.Stats().Queued, pool.Stats().Refused)
	// Output:
	// taskpool: overloaded: the queue limit is reached
	// <nil>
	// 100 200
}
