package riverpool

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// args are the arguments of any task as River stores them: its own JSON, so that
// clients of River in other languages can insert and work it.
type args struct {
	kind string
	raw  json.RawMessage
	wait time.Duration // until the next run, of the run that has just failed
}

func (a args) Kind() string                  { return a.kind }
func (a args) MarshalJSON() ([]byte, error)  { return a.raw, nil }
func (a *args) UnmarshalJSON(b []byte) error { a.raw = append(a.raw[:0], b...); return nil }

// metadata is what is stored beside the arguments.
type metadata struct {
	Carried map[string]string `json:"taskpool,omitempty"`
}

type rowKey struct{}

// RowOf returns River's row of the stored task that ctx belongs to, as it was when
// the run began: its ID, which is the same in each run, its Attempt, from 1, and
// what the earlier ones failed with. It is a copy. It answers false in what is not a stored
// task; taskpool.RunOf answers that of in-memory tasks.
func RowOf(ctx context.Context) (rivertype.JobRow, bool) {
	if ctx == nil {
		return rivertype.JobRow{}, false
	}
	row, ok := ctx.Value(rowKey{}).(*rivertype.JobRow)
	if !ok {
		return rivertype.JobRow{}, false
	}
	return *row, true
}

// A worker works one kind of task.
type worker[TTx any] struct {
	river.WorkerDefaults[args]
	q    *Queue[TTx]
	task definition
}

// Timeout implements river.Worker.
func (w *worker[TTx]) Timeout(*river.Job[args]) time.Duration { return w.task.options.Timeout }

// NextRetry implements river.Worker. Where no run has failed, a crash cut it, and
// River's rescue asks.
func (w *worker[TTx]) NextRetry(j *river.Job[args]) time.Time { return time.Now().Add(j.Args.wait) }

// Work implements river.Worker: it runs the task once, and says what is next.
func (w *worker[TTx]) Work(ctx context.Context, j *river.Job[args]) error {
	q := w.q
	row := *j.JobRow
	ctx = context.WithValue(ctx, rowKey{}, &row)
	if q.config.Carry != nil {
		var m metadata
		if json.Unmarshal(j.Metadata, &m) == nil && len(m.Carried) > 0 {
			ctx = q.config.Carry.Extract(ctx, m.Carried)
		}
	}
	q.enter(row.ID, w.task.name)
	defer q.leave(row.ID)
	began := time.Now()
	given, err := q.runOnce(ctx, w.task.name, func(ctx context.Context) error {
		return taskpool.Handle(ctx, q.config.Source, func(ctx context.Context) error { return w.task.call(ctx, j.Args.raw) })
	})
	r := taskpool.Result{Name: w.task.name, Err: err, Attempts: row.Attempt, Waited: began.Sub(row.ScheduledAt), Ran: time.Since(began)}
	switch {
	case err == nil:
		r.Fate = taskpool.FateSucceeded
	case errors.Is(err, &river.JobSnoozeError{}): // the task's own wish
		return err
	case q.wasCut(ctx, err):
		q.log(given, slog.LevelWarn, "stored task cut by Done; it runs again", r, slog.Int64("id", row.ID))
		return river.JobSnooze(0) // which gives the attempt back
	case errors.Is(context.Cause(ctx), rivertype.ErrJobCancelledRemotely):
		r.Fate = taskpool.FateCanceled
	default:
		wait, again := w.next(ctx, j, err)
		if again {
			j.Args.wait = wait
			q.log(given, slog.LevelDebug, "stored task will run again", r, slog.Int64("id", row.ID), slog.Duration("wait", wait))
			q.callRetried(given, r, wait)
			return err
		}
		r.Fate = taskpool.FateFailed
		if e := (*taskpool.PanicError)(nil); errors.As(err, &e) {
			r.Fate = taskpool.FatePanicked
		}
		if row.Attempt < row.MaxAttempts {
			err = river.JobCancel(err) // River would go on
		}
	}
	if r.Err != nil {
		q.log(given, slog.LevelError, "stored task "+r.Fate.String(), r, slog.Int64("id", row.ID))
	}
	q.callEnded(given, r)
	return err
}

// next says whether there is another run after one that failed, and when. A panic
// is one more error: by the next run the code may be mended.
func (w *worker[TTx]) next(ctx context.Context, j *river.Job[args], err error) (wait time.Duration, again bool) {
	if j.Attempt >= j.MaxAttempts || errors.Is(err, &river.JobCancelError{}) {
		return 0, false
	}
	defer func() {
		if v := recover(); v != nil {
			wait, again = 0, false
			w.q.logHookPanic(ctx, "Retry", v)
		}
	}()
	retry := w.task.options.Retry
	if retry == nil {
		retry = w.q.policy
	}
	wait, again = retry.Next(j.Attempt, err)
	return max(wait, 0), again
}

// asRetry is River's policy as a Retry, which heeds Permanent and RetryAfter.
func asRetry(policy river.ClientRetryPolicy) taskpool.Retry {
	return func(attempt int, _ error) (time.Duration, bool) {
		failed := make([]rivertype.AttemptError, attempt-1) // the policy counts those before
		return time.Until(policy.NextRetry(&rivertype.JobRow{Attempt: attempt, Errors: failed})), true
	}
}

// wasCut reports whether a run failed because Done is at work: its context was
// canceled, or the in-memory pool, which ends first, took no more tasks.
func (q *Queue[TTx]) wasCut(ctx context.Context, err error) bool {
	q.mu.Lock()
	stopping := q.stopping
	q.mu.Unlock()
	if !stopping || errors.Is(context.Cause(ctx), rivertype.ErrJobCancelledRemotely) {
		return false
	}
	return errors.Is(ctx.Err(), context.Canceled) || errors.Is(err, taskpool.ErrDone)
}

func (q *Queue[TTx]) enter(id int64, name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running[id] = name
}

func (q *Queue[TTx]) leave(id int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.running, id)
}
