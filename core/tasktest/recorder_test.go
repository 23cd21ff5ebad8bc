package tasktest_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/tasktest"
)

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestTasksRunAsTheyAreReleased(t *testing.T) {
	tasks := tasktest.NewRecorder(t, taskpool.Config{})
	err := taskpool.Handle(t.Context(), tasks, func(ctx context.Context) error {
		p, err := taskpool.AsyncJob(taskpool.FromContext(ctx), taskpool.Job{Name: "price"}, func(context.Context) (int, error) { return 1, nil })
		if err != nil {
			return err
		}
		if v, err := p.Await(ctx); v != 1 || err != nil {
			t.Errorf("awaited in the handler: got %d, %v", v, err)
		}
		return placeOrder(ctx, 0)
	})
	if err == nil {
		t.Error("the handler's error is lost")
	}
	report := tasks.Wait()
	equal(t, "results", fates(report.Results), "price succeeded, receipt discarded, alert succeeded")
	equal(t, "succeeded", report.Succeeded, 2)
	equal(t, "discarded", report.Discarded, 1)
	equal(t, "by name", fates(tasks.Ended("alert", "price")), "price succeeded, alert succeeded")
	equal(t, "of no task", len(tasks.Ended("none")), 0)
}

func TestReportSaysWhatBecameOfEachTask(t *testing.T) {
	tasks := tasktest.NewRecorder(t, taskpool.Config{})
	err := tasks.Submit(
		taskpool.Job{Name: "well", Run: nothing},
		taskpool.Job{Name: "failing", Run: func(context.Context) error { return errors.New("no") }},
		taskpool.Job{Name: "panicking", Run: func(context.Context) error { panic("ouch") }},
	)
	if err != nil {
		t.Fatal(err)
	}
	report := tasks.Wait()
	equal(t, "succeeded, failed, panicked", [3]int{report.Succeeded, report.Failed, report.Panicked}, [3]int{1, 1, 1})
	if err := report.Err(); err == nil || !strings.Contains(err.Error(), "failing: no") {
		t.Errorf("got %v, want the errors", err)
	}
	again := tasks.Wait()
	equal(t, "all of them again", len(again.Results), 3)
	equal(t, "counted", tasks.Stats().Running, 0)
}

func TestCapturedTasksAreShownBeforeTheyRun(t *testing.T) {
	tasks := tasktest.NewRecorder(t, taskpool.Config{})
	tasks.Pause()
	ctx, x := tasks.Begin(t.Context())
	inner, joined := tasks.Begin(ctx) // as a middleware that is installed twice does
	if err := placeOrder(inner, 1); err != nil {
		t.Fatal(err)
	}
	equal(t, "staged", names(tasks.Waiting()), "receipt alert")
	receipt := tasks.Waiting("receipt")
	if len(receipt) != 1 || receipt[0].Lane != "mail" || receipt[0].Start != taskpool.StartOnSuccess || receipt[0].State != taskpool.StateStaged {
		t.Errorf("got %+v, want the receipt", receipt)
	}
	joined.Returned(taskpool.Outcome{})
	x.Returned(taskpool.Outcome{Status: 200})
	x.Sent(taskpool.ReleaseNoServer)
	equal(t, "after the response", names(tasks.Waiting()), "receipt")
	equal(t, "ended meanwhile", len(tasks.Ended("receipt")), 0)
	equal(t, "at last", fates(tasks.Wait().Results), "receipt succeeded, alert discarded")
	equal(t, "left", len(tasks.Waiting()), 0)
}

func TestThePoolsOwnTasksAreSeen(t *testing.T) {
	tasks := tasktest.NewRecorder(t, taskpool.Config{})
	tasks.Pause()
	pool := tasks.Pool // as code gets it that begins no requests
	if err := pool.Submit(taskpool.Job{Name: "sweep", Run: nothing}); err != nil {
		t.Fatal(err)
	}
	equal(t, "waiting", names(tasks.Waiting()), "sweep")
	equal(t, "fate", tasks.WaitFor("sweep").Fate, taskpool.FateSucceeded)
}

func TestTheConfigIsThePools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		hooked := 0
		tasks := tasktest.NewRecorder(t, taskpool.Config{
			Workers:    3,
			QueueLimit: 1,
			Lanes:      map[string]taskpool.Lane{"api": {Limit: 1}},
			Hooks:      taskpool.Hooks{Ended: func(context.Context, taskpool.Result) { hooked++ }},
			Logger:     slogTo(&log),
		})
		began := time.Now()
		second := func(context.Context) error { time.Sleep(time.Second); return errors.New("no") }
		for range 2 {
			if err := tasks.Submit(taskpool.Job{Name: "call", Lane: "api", Run: second}); err != nil {
				t.Fatal(err)
			}
		}
		if err := tasks.Submit(make([]taskpool.Job, 9)...); err == nil {
			t.Error("nine more were accepted")
		}
		equal(t, "failed", tasks.Wait().Failed, 2)
		equal(t, "took, one after the other", time.Since(began), 2*time.Second)
		equal(t, "the hook's calls", hooked, 2)
		equal(t, "lines of the log", strings.Count(log.String(), "task=call"), 2)
	})
}

