package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// A task that may fail for a moment is run again, a little later each time. An
// error that no further run would mend ends it at once.
func ExampleBackoff() {
	pool := taskpool.New(taskpool.Config{})
	runs := 0
	_ = pool.Submit(taskpool.Job{
		Name:  "webhook",
		Retry: taskpool.Backoff(5, time.Millisecond, 10*time.Millisecond),
		Run: func(context.Context) error {
			if runs++; runs < 3 {
				return errors.New("connection refused")
			}
			return taskpool.Permanent(errors.New("410 Gone"))
		},
	})

	report, _ := pool.Drain(context.Background())
	fmt.Println(runs, "runs,", report.Err())
	// Output:
	// 3 runs, webhook: 410 Gone
}

// How another engine applies a Retry: what a task said of its error counts, too.
func ExampleRetry_Next() {
	retry := taskpool.Backoff(3, 0, 0) // would not wait
	busy := errors.New("503 Service Unavailable")
	fmt.Println(retry.Next(1, taskpool.RetryAfter(busy, time.Minute)))
	fmt.Println(retry.Next(1, taskpool.Permanent(busy)))
	fmt.Println(retry.Next(3, busy))
	// Output:
	// 1m0s true
	// 0s false
	// 0s false
}

// An API that says when to come again is believed, whatever the backoff would
// have been.
func ExampleRetryAfter() {
	pool := taskpool.New(taskpool.Config{})
	runs, began := 0, time.Now()
	_ = pool.Submit(taskpool.Job{
		Retry: taskpool.Backoff(5, 0, 0), // would not wait
		Run: func(context.Context) error {
			if runs++; runs == 1 {
				return taskpool.RetryAfter(errors.New("429 Too Many Requests"), 10*time.Millisecond)
			}
			return nil
		},
	})

	_, _ = pool.Drain(context.Background())
	fmt.Println(runs, "runs, waited:", time.Since(began) >= 10*time.Millisecond)
	// Output: 2 runs, waited: true
}

// A Retry is a function, so that any backoff library fits in.
func ExampleRetry() {
	thrice := func(attempt int, err error) (wait time.Duration, again bool) {
		fmt.Println("run", attempt, "failed:", err)
		return time.Millisecond, attempt < 3
	}
	pool := taskpool.New(taskpool.Config{})
	_ = pool.Submit(taskpool.Job{Name: "sync", Retry: thrice, Run: func(context.Context) error {
		return errors.New("no route to host")
	}})

	report, _ := pool.Drain(context.Background())
	fmt.Println(report.Results[0].Attempts, "attempts")
	// Output:
	// run 1 failed: no route to host
	// run 2 failed: no route to host
	// run 3 failed: no route to host
	// 3 attempts
}

// Two values are computed at the same time, and both are waited for.
func ExampleAsync() {
	pool := taskpool.New(taskpool.Config{})
	price := taskpool.Async(pool, func(context.Context) (int, error) { return 42, nil })
	stock := taskpool.Async(pool, func(context.Context) (string, error) { return "", errors.New("the stock service is down") })

	ctx := context.Background()
	p, err := price.Await(ctx)
	fmt.Println(p, err)
	s, err := stock.Await(ctx)
	fmt.Printf("%q %v\n", s, err)
	// Output:
	// 42 <nil>
	// "" the stock service is down
}

// A job's options, for a task that has a value. A refusal is known at once.
func ExampleAsyncJob() {
	pool := taskpool.New(taskpool.Config{})
	job := taskpool.Job{Name: "price", Timeout: time.Second, Retry: taskpool.Backoff(3, time.Millisecond, time.Second)}
	fetch := func(context.Context) (int, error) { return 42, nil }

	price, err := taskpool.AsyncJob(pool, job, fetch)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(price.Await(context.Background()))

	_, _ = pool.Done(context.Background())
	_, err = taskpool.AsyncJob(pool, job, fetch)
	fmt.Println("refused:", errors.Is(err, taskpool.ErrDone))
	// Output:
	// 42 <nil>
	// refused: true
}

