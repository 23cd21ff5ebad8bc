package examples_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	taskpool "github.com/elite-libs/taskpool/core"
)

// policy makes a Retry of a BackOff: at most runs runs, and none after one of its permanent errors. A BackOff counts
// for itself and is not safe for concurrent use, so each job needs a fresh one.
func policy(b backoff.BackOff, runs int) taskpool.Retry {
	return func(attempt int, err error) (time.Duration, bool) {
		var permanent *backoff.PermanentError
		if attempt >= runs || errors.As(err, &permanent) {
			return 0, false
		}
		wait := b.NextBackOff()
		return wait, wait != backoff.Stop
	}
}

// The policies of another library decide about retries.
func Example_backoff() {
	pool := taskpool.New(taskpool.Config{Logger: slog.New(slog.DiscardHandler)})
	runs := 0
	_ = pool.Submit(taskpool.Job{
		Name:  "webhook",
		Retry: policy(&backoff.ExponentialBackOff{InitialInterval: time.Millisecond, Multiplier: 2, MaxInterval: time.Second}, 5),
		Run: func(context.Context) error {
			if runs++; runs < 3 {
				return errors.New("connection refused")
			}
			return backoff.Permanent(errors.New("410 Gone"))
		},
	})

	report, _ := pool.Drain(context.Background())
	fmt.Println(runs, "runs,", report.Err())
	// Output:
	// 3 runs, webhook: 410 Gone
}
