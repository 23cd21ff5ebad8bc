package taskpool_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/elite-libs/taskpool/core"
)

// Code that takes a context finds the request's scope in it, and needs to know
// neither a framework nor a pool.
func ExampleFromContext() {
	audit := func(ctx context.Context, what string) error {
		return taskpool.FromContext(ctx).AfterResponse(func(context.Context) error {
			fmt.Println("audited:", what)
			return nil
		})
	}
	pool := taskpool.New(taskpool.Config{})
	err := taskpool.Handle(context.Background(), pool, func(ctx context.Context) error {
		return audit(ctx, "a login")
	})
	_, _ = pool.Done(context.Background())
	fmt.Println(err)

	err = audit(context.Background(), "nothing") // no request
	fmt.Println("no scope:", errors.Is(err, taskpool.ErrNoScope))
	// Output:
	// audited: a login
	// <nil>
	// no scope: true
}

// What does not depend on the outcome starts at once, beside the handler.
func ExampleScope_Add() {
	pool := taskpool.New(taskpool.Config{})
	_ = taskpool.Handle(context.Background(), pool, func(ctx context.Context) error {
		started := make(chan struct{})
		err := taskpool.FromContext(ctx).Add(func(context.Context) error {
			close(started)
			return nil
		})
		if err != nil {
			return err
		}
		<-started
		fmt.Println("the task runs, and the handler has not returned")
		return nil
	})
	_, _ = pool.Done(context.Background())
	// Output: the task runs, and the handler has not returned
}

// The task of a request learns how the request went.
func ExampleScope_AfterResponse() {
	pool := taskpool.New(taskpool.Config{})
	err := taskpool.Handle(context.Background(), pool, func(ctx context.Context) error {
		_ = taskpool.FromContext(ctx).AfterResponse(func(ctx context.Context) error {
			outcome, _ := taskpool.FromContext(ctx).Outcome()
			fmt.Println("log:", outcome.Success(), outcome.Vetoed)
			return nil
		})
		return errors.New("out of stock")
	})
	_, _ = pool.Done(context.Background())
	fmt.Println("answer:", err)
	// Output:
	// log: false out of stock
	// answer: out of stock
}

// Of these two one runs, as the outcome decides.
func ExampleScope_OnSuccess() {
	pool := taskpool.New(taskpool.Config{})
	order := func(ctx context.Context, stock int) error {
		tasks := taskpool.FromContext(ctx)
		err := errors.Join(
			tasks.OnSuccess(func(context.Context) error { fmt.Println("send the receipt"); return nil }),
			tasks.OnFailure(func(context.Context) error { fmt.Println("tell the warehouse"); return nil }),
		)
		if err == nil && stock == 0 {
			err = errors.New("out of stock")
		}
		return err
	}
	for _, stock := range []int{7, 0} {
		_ = taskpool.Handle(context.Background(), pool, func(ctx context.Context) error { return order(ctx, stock) })
		report, _ := pool.Drain(context.Background())
		fmt.Println(report.Succeeded, "ran,", report.Discarded, "discarded")
	}
	// Output:
	// send the receipt
	// 1 ran, 1 discarded
	// tell the warehouse
	// 1 ran, 1 discarded
}

// Jobs say themselves when they start.
func ExampleScope_Submit() {
	pool := taskpool.New(taskpool.Config{Workers: 1})
	say := func(what string) taskpool.Task {
		return func(context.Context) error {
			fmt.Println(what)
			return nil
		}
	}
	err := taskpool.Handle(context.Background(), pool, func(ctx context.Context) error {
		return taskpool.FromContext(ctx).Submit(
			taskpool.Job{Name: "mail", Start: taskpool.StartOnSuccess, Run: say("mail the receipt")},
			taskpool.Job{Name: "charge", Start: taskpool.StartOnSuccess, Priority: taskpool.PriorityHigh, Run: say("charge the card")},
			taskpool.Job{Name: "alert", Start: taskpool.StartOnFailure, Run: say("not reached")},
		)
	})
	if err != nil {
		fmt.Println(err) // a server answers 503: none of them will run
	}
	_, _ = pool.Done(context.Background())
	// Output:
	// charge the card
	// mail the receipt
}

// A handler that needs what its tasks do waits for them, and for no others.
func ExampleScope_Drain() {
	pool := taskpool.New(taskpool.Config{})
	_ = taskpool.Handle(context.Background(), pool, func(ctx context.Context) error {
		tasks := taskpool.FromContext(ctx)
		_ = tasks.Add(
			func(context.Context) error { return nil },
			func(context.Context) error { return errors.New("no such file") },
		)
		_ = tasks.AfterResponse(func(context.Context) error { return nil }) // not waited for: the response comes later

		report, err := tasks.Drain(ctx)
		fmt.Println(report.Succeeded, "succeeded,", report.Failed, "failed, waiting:", err)
		return nil
	})
	_, _ = pool.Done(context.Background())
	// Output: 1 succeeded, 1 failed, waiting: <nil>
}

// What a request has staged so far. For tests of handlers tasktest.Recorder has
// more.
func ExampleScope_Pending() {
	pool := taskpool.New(taskpool.Config{})
	_ = taskpool.Handle(context.Background(), pool, func(ctx context.Context) error {
		tasks := taskpool.FromContext(ctx)
		_ = tasks.Submit(taskpool.Job{Name: "receipt", Start: taskpool.StartOnSuccess, Run: func(context.Context) error { return nil }})
		for _, j := range tasks.Pending() {
			fmt.Println(j.Name, "starts", j.Start)
		}
		return nil
	})
	_, _ = pool.Done(context.Background())
	// Output: receipt starts on success
}
