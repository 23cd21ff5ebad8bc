package pooltest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// work counts what a soak's handlers and tasks do.
type work struct {
	handlers, accepted, ended, failed, refused atomic.Int64
}

// add counts the jobs of one call, which are accepted together or not at all.
func (w *work) add(to taskpool.Adder, jobs ...taskpool.Job) {
	w.accepted.Add(int64(len(jobs))) // before any of them can end
	if err := to.Submit(jobs...); err != nil {
		w.accepted.Add(-int64(len(jobs)))
		w.refused.Add(int64(len(jobs)))
	}
}

// handler adds tasks of some kinds, another mixture each time, and does what the
// client asks for.
func (w *work) handler(t *target) Handler {
	return func(x Exchange) error {
		program, v := t.from(x)
		d, ok := deeds[program]
		if !ok {
			d = deeds["small"]
		}
		n := w.handlers.Add(1)
		ctx := x.Context()
		scope := taskpool.FromContext(ctx)
		released := func(context.Context) error {
			if v != nil {
				v.released.open()
			}
			return nil
		}
		w.add(scope, taskpool.Job{Start: taskpool.StartAfterResponse, Run: released},
			taskpool.Job{Start: taskpool.StartOnSuccess, Run: w.succeeds}, taskpool.Job{Start: taskpool.StartOnFailure, Run: w.succeeds})
		start := kinds[n%int64(len(kinds))]
		switch n % 9 {
		case 0:
			w.add(scope, taskpool.Job{Start: start, Run: w.fails})
		case 1:
			w.add(scope, taskpool.Job{Start: start, Run: w.fails, Retry: taskpool.Backoff(3, time.Millisecond, 4*time.Millisecond)})
		case 2:
			w.add(scope, taskpool.Job{Start: start, Run: w.succeeds, Delay: time.Duration(n%20) * time.Millisecond})
		case 3:
			w.add(scope, taskpool.Job{Start: start, Run: w.hangs, Timeout: 2 * time.Millisecond})
		case 4:
			w.add(scope, taskpool.Job{Start: start, Run: w.succeeds, Lane: "narrow", Priority: taskpool.PriorityHigh})
		case 5:
			w.add(scope, taskpool.Job{Start: start, Run: w.succeeds, Lane: "paced", Priority: taskpool.PriorityLow})
		case 6:
			w.add(scope, taskpool.Job{Start: start, Run: w.adds})
		case 7:
			w.accepted.Add(1)
			promise, err := taskpool.AsyncJob(scope, taskpool.Job{}, func(context.Context) (int, error) { return 1, nil })
			if err != nil {
				w.accepted.Add(-1)
				w.refused.Add(1)
				break
			}
			_, _ = promise.Await(ctx)
		case 8:
			w.add(scope, taskpool.Job{Start: start, Run: func(context.Context) error { w.failed.Add(1); panic("pooltest: wanted") }})
		}
		return d.run(v, x)
	}
}

func (w *work) succeeds(context.Context) error { return nil }

func (w *work) fails(context.Context) error {
	w.failed.Add(1)
	return errors.New("pooltest: the error of a task")
}

// hangs until its timeout.
func (w *work) hangs(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// adds adds to its own scope.
func (w *work) adds(ctx context.Context) error {
	w.add(taskpool.FromContext(ctx), taskpool.Job{Run: w.succeeds}, taskpool.Job{Start: taskpool.StartOnSuccess, Run: w.succeeds})
	return nil
}
