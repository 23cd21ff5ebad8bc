package taskpool

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/elite-libs/taskpool/core/internal/sound"
)

// A Retry decides after a run that failed whether there is to be another, and
// after how long. attempt is the run that just failed, from 1. It is called on a
// worker, without a lock; one that panics ends the task as FateFailed. No worker
// is held while a task waits for its next run, and that it waits is never
// refused. A panic and a Goexit are never retried, and no run is for which Done
// leaves no time.
type Retry func(attempt int, err error) (wait time.Duration, again bool)

// Backoff retries until a task has run runs times in total, with exponential
// backoff and full jitter: the wait after run n is random, from 0 to the smaller
// of base·2ⁿ⁻¹ and max. A base of 0 or less means no wait, a max of 0 or less no
// bound but 24 h.
func Backoff(runs int, base, max time.Duration) Retry {
	const day = 24 * time.Hour
	if max <= 0 || max > day {
		max = day
	}
	return func(attempt int, _ error) (time.Duration, bool) {
		if attempt >= runs {
			return 0, false
		}
		if base <= 0 {
			return 0, true
		}
		ceiling := base
		for i := 1; i < attempt && ceiling < max; i++ {
			ceiling *= 2
		}
		return rand.N(min(ceiling, max) + 1), true
	}
}

// Permanent wraps an error that another run would not mend: the task ends as
// FateFailed whatever its Retry says, also if the result is wrapped in turn. The
// text is that of err. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{sound.Error(err)}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter wraps an error with the least time to wait before the next run, as
// a server may ask for. If the Retry wants to wait longer, that counts. With a
// nil Retry there is still one run. The text is that of err. RetryAfter(nil, wait)
// is nil.
func RetryAfter(err error, wait time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{sound.Error(err), wait}
}

type retryAfterError struct {
	err  error
	wait time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// Next says whether there is to be another run after run number attempt, from 1,
// failed with err, and after how long: as a pool applies the Retry, with Permanent
// and RetryAfter heeded, and a negative wait 0. A nil Retry means no other run. A
// panic of the Retry passes. It is for other engines that take a Retry.
func (r Retry) Next(attempt int, err error) (wait time.Duration, again bool) {
	if r == nil {
		return 0, false
	}
	if permanent := (*permanentError)(nil); errors.As(err, &permanent) {
		return 0, false
	}
	wait, again = r(attempt, err)
	if after := (*retryAfterError)(nil); errors.As(err, &after) {
		wait = max(wait, after.wait)
	}
	return max(wait, 0), again
}

// again asks whether a job whose run has failed is to run again, and when.
func (p *Pool) again(j *fullJob, err error) (wait time.Duration, again bool) {
	if j == nil || j.Retry == nil || p.phase.Load() == phaseClosed {
		return 0, false
	}
	defer func() {
		if v := recover(); v != nil {
			again = false
			p.logHookPanic(j.ctx(), "Retry", v)
		}
	}()
	return j.Retry.Next(j.attempt(), err)
}

func (p *Pool) logRetry(ctx context.Context, j *job, err error, wait time.Duration) {
	p.log(ctx, slog.LevelDebug, "task will run again", slog.String("task", nameOf(j)), slog.Any("error", err),
		slog.Int("attempt", j.runs()), slog.Duration("wait", wait))
}
