package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// waits is a Retry that waits for each of the given times, and then gives up.
func waits(of ...time.Duration) taskpool.Retry {
	return func(attempt int, _ error) (time.Duration, bool) {
		if attempt > len(of) {
			return 0, false
		}
		return of[attempt-1], true
	}
}

// A failure is a task that fails so many times, and notes when it runs.
func failure(times int, order *trail, start time.Time) taskpool.Task {
	n := 0
	return func(context.Context) error {
		order.add("%v", elapsed(start))
		if n++; n <= times {
			return fmt.Errorf("run %d: %w", n, errTask)
		}
		return nil
	}
}

func TestRetryRunsAgainAfterItsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Results: taskpool.KeepAll})
		var order, asked trail
		start := time.Now()
		retry := func(attempt int, err error) (time.Duration, bool) {
			asked.add("%d: %v;", attempt, err)
			return waits(time.Second, 0, -time.Hour, time.Minute)(attempt, err)
		}
		must(t, p.Submit(taskpool.Job{Name: "job", Run: failure(4, &order, start), Retry: retry}))
		r := drain(t, p)
		equal(t, "runs", order.String(), "0s 1s 1s 1s 1m1s")
		equal(t, "asked", asked.String(), "1: run 1: the task failed; 2: run 2: the task failed; 3: run 3: the task failed; 4: run 4: the task failed;")
		equal(t, "fates", countsOf(r), counts{Succeeded: 1})
		equal(t, "attempts", r.Results[0].Attempts, 5)
		equal(t, "waited", r.Results[0].Waited, 61*time.Second)
		equal(t, "ran", r.Results[0].Ran, 0)
		wantErr(t, "its error", r.Results[0].Err, nil)
	})
}

func TestLastErrorOfARetryCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		var e endings
		p := taskpool.New(taskpool.Config{Logger: logger(&log), Hooks: taskpool.Hooks{Ended: e.hook}})
		var order trail
		must(t, p.Submit(taskpool.Job{Name: "job", Run: failure(9, &order, time.Now()), Retry: waits(time.Second, time.Second)}))
		r := drain(t, p)
		equal(t, "runs", order.String(), "0s 1s 2s")
		equal(t, "result", fmt.Sprint(r.Results[0].Fate, r.Results[0].Attempts, r.Results[0].Err), "failed 3 run 3: the task failed")
		equal(t, "log", log.lines(), strings.Join([]string{
			`DEBUG task will run again task=job error=run 1: the task failed attempt=1 wait=1s`,
			`DEBUG task will run again task=job error=run 2: the task failed attempt=2 wait=1s`,
			`ERROR task failed task=job error=run 3: the task failed attempts=3`}, "\n"))
		equal(t, "ended", e.once(t)["job"], taskpool.FateFailed)
	})
}

func TestWithoutRetryThereIsOneRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		start := time.Now()
		for _, run := range []taskpool.Task{failing, func(context.Context) error { return taskpool.RetryAfter(errTask, time.Hour) }} {
			must(t, p.Submit(taskpool.Job{Run: run}))
			must(t, p.Add(run))
		}
		r := drain(t, p)
		equal(t, "failed", r.Failed, 4)
		for _, res := range r.Results {
			equal(t, "attempts", res.Attempts, 1)
			wantErr(t, "error", res.Err, errTask)
		}
		equal(t, "took", elapsed(start), 0)
	})
}

func TestPermanentEndsTheRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, err := range map[string]error{
			"plain":      taskpool.Permanent(errTask),
			"wrapped":    fmt.Errorf("more: %w", taskpool.Permanent(errTask)),
			"joined":     errors.Join(errTask, taskpool.Permanent(errVeto)),
			"with after": taskpool.RetryAfter(taskpool.Permanent(errTask), time.Second),
			"in it":      taskpool.Permanent(taskpool.RetryAfter(errTask, time.Second)),
		} {
			p := newPool(taskpool.Config{})
			must(t, p.Submit(taskpool.Job{Retry: waits(time.Second), Run: func(context.Context) error { return err }}))
			r := drain(t, p)
			equal(t, name+": attempts", r.Results[0].Attempts, 1)
			wantErr(t, name, r.Results[0].Err, errTask)
		}
	})
}

