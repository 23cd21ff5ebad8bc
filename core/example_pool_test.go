package taskpool_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/elite-libs/taskpool/core"
)

// Work that belongs to no request, on the pool that the whole process shares.
func ExampleDefault() {
	pool := taskpool.Default()
	err := pool.Add(func(context.Context) error {
		fmt.Println("the cache is warm")
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	_, _ = pool.Drain(context.Background()) // Done would end it for everybody
	fmt.Println("one for all:", pool == taskpool.Default())
	// Output:
	// the cache is warm
	// one for all: true
}

// A call is accepted as a whole or refused as a whole, and says why.
func ExamplePool_Add() {
	pool := taskpool.New(taskpool.Config{Workers: 1, QueueLimit: 1})
	task := func(context.Context) error { return nil }

	err := pool.Add(task, task, task) // one may run and one may wait
	fmt.Println("overloaded:", errors.Is(err, taskpool.ErrOverloaded))
	fmt.Println("two:", pool.Add(task, task))

	report, _ := pool.Done(context.Background())
	fmt.Println(report.Succeeded, "ran")
	fmt.Println("done:", errors.Is(pool.Add(task), taskpool.ErrDone))
	// Output:
	// overloaded: true
	// two: <nil>
	// 2 ran
	// done: true
}

// Jobs that wait are started by their priority.
func ExamplePool_Submit() {
	pool := taskpool.New(taskpool.Config{Workers: 1})
	job := func(name string, p taskpool.Priority) taskpool.Job {
		return taskpool.Job{Name: name, Priority: p, Run: func(context.Context) error {
			fmt.Println(name)
			return nil
		}}
	}
	pool.Pause() // so that all of them wait
	err := pool.Submit(
		job("clean up", taskpool.PriorityLow),
		job("index", taskpool.PriorityNormal),
		job("charge", taskpool.PriorityHigh),
	)
	if err != nil {
		fmt.Println(err)
	}
	_, _ = pool.Done(context.Background())
	// Output:
	// charge
	// index
	// clean up
}

// While a dependency is down, tasks are accepted and wait.
func ExamplePool_Pause() {
	pool := taskpool.New(taskpool.Config{})
	pool.Pause()
	err := pool.Add(func(context.Context) error {
		fmt.Println("runs")
		return nil
	})
	fmt.Println("accepted:", err)

	fmt.Println("it is back")
	pool.Resume()
	_, _ = pool.Drain(context.Background())
	// Output:
	// accepted: <nil>
	// it is back
	// runs
}

// A pool is given more workers, as when a configuration changes.
func ExamplePool_Resize() {
	pool := taskpool.New(taskpool.Config{Workers: 2})
	pool.Resize(16)
	fmt.Println(pool.Stats().Workers)
	// Output: 16
}

// What a status page or a metric shows. The numbers are of one moment, so they
// add up.
func ExamplePool_Stats() {
	pool := taskpool.New(taskpool.Config{QueueLimit: 2})
	pool.Pause()
	task := func(context.Context) error { return nil }
	_ = pool.Add(task, task)
	_ = pool.Add(task, task, task, task, task) // finds no room
	s := pool.Stats()
	fmt.Println(s.Accepted, "accepted,", s.Queued, "queued,", s.Refused, "refused")

	_, _ = pool.Done(context.Background())
	s = pool.Stats()
	fmt.Println(s.Accepted, "accepted,", s.Queued, "queued,", s.Succeeded, "succeeded")
	// Output:
	// 2 accepted, 2 queued, 5 refused
	// 2 accepted, 0 queued, 2 succeeded
}

// A panic is an error of its task alone.
func ExamplePanicError() {
	pool := taskpool.New(taskpool.Config{})
	_ = pool.Submit(taskpool.Job{Name: "thumbnail", Run: func(context.Context) error {
		panic("no such image")
	}})

	report, _ := pool.Drain(context.Background())
	if p := (*taskpool.PanicError)(nil); errors.As(report.Err(), &p) {
		fmt.Println(report.Panicked, "panicked:", p.Value) // p.Stack says where
	}
	// Output: 1 panicked: no such image
}
