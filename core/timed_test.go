package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// handings are the ways to hand a task to a pool, and whether the clock is read for
// it where no hook and no timeout asks for that.
var handings = []struct {
	name  string
	timed bool
	hand  func(ctx context.Context, fn taskpool.Task) error
}{
	{"Add", false, func(ctx context.Context, fn taskpool.Task) error { return taskpool.FromContext(ctx).Add(fn) }},
	{"Add with values", false, func(ctx context.Context, fn taskpool.Task) error {
		return taskpool.FromContext(context.WithoutCancel(ctx)).Add(fn)
	}},
	{"Async", false, func(ctx context.Context, fn taskpool.Task) error {
		taskpool.Async(taskpool.FromContext(ctx), func(ctx context.Context) (int, error) { return 1, fn(ctx) })
		return nil
	}},
	{"AsyncJob", true, func(ctx context.Context, fn taskpool.Task) error {
		_, err := taskpool.AsyncJob(taskpool.FromContext(ctx), taskpool.Job{}, func(ctx context.Context) (int, error) { return 1, fn(ctx) })
		return err
	}},
	{"Submit", true, func(ctx context.Context, fn taskpool.Task) error {
		return taskpool.FromContext(ctx).Submit(taskpool.Job{Run: fn})
	}},
	{"Submit with a name", true, func(ctx context.Context, fn taskpool.Task) error {
		return taskpool.FromContext(ctx).Submit(taskpool.Job{Name: "named", Run: fn})
	}},
}

// Whoever looks at a task, by whatever way it came, is told the same of it: how long it
// has waited and run if that is measured, and else what can be known without.
func TestWhatIsToldOfATaskThatIsTimedAndOfOneThatIsNot(t *testing.T) {
	for _, handing := range handings {
		for watched, hooks := range map[bool]taskpool.Hooks{
			false: {},
			true:  {Ended: func(context.Context, taskpool.Result) {}},
		} {
			t.Run(fmt.Sprintf("%s, watched=%t", handing.name, watched), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPool(taskpool.Config{Workers: 1, Hooks: hooks})
					ctx, s := begin(p, context.Background())
					gate, second := newGate(), newGate()
					must(t, s.Add(gate.task))
					<-gate.begun
					var run taskpool.Run
					must(t, handing.hand(ctx, func(ctx context.Context) error {
						run, _ = taskpool.RunOf(ctx)
						_ = second.task(ctx)
						return errTask
					}))
					time.Sleep(time.Second)
					waiting := p.Snapshot(1).Waiting[0]
					gate.open()
					<-second.begun
					time.Sleep(time.Minute)
					seen := p.Snapshot(1).Running[0]
					time.Sleep(time.Minute)
					again := p.Snapshot(1).Running[0]
					second.open()
					r := drain(t, p).Results[0]

					timed := handing.timed || watched
					if of := func(d time.Duration) time.Duration {
						if timed {
							return d
						}
						return 0
					}; r.Waited != of(time.Second) || r.Ran != of(2*time.Minute) || r.Attempts != 1 ||
						run.Waited != of(time.Second) || run.Attempt != 1 ||
						seen.Waited != of(time.Second) || seen.Ran != of(time.Minute) || again.Ran != seen.Ran+time.Minute ||
						seen.Attempt != 1 || waiting.Waited != time.Second || waiting.Attempt != 1 {
						t.Errorf("got\nresult %+v\nrun %+v\nwaiting %+v\nrunning %+v\nlater %+v", r, run, waiting, seen, again)
					}
					finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
					done(t, p)
				})
			})
		}
	}
}

// A task that Done left no time for has run in no attempt.
func TestTaskThatNeverRanHasNoAttempt(t *testing.T) {
	for _, handing := range handings {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: 1})
			ctx, s := begin(p, context.Background())
			must(t, s.Add(untilCanceled))
			must(t, handing.hand(ctx, nop))
			finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
			synctest.Wait()
			r, _ := p.Done(canceled())
			attempts := map[int]int{}
			for _, of := range r.Results {
				attempts[of.Attempts]++
				if !errors.Is(of.Err, taskpool.ErrCanceled) && of.Attempts == 0 {
					t.Errorf("%s: got %+v", handing.name, of)
				}
			}
			if len(r.Results) != 2 || attempts[0] != 1 || attempts[1] != 1 {
				t.Errorf("%s: got %+v, want one that has run once and one that has not", handing.name, r.Results)
			}
		})
	}
}