// What is wrapped may be a nil pointer by mistake: what wraps it counts all the same.
func TestWrappersOfAnErrorThatPanicsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var none *taskpool.PanicError
		runs, start, second := 0, time.Now(), time.Duration(0)
		must(t, p.Submit(taskpool.Job{Retry: taskpool.Backoff(3, 0, 0), Run: func(context.Context) error {
			runs++
			return taskpool.Permanent(none)
		}}, taskpool.Job{Retry: taskpool.Backoff(2, 0, 0), Run: func(context.Context) error {
			second = time.Since(start)
			return taskpool.RetryAfter(none, time.Minute)
		}}))
		drain(t, p)
		equal(t, "runs", runs, 1)
		equal(t, "the second run after", second, time.Minute)
	})
}

func TestRetryAfterAndBackoffTheLargerWaitWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct{ after, retry, want time.Duration }{
			{time.Second, time.Minute, time.Minute},
			{time.Minute, time.Second, time.Minute},
			{-time.Hour, 0, 0},
			{time.Minute, -time.Hour, time.Minute},
		} {
			p := newPool(taskpool.Config{})
			n, start := 0, time.Now()
			must(t, p.Submit(taskpool.Job{Retry: waits(tt.retry), Run: func(context.Context) error {
				if n++; n == 1 {
					return fmt.Errorf("wrapped: %w", taskpool.RetryAfter(errTask, tt.after))
				}
				return nil
			}}))
			drain(t, p)
			equal(t, fmt.Sprint(tt), elapsed(start), tt.want)
			equal(t, "runs", n, 2)
		}
		p := newPool(taskpool.Config{}) // it asks for a wait, not for a run more than the Retry wants
		must(t, p.Submit(taskpool.Job{Retry: taskpool.Backoff(1, 0, 0), Run: func(context.Context) error { return taskpool.RetryAfter(errTask, time.Hour) }}))
		equal(t, "attempts", drain(t, p).Results[0].Attempts, 1)
	})
}

func TestWrappersOfNoErrorAreNil(t *testing.T) {
	wantErr(t, "Permanent", taskpool.Permanent(nil), nil)
	wantErr(t, "RetryAfter", taskpool.RetryAfter(nil, time.Second), nil)
	equal(t, "text", taskpool.Permanent(errTask).Error(), errTask.Error())
	equal(t, "text", taskpool.RetryAfter(errTask, time.Second).Error(), errTask.Error())
}

func TestBackoffStaysWithinItsBounds(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		base, max time.Duration
		attempt   int
		bound     time.Duration
	}{
		{time.Second, time.Minute, 1, time.Second},
		{time.Second, time.Minute, 2, 2 * time.Second},
		{time.Second, time.Minute, 6, 32 * time.Second},
		{time.Second, time.Minute, 7, time.Minute},
		{time.Second, time.Minute, math.MaxInt - 1, time.Minute},
		{time.Second, 0, 1000, day},
		{time.Second, -1, 1000, day},
		{time.Second, math.MaxInt64, math.MaxInt - 1, day},
		{math.MaxInt64, math.MaxInt64, 1000, day},
		{time.Hour, time.Minute, 1, time.Minute},
		{1, 1, 1, 1},
		{0, time.Minute, math.MaxInt - 1, 0},
		{-1, time.Minute, math.MaxInt - 1, 0},
		{math.MinInt64, 0, math.MaxInt - 1, 0},
	} {
		retry := taskpool.Backoff(math.MaxInt, tt.base, tt.max)
		var most time.Duration
		for range 200 {
			wait, again := retry(tt.attempt, errTask)
			if wait < 0 || wait > tt.bound || !again {
				t.Fatalf("%+v: got %v, %v", tt, wait, again)
			}
			most = max(most, wait)
		}
		if most < tt.bound/2 { // 200 times less than half: 1 in 2^200
			t.Errorf("%+v: at most %v: that is no full jitter", tt, most)
		}
	}
}

func TestBackoffCountsRunsInTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for runs, want := range map[int]int{-1: 1, 0: 1, 1: 1, 2: 2, 5: 5} {
			p := newPool(taskpool.Config{})
			must(t, p.Submit(taskpool.Job{Run: failing, Retry: taskpool.Backoff(runs, time.Second, time.Minute)}))
			equal(t, fmt.Sprint(runs), drain(t, p).Results[0].Attempts, want)
		}
	})
}

func TestPanicAndGoexitAreNeverRetried(t *testing.T) {
	onAGoroutine := func(ctx context.Context, _ string, next taskpool.Task) (err error) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			err = next(ctx)
		}()
		<-ended
		return err
	}
	through := func(ctx context.Context, _ string, next taskpool.Task) error { return next(ctx) }
	synctest.Test(t, func(t *testing.T) {
		for name, hook := range map[string]func(context.Context, string, taskpool.Task) error{"no hook": nil, "hook": through, "hook on a goroutine": onAGoroutine} {
			p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Run: hook}})
			must(t, p.Submit(taskpool.Job{Name: "goexit", Run: exiting, Retry: waits(0, 0)}))
			want := counts{Failed: 1}
			if name != "hook on a goroutine" {
				must(t, p.Submit(taskpool.Job{Name: "panic", Run: panicking, Retry: waits(0, 0)}))
				want.Panicked = 1
			}
			r := drain(t, p)
			equal(t, name+": fates", countsOf(r), want)
			for _, res := range r.Results {
				equal(t, name+": attempts of "+res.Name, res.Attempts, 1)
			}
			balanced(t, p)
		}
	})
}

func TestRetryThatPanicsOrExitsEndsTheTaskAsFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		p := taskpool.New(taskpool.Config{Workers: 1, Logger: logger(&log)})
		must(t, p.Submit(
			taskpool.Job{Name: "panics", Run: failing, Retry: func(int, error) (time.Duration, bool) { panic("boom") }},
			taskpool.Job{Name: "exits", Run: failing, Retry: func(int, error) (time.Duration, bool) { _ = exiting(nil); return 0, true }}, //nolint:staticcheck // it uses no context
			taskpool.Job{Name: "next", Run: nop}))
		r := drain(t, p)
		equal(t, "fates", countsOf(r), counts{Succeeded: 1, Failed: 2})
		wantErr(t, "panics", r.Results[0].Err, errTask)
		wantErr(t, "exits", r.Results[1].Err, taskpool.ErrGoexit)
		equal(t, "log", log.all()[0], "ERROR hook panicked hook=Retry panic=boom stack=…")
		balanced(t, p)
	})
}

// Who is told that a task will run again keeps it neither from that, nor others from being told.
func TestMisbehaviourOfWhoIsToldOfARetryKeepsNoTaskFromIt(t *testing.T) {
	for name, misbehave := range map[string]func(){"panic": func() { panic("told") }, "Goexit": runtime.Goexit} {
		for _, wait := range []time.Duration{0, time.Second} {
			synctest.Test(t, func(t *testing.T) {
				var told trail
				p := newPool(taskpool.Config{
					Workers: 1,
					Logger:  slog.New(misbehavingHandler{misbehave: misbehave}),
					Hooks: taskpool.Hooks{
						Retried: func(context.Context, string, error, time.Duration) { told.add("retried"); misbehave() },
						Ended:   func(_ context.Context, r taskpool.Result) { told.add("%v %v", r.Attempts, r.Err); misbehave() },
					},
				})
				must(t, p.Submit(taskpool.Job{Run: failing, Retry: taskpool.Backoff(3, wait, wait)}))
				equal(t, name+": fates", countsOf(drain(t, p)), counts{Failed: 1})
				equal(t, name+": told", told.String(), "retried retried 3 "+errTask.Error())
				equal(t, name+": retried", p.Stats().Retried, 2)
				done(t, p)
				balanced(t, p)
			})
		}
	}
}

func TestNoWorkerIsHeldWhileARetryWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		_, s := begin(p, context.Background())
		var order trail
		start := time.Now()
		must(t, s.Submit(taskpool.Job{Name: "job", Run: failure(2, &order, start), Retry: waits(time.Minute, time.Minute)}))
		for i := range 2 {
			synctest.Wait()
			st := balanced(t, p)
			equal(t, "retrying", st.Retrying, 1)
			equal(t, "running", st.Running, 0)
			equal(t, "queued", st.Queued, 0)
			pending := s.Pending()
			if len(pending) != 1 || pending[0].Name != "job" {
				t.Errorf("pending: got %v", pending)
			}
			must(t, p.Add(order.task("other")))
			time.Sleep(time.Minute - 1)
			equal(t, "retrying", balanced(t, p).Retrying, 1)
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			equal(t, "attempts", len(order.all()), 3+2*i)
		}
		equal(t, "order", order.String(), "0s other 1m0s other 2m0s")
		st := balanced(t, p)
		equal(t, "retrying", st.Retrying, 0)
		equal(t, "succeeded", st.Succeeded, 3)
		equal(t, "pending", len(s.Pending()), 0)
	})
}

func TestRetryIsNeverRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1, QueueLimit: 1})
		var order trail
		start := time.Now()
		must(t, p.Submit(taskpool.Job{Run: func(ctx context.Context) error {
			time.Sleep(time.Second)
			return failure(1, &order, start)(ctx)
		}, Retry: waits(time.Second)}))
		synctest.Wait()
		must(t, p.Add(func(context.Context) error { time.Sleep(time.Hour); return nil })) // the queue is full
		wantErr(t, "Add", p.Add(nop), taskpool.ErrOverloaded)
		time.Sleep(time.Second)
		synctest.Wait()
		st := balanced(t, p)
		equal(t, "running", st.Running, 1)
		equal(t, "retrying", st.Retrying, 1)
		wantErr(t, "Add", p.Add(nop), taskpool.ErrOverloaded) // what waits for a retry counts
		time.Sleep(time.Second)
		synctest.Wait()
		equal(t, "queued", balanced(t, p).Queued, 1)
		drain(t, p)
	})
}

// The worker that a retry frees is the one that another task waits to have back.
func TestRetryGivesAWaiterItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var order trail
		start := time.Now()
		must(t, p.Add(func(ctx context.Context) error {
			promise, err := taskpool.AsyncJob(p, taskpool.Job{Retry: waits(time.Hour)}, func(context.Context) (int, error) {
				time.Sleep(2 * time.Second)
				return 0, errTask
			})
			must(t, err)
			wait, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err = promise.Await(wait)
			order.add("%v %v", elapsed(start), err)
			return nil
		}))
		drain(t, p)
		equal(t, "order", order.String(), "2s context deadline exceeded")
	})
}

func TestDrainWaitsForRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		var order trail
		start := time.Now()
		must(t, s.Submit(taskpool.Job{Run: failure(1, &order, start), Retry: waits(time.Minute)}))
		r, err := s.Drain(context.Background())
		must(t, err)
		equal(t, "succeeded", r.Succeeded, 1)
		equal(t, "took", elapsed(start), time.Minute)
	})
}

func TestRetryReentersItsLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 4, Lanes: map[string]taskpool.Lane{"api": {Limit: 1, Rate: 2, Per: 10 * time.Second}}})
		var order trail
		start := time.Now()
		n := 0
		must(t, p.Submit(taskpool.Job{Lane: "api", Retry: waits(0, time.Second), Run: func(context.Context) error {
			order.add("a@%v", elapsed(start))
			time.Sleep(time.Second)
			if n++; n < 3 {
				return errTask
			}
			return nil
		}}))
		for range 2 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: func(context.Context) error { order.add("b@%v", elapsed(start)); return nil }}))
		}
		drain(t, p)
		equal(t, "order", order.String(), "a@0s b@1s b@10s a@11s a@20s")
	})
}

func TestTimeoutIsOfEachRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		start := time.Now()
		var order trail
		must(t, p.Submit(taskpool.Job{Timeout: time.Second, Retry: waits(time.Minute), Run: func(ctx context.Context) error {
			deadline, _ := ctx.Deadline()
			order.add("%v", deadline.Sub(start))
			return untilCanceled(ctx)
		}}))
		r := drain(t, p)
		equal(t, "deadlines", order.String(), "1s 1m2s")
		equal(t, "attempts", r.Results[0].Attempts, 2)
		equal(t, "overrun", p.Stats().Overrun, 0)
	})
}

func TestHookRunIsAroundEveryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order trail
		p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Run: func(ctx context.Context, name string, next taskpool.Task) error {
			err := next(ctx)
			order.add("%s: %v;", name, err)
			return err
		}}})
		var runs trail
		must(t, p.Submit(taskpool.Job{Name: "job", Run: failure(2, &runs, time.Now()), Retry: waits(0, 0)}))
		drain(t, p)
		equal(t, "hook", order.String(), "job: run 1: the task failed; job: run 2: the task failed; job: <nil>;")
	})
}

// A task that ignores its timeout is seen a second later.
func TestOverrunIsCountedAndLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		p := taskpool.New(taskpool.Config{Name: "mail", Timeout: 10 * time.Second, Logger: logger(&log)})
		runs := 0
		must(t, p.Submit(taskpool.Job{Name: "stuck", Retry: waits(0, 0), Run: func(ctx context.Context) error {
			if runs++; runs == 3 {
				return nil
			}
			time.Sleep(20 * time.Second)
			return context.Cause(ctx)
		}}))
		must(t, p.Submit(taskpool.Job{Name: "late", Run: func(context.Context) error { time.Sleep(11*time.Second - 1); return nil }}))
		must(t, p.Submit(taskpool.Job{Name: "endless", Timeout: -1, Run: func(context.Context) error { time.Sleep(time.Minute); return nil }}))
		must(t, p.Submit(taskpool.Job{Name: "as good as", Timeout: math.MaxInt64, Run: func(context.Context) error { time.Sleep(time.Minute); return nil }}))
		must(t, p.Add(untilCanceled))
		at := func(when time.Duration, want int) {
			synctest.Wait()
			equal(t, fmt.Sprint("overrun at ", when), balanced(t, p).Overrun, want)
		}
		time.Sleep(11*time.Second - 1)
		at(11*time.Second-1, 0)
		time.Sleep(time.Nanosecond)
		at(11*time.Second, 1)
		time.Sleep(9*time.Second - 1)
		at(20*time.Second-1, 1)
		time.Sleep(time.Nanosecond)
		at(20*time.Second, 0) // the second run
		time.Sleep(11 * time.Second)
		at(31*time.Second, 1)
		drain(t, p)
		at(time.Minute, 0)
		var warnings []string
		for _, l := range log.all() {
			if strings.HasPrefix(l, "WARN") {
				warnings = append(warnings, l)
			}
		}
		equal(t, "log", strings.Join(warnings, "\n"), strings.Join([]string{
			"WARN task overran its timeout task=stuck attempt=1 timeout=10s ran=11s pool=mail",
			"WARN task overran its timeout task=stuck attempt=2 timeout=10s ran=11s pool=mail"}, "\n"))
	})
}

func TestNextOfNoRetryIsNoOtherRun(t *testing.T) {
	var none taskpool.Retry
	wait, again := none.Next(1, errTask)
	equal(t, "wait", wait, 0)
	equal(t, "again", again, false)
}