// The first of two that comes.
func ExamplePromise_Settled() {
	pool := taskpool.New(taskpool.Config{Workers: 2})
	ctx, cancel := context.WithCancel(context.Background())
	near := taskpool.Async(pool, func(context.Context) (string, error) { return "the near mirror", nil })
	far := taskpool.Async(pool, func(context.Context) (string, error) {
		<-ctx.Done() // it takes longer
		return "the far mirror", nil
	})

	first := near
	select {
	case <-near.Settled():
	case <-far.Settled():
		first = far
	}
	fmt.Println(first.Await(ctx)) // returns at once
	cancel()
	_, _ = pool.Done(context.Background())
	// Output: the near mirror <nil>
}

// Tasks may wait for each other, even on one worker: while a task waits, its
// worker runs others.
func ExamplePromise_Await() {
	pool := taskpool.New(taskpool.Config{Workers: 1})
	total := taskpool.Async(pool, func(ctx context.Context) (int, error) {
		part := taskpool.Async(pool, func(context.Context) (int, error) { return 20, nil })
		n, err := part.Await(ctx) // the task's own ctx
		return n + 1, err
	})

	fmt.Println(total.Await(context.Background()))
	// Output:
	// 21 <nil>
}

// The tasks that call one API share a lane. What the API answers about its rate
// limit paces them, and nobody else.
func ExampleThrottle() {
	pool := taskpool.New(taskpool.Config{
		Workers: 1,
		Lanes:   map[string]taskpool.Lane{"mail api": {Limit: 4, Rate: 100, Per: time.Minute}},
	})
	remaining := 2 // of this hour, as the headers of the API's answers say
	call := func(ctx context.Context) error {
		remaining--
		taskpool.Throttle(ctx, taskpool.RateLimit{Remaining: remaining, Reset: time.Now().Add(time.Hour)})
		return nil
	}
	for range 5 {
		_ = pool.Submit(taskpool.Job{Lane: "mail api", Run: call})
	}
	other := taskpool.Async(pool, func(context.Context) (string, error) { return "not paced", nil })
	fmt.Println(other.Await(context.Background()))

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	report, _ := pool.Done(ctx)
	fmt.Println(report.Succeeded, "succeeded,", report.Canceled, "canceled")
	// Output:
	// not paced <nil>
	// 3 succeeded, 3 canceled
}

// A lane has a limit of its own, within that of the pool.
func ExampleLane() {
	pool := taskpool.New(taskpool.Config{
		Workers: 8,
		Lanes:   map[string]taskpool.Lane{"printer": {Limit: 1}},
	})
	printing := 0 // needs no lock: one at a time, and each sees what the one before did
	for range 100 {
		_ = pool.Submit(taskpool.Job{Lane: "printer", Run: func(context.Context) error {
			printing++
			return nil
		}})
	}
	_, _ = pool.Done(context.Background())
	fmt.Println(printing, "pages")
	// Output: 100 pages
}

// A delayed job holds no worker and no goroutine. Drain waits for it, and so does
// Done: but what is not due before its deadline it cancels at once, and says so.
func ExampleJob_delay() {
	pool := taskpool.New(taskpool.Config{})
	_ = pool.Submit(taskpool.Job{Name: "reminder", Delay: 24 * time.Hour, Run: func(context.Context) error {
		fmt.Println("remember the milk")
		return nil
	}})
	fmt.Println(pool.Stats().Delayed, "delayed")

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := pool.Done(ctx)
	fmt.Println(err)
	// Output:
	// 1 delayed
	// taskpool: Done ran out of time: 1 task canceled (reminder): context deadline exceeded
}

// Each tenant has a lane of its own, without a list of tenants. Lanes shows what
// holds them, and FreeLane takes back what an API was believed to have said.
func ExamplePool_Lanes() {
	pool := taskpool.New(taskpool.Config{
		NewLane: func(string) taskpool.Lane { return taskpool.Lane{Limit: 2} },
	})
	_ = pool.Submit(taskpool.Job{Lane: "tenant 7", Run: func(ctx context.Context) error {
		taskpool.Throttle(ctx, taskpool.RateLimit{Refused: true, Reset: time.Now().Add(time.Hour)})
		return nil
	}})
	_, _ = pool.Drain(context.Background())
	for _, l := range pool.Lanes() {
		fmt.Println(l.Name, l.Lane.Limit, l.Block)
	}
	pool.FreeLane("tenant 7")
	fmt.Println(len(pool.Lanes()), "lanes are left")
	// Output:
	// tenant 7 2 refusal
	// 0 lanes are left
}