// What makes a client's test fail now and then: it has the response, and the handler goes on.
func TestWaitWaitsForTheHandlerAndWhatItStaged(t *testing.T) {
	for name, first := range map[string][]string{"something staged": {"staged"}, "nothing yet": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tasks := tasktest.NewRecorder(t, taskpool.Config{})
				answered := make(chan struct{})
				go func() {
					_ = taskpool.Handle(t.Context(), tasks, func(ctx context.Context) error {
						scope := taskpool.FromContext(ctx)
						for _, name := range first {
							if err := scope.Submit(taskpool.Job{Name: name, Start: taskpool.StartOnSuccess, Run: nothing}); err != nil {
								return err
							}
						}
						close(answered)
						time.Sleep(time.Second)
						return scope.Submit(taskpool.Job{Name: "late", Start: taskpool.StartAfterResponse, Run: nothing})
					})
				}()
				<-answered
				equal(t, "succeeded", tasks.Wait().Succeeded, len(first)+1)
			})
		})
	}
}

func TestWaitForWaitsForOneTaskAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tasks := tasktest.NewRecorder(t, taskpool.Config{Workers: 2})
		sleep := func(d time.Duration) taskpool.Task {
			return func(context.Context) error { time.Sleep(d); return nil }
		}
		err := tasks.Submit(
			taskpool.Job{Name: "long", Run: sleep(time.Hour)},
			taskpool.Job{Name: "short", Run: sleep(time.Second), Priority: taskpool.PriorityHigh},
			taskpool.Job{Name: "short", Run: func(context.Context) error { return errors.New("no") }, Delay: time.Minute},
		)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		equal(t, "the first", tasks.WaitFor("short").Fate, taskpool.FateSucceeded)
		equal(t, "after", time.Since(began), time.Second)
		tasks.Wait()
		equal(t, "the first, again", tasks.WaitFor("short").Fate, taskpool.FateSucceeded)
		equal(t, "both", fates(tasks.Ended("short")), "short succeeded, short failed")
		equal(t, "all, after", time.Since(began), time.Hour)
	})
}

func TestWaitForFailsTheTestIfThereIsNoSuchTask(t *testing.T) {
	got := run(func(tb testing.TB) {
		tasks := tasktest.NewRecorder(tb, taskpool.Config{})
		_ = taskpool.Handle(t.Context(), tasks, func(ctx context.Context) error { return placeOrder(ctx, 1) })
		tasks.WaitFor("recipe")
		t.Error("the test goes on")
	})
	equal(t, "failures", got, `tasktest: no task "recipe" was accepted: there were "alert", "receipt"`)
	got = run(func(tb testing.TB) { tasktest.NewRecorder(tb, taskpool.Config{}).WaitFor("any") })
	equal(t, "without tasks", got, `tasktest: no task "any" was accepted: there were none at all`)
}

func TestAdvanceGoesThroughTheTimeOfABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tasks := tasktest.NewRecorder(t, taskpool.Config{})
		var runs atomic.Int32
		err := taskpool.Handle(t.Context(), tasks, func(ctx context.Context) error {
			return taskpool.FromContext(ctx).Submit(taskpool.Job{
				Name:  "reminder",
				Start: taskpool.StartOnSuccess,
				Delay: 24 * time.Hour,
				Retry: func(int, error) (time.Duration, bool) { return time.Minute, true },
				Run: func(context.Context) error {
					for range 100 {
						runtime.Gosched() // the test's goroutine is not to go on before this has ended
					}
					if runs.Add(1) == 1 {
						return errors.New("not yet")
					}
					return nil
				},
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		tasks.Advance(24*time.Hour - 1)
		equal(t, "runs before it is due", runs.Load(), 0)
		tasks.Advance(1)
		equal(t, "runs once it is", runs.Load(), 1)
		waiting := tasks.Waiting("reminder")
		if len(waiting) != 1 || waiting[0].State != taskpool.StateRetrying || !waiting[0].Due.Equal(time.Now().Add(time.Minute)) {
			t.Errorf("got %+v, want another run in a minute", waiting)
		}
		equal(t, "attempts", tasks.WaitFor("reminder").Attempts, 2)
		equal(t, "after", time.Since(began), 24*time.Hour+time.Minute)
	})
}

func TestAdvanceFailsTheTestOutsideOfABubble(t *testing.T) {
	got := run(func(tb testing.TB) {
		tasktest.NewRecorder(tb, taskpool.Config{}).Advance(time.Hour)
		t.Error("the test goes on")
	})
	if !strings.Contains(got, "synctest.Test") {
		t.Errorf("got %q, want what to do", got)
	}
}

func TestWaitWaitsForAHandlerWithoutTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tasks := tasktest.NewRecorder(t, taskpool.Config{})
		returned := false
		go func() {
			_ = taskpool.Handle(t.Context(), tasks, func(context.Context) error {
				time.Sleep(time.Second)
				returned = true
				return nil
			})
		}()
		synctest.Wait()
		equal(t, "results", len(tasks.Wait().Results), 0)
		equal(t, "the handler has returned", returned, true)
	})
}

// How to see what a handler answers where tasks are refused.
func TestARecorderThatIsDoneRefusesTasks(t *testing.T) {
	tasks := tasktest.NewRecorder(t, taskpool.Config{})
	if _, err := tasks.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := taskpool.Handle(t.Context(), tasks, func(ctx context.Context) error { return placeOrder(ctx, 1) })
	if !errors.Is(err, taskpool.ErrDone) {
		t.Errorf("got %v, want %v", err, taskpool.ErrDone)
	}
	_, _ = tasks.Begin(t.Context()) // of a handler that does not return
	equal(t, "results", len(tasks.Wait().Results), 0)
}
