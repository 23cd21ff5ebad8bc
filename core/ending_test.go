package taskpool_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

const noTime = "taskpool: the task was canceled: Done had no time left for it"

// eachSource makes one pool for all, and one for each request.
func eachSource(t *testing.T, c taskpool.Config, f func(t *testing.T, src taskpool.Source, begin func() opened)) {
	for name, source := range map[string]func(c taskpool.Config) taskpool.Source{
		"a pool":      func(c taskpool.Config) taskpool.Source { return newPool(c) },
		"per request": perRequest,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := source(c)
				f(t, src, func() opened {
					_, s := begin(src, context.Background())
					return s
				})
			})
		})
	}
}

// What is due before the deadline runs when it is due, what is not is ended at
// once, and Done waits for nothing else.
func TestDoneKeepsTheTimesThatComeBeforeItsDeadline(t *testing.T) {
	const limit = time.Minute
	for _, tt := range []struct {
		due  time.Duration
		runs bool
	}{{time.Second, true}, {limit - 1, true}, {limit, false}, {limit + 1, false}, {time.Hour, false}} {
		t.Run(tt.due.String(), func(t *testing.T) {
			var log logbook
			eachSource(t, taskpool.Config{Workers: 1, Logger: logger(&log)}, func(t *testing.T, src taskpool.Source, begin func() opened) {
				log.steps = nil
				var ran trail
				start := time.Now()
				s := begin()
				must(t, s.Submit(
					taskpool.Job{Name: "delayed", Delay: tt.due, Run: stamped(&ran, start, "delayed"), Start: taskpool.StartAfterResponse},
					taskpool.Job{Name: "retried", Run: failure(1, &ran, start), Retry: waits(tt.due)}))
				s.Returned(taskpool.Outcome{})
				synctest.Wait()
				r, err := src.Done(within(t, limit))
				if tt.runs {
					must(t, err)
					equal(t, "took", elapsed(start), tt.due)
					equal(t, "fates", countsOf(r), counts{Succeeded: 2})
					equal(t, "ran", strings.Contains(ran.String(), fmt.Sprint("delayed@", tt.due)), true)
					return
				}
				wantErr(t, "Done", err, context.DeadlineExceeded)
				equal(t, "error", err.Error(), "taskpool: Done ran out of time: 1 task canceled, 1 retry given up (retried, delayed): context deadline exceeded")
				equal(t, "took", elapsed(start), 0)
				equal(t, "fates", countsOf(r), counts{Failed: 1, Canceled: 1})
				equal(t, "results", resultsOf(r), "retried failed, delayed canceled")
				wantErr(t, "what failed", r.Results[0].Err, errTask)
				wantErr(t, "what was canceled", r.Results[1].Err, taskpool.ErrDone)
				equal(t, "its error", r.Results[1].Err.Error(), noTime)
				equal(t, "log", strings.Join(log.all()[1:], "\n"), "ERROR task failed task=retried error=run 1: the task failed attempts=1 given_up=true\n"+
					"ERROR task canceled task=delayed error="+noTime+" attempts=0")
			})
		})
	}
}

func TestDoneWithoutADeadlineWaitsAsDrainDoes(t *testing.T) {
	eachSource(t, taskpool.Config{Workers: 1}, func(t *testing.T, src taskpool.Source, begin func() opened) {
		s := begin()
		var order trail
		start := time.Now()
		must(t, s.Submit(
			taskpool.Job{Delay: 2 * time.Hour, Run: stamped(&order, start, "second")},
			taskpool.Job{Delay: time.Hour, Run: func(context.Context) error {
				order.add("first@%v", elapsed(start))
				return s.Submit(taskpool.Job{Delay: 3 * time.Hour, Run: stamped(&order, start, "nested")}) // the pool is closing
			}},
			taskpool.Job{Run: failing, Retry: waits(time.Hour, 0, 24*time.Hour)}))
		s.Returned(taskpool.Outcome{})
		r, err := src.Done(context.Background())
		must(t, err)
		equal(t, "fates", countsOf(r), counts{Succeeded: 3, Failed: 1})
		equal(t, "attempts", r.Results[0].Attempts, 4)
		equal(t, "order", order.String(), "first@1h0m0s second@2h0m0s nested@4h0m0s")
		equal(t, "took", elapsed(start), 25*time.Hour)
	})
}

// The earliest deadline counts, also if it comes last, and with it what was due in between.
func TestEarlierDeadlineOfAnotherDoneCounts(t *testing.T) {
	eachSource(t, taskpool.Config{}, func(t *testing.T, src taskpool.Source, begin func() opened) {
		var ran trail
		start := time.Now()
		s := begin()
		for _, m := range []int{1, 2, 3, 4} {
			must(t, s.Submit(taskpool.Job{Name: fmt.Sprint(m), Delay: time.Duration(m) * time.Minute, Run: stamped(&ran, start, fmt.Sprint(m))}))
		}
		s.Returned(taskpool.Outcome{})
		errs := make(chan error)
		for _, limit := range []time.Duration{0, 210 * time.Second, 150 * time.Second, time.Hour} {
			ctx := context.Background()
			if limit > 0 {
				ctx = within(t, limit)
			}
			go func() {
				_, err := src.Done(ctx)
				errs <- err
			}()
			synctest.Wait()
		}
		for range 4 {
			err := <-errs
			wantErr(t, "Done", err, context.DeadlineExceeded)
			equal(t, "error", err.Error(), "taskpool: Done ran out of time: 2 tasks canceled (4, 3): context deadline exceeded")
		}
		equal(t, "ran", ran.String(), "1@1m0s 2@2m0s")
		equal(t, "took", elapsed(start), 2*time.Minute)
	})
}

// The same for what is accepted, released or fails while Done has time.
func TestWhatComesDuringDoneIsHeldToItsDeadline(t *testing.T) {
	eachSource(t, taskpool.Config{Workers: 1}, func(t *testing.T, src taskpool.Source, begin func() opened) {
		start := time.Now()
		var ran trail
		s := begin()
		once := failure(1, &ran, start)
		must(t, s.Submit(
			taskpool.Job{Name: "staged", Start: taskpool.StartAfterResponse, Delay: 50 * time.Second, Run: stamped(&ran, start, "staged")},
			taskpool.Job{Name: "in time", Run: func(context.Context) error {
				time.Sleep(5 * time.Second)
				return once(nil)
			}, Retry: waits(30 * time.Second)},
			taskpool.Job{Name: "fails", Run: func(context.Context) error { time.Sleep(5 * time.Second); return errTask }, Retry: waits(0, 45*time.Second)}))
		go func() {
			time.Sleep(20 * time.Second)
			must(t, s.Submit(taskpool.Job{Name: "late", Delay: 40 * time.Second, Run: nop}, taskpool.Job{Delay: 39 * time.Second, Run: stamped(&ran, start, "added")}))
			s.Returned(taskpool.Outcome{})
		}()
		synctest.Wait()
		r, err := src.Done(within(t, time.Minute))
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "error", err.Error(), "taskpool: Done ran out of time: 2 tasks canceled, 1 retry given up (fails, late, staged): context deadline exceeded")
		equal(t, "results", resultsOf(r), "fails failed, late canceled, staged canceled")
		equal(t, "attempts", r.Results[0].Attempts, 2)
		equal(t, "added has run", strings.HasSuffix(ran.String(), "added@59s"), true)
	})
}

// A lane that is held by a time beyond the deadline has nothing to wait for, but one
// that is held by what runs, or until before, has.
func TestDoneGivesUpWhatALaneHoldsForLonger(t *testing.T) {
	lanes := map[string]taskpool.Lane{"slow": {Rate: 1, Per: time.Hour}, "fast": {Rate: 1, Per: 10 * time.Second}, "one": {Limit: 1}}
	for _, hooked := range []bool{false, true} {
		c := taskpool.Config{Workers: 4, Lanes: lanes}
		var e endings
		if hooked {
			c.Hooks.Ended = e.hook
		}
		eachSource(t, c, func(t *testing.T, src taskpool.Source, begin func() opened) {
			e.fates = nil
			start := time.Now()
			s := begin()
			brief := func(context.Context) error { time.Sleep(time.Second); return nil }
			for _, lane := range []string{"fast", "one", "slow"} {
				for i := range 3 {
					must(t, s.Submit(taskpool.Job{Name: fmt.Sprint(lane, i), Lane: lane, Run: brief, Priority: priorities[i]}))
				}
			}
			must(t, s.Submit(taskpool.Job{Name: "again", Lane: "slow", Run: failing, Retry: waits(0), Priority: taskpool.PriorityHigh}))
			s.Returned(taskpool.Outcome{})
			synctest.Wait()
			r, err := src.Done(within(t, time.Minute))
			wantErr(t, "Done", err, context.DeadlineExceeded)
			equal(t, "took", elapsed(start), 21*time.Second)
			equal(t, "fates", countsOf(r).sum(), 10)
			equal(t, "lost", r.Canceled+r.Failed, 3)
			if hooked {
				equal(t, "told", len(e.once(t)), 10)
			}
		})
	}
}

// What has failed and waits ends as it was when Done is cut, whatever it waits for;
// what never ran is canceled.
func TestWhatHasFailedEndsSoWhenDoneIsCut(t *testing.T) {
	for _, hooked := range []bool{false, true} {
		var e endings
		c := taskpool.Config{Workers: 1, Lanes: map[string]taskpool.Lane{"slow": {Rate: 1, Per: time.Hour}}}
		if hooked {
			c.Hooks.Ended = e.hook
		}
		eachSource(t, c, func(t *testing.T, src taskpool.Source, begin func() opened) {
			e.fates = nil
			s := begin()
			must(t, s.Submit(
				taskpool.Job{Name: "waits", Run: failing, Retry: waits(time.Hour)},
				taskpool.Job{Name: "in a lane", Lane: "slow", Run: failing, Retry: waits(0)},
				taskpool.Job{Name: "queued", Run: failing, Retry: waits(time.Second)},
				taskpool.Job{Name: "delayed", Run: nop, Delay: time.Hour},
			))
			synctest.Wait()
			must(t, s.Submit(taskpool.Job{Name: "runs", Run: untilCanceled}))
			time.Sleep(2 * time.Second)
			promise := taskpool.Async(s.Scope, func(context.Context) (int, error) { return 0, nil })
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Minute, cancel)
			r, err := src.Done(ctx)
			wantErr(t, "Done", err, context.Canceled)
			equal(t, "fates", countsOf(r), counts{Failed: 3, Canceled: 3})
			if !strings.Contains(err.Error(), "3 tasks canceled, 3 retries given up, 1 handler still open") {
				t.Errorf("got %q", err)
			}
			for _, res := range r.Results {
				if strings.Contains(res.Err.Error(), "accepts no more") {
					t.Errorf("an accepted task's error reads %q", res.Err)
				}
			}
			_, err = promise.Await(context.Background())
			wantErr(t, "Await", err, taskpool.ErrDone)
			equal(t, "its text", err.Error(), noTime)
			if hooked {
				equal(t, "told", len(e.once(t)), 6)
			}
		})
	}
}

// So many lines, and one for the rest.
func TestWhatDoneCutIsLoggedByNameUpToABound(t *testing.T) {
	for _, hooked := range []bool{false, true} {
		var log logbook
		c := taskpool.Config{Workers: 2, Results: taskpool.KeepNone, Logger: logger(&log)}
		if hooked {
			c.Hooks.Ended = func(context.Context, taskpool.Result) {}
		}
		eachSource(t, c, func(t *testing.T, src taskpool.Source, begin func() opened) {
			log.steps = nil
			release := make(chan struct{})
			for i := range 2 {
				s := begin()
				for j := range 75 {
					must(t, s.Submit(taskpool.Job{Name: fmt.Sprint(i, "-", j), Run: stuckIn(release)}))
				}
			}
			synctest.Wait()
			_, err := src.Done(canceled())
			lines := log.all()
			names := map[string]bool{}
			for _, line := range lines[:len(lines)-1] {
				names[line] = true
			}
			equal(t, "names", len(names), 100)
			equal(t, "last", lines[len(lines)-1], "ERROR more tasks canceled or abandoned tasks=50")
			if !strings.Contains(err.Error(), "and 147 more") {
				t.Errorf("got %q", err)
			}
			close(release)
		})
	}
}

func TestDoneSaysHowManyHandlersItWaitedForInVain(t *testing.T) {
	eachSource(t, taskpool.Config{}, func(t *testing.T, src taskpool.Source, begin func() opened) {
		for range 3 {
			must(t, begin().Add(nop))
		}
		begin() // without tasks it is not waited for
		_, err := src.Done(within(t, time.Second))
		equal(t, "error", fmt.Sprint(err), "taskpool: Done ran out of time: 3 handlers still open: context deadline exceeded")
	})
}

func TestCutThatCostsNothingSaysSo(t *testing.T) {
	eachSource(t, taskpool.Config{}, func(t *testing.T, src taskpool.Source, begin func() opened) {
		s := begin()
		must(t, s.Add(func(ctx context.Context) error { <-ctx.Done(); return nil }))
		s.Returned(taskpool.Outcome{})
		_, err := src.Done(within(t, time.Second))
		equal(t, "error", fmt.Sprint(err), "taskpool: Done ran out of time: no task was cut short: context deadline exceeded")
	})
}

// A Retry is asked while Done has time, and not once it was cut.
func TestRetryIsNotAskedOnceDoneIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		asked := 0
		ignores := func(context.Context) error { time.Sleep(time.Second); return errTask }
		must(t, p.Submit(taskpool.Job{Run: ignores, Retry: func(int, error) (time.Duration, bool) { asked++; return 0, true }}))
		synctest.Wait()
		r, err := p.Done(within(t, 2500*time.Millisecond))
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "asked", asked, 2)
		equal(t, "fates", countsOf(r), counts{Canceled: 1})
		equal(t, "attempts", r.Results[0].Attempts, 3)
	})
}

// Done may come, and be cut, while a Retry decides: then what it decides comes too late.
func TestDoneThatIsCutBesideARetryThatDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		must(t, p.Submit(taskpool.Job{Run: failing, Retry: func(int, error) (time.Duration, bool) {
			time.Sleep(1500 * time.Millisecond)
			return 0, true
		}}))
		synctest.Wait()
		r, err := p.Done(within(t, time.Second))
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "results", fmt.Sprint(len(r.Results), r.Results[0].Fate, r.Results[0].Attempts), "1 failed 1")
		balanced(t, p)
	})
}

func TestDoneTakesANilContextForNone(t *testing.T) {
	eachSource(t, taskpool.Config{}, func(t *testing.T, src taskpool.Source, begin func() opened) {
		s := begin()
		must(t, s.Add(nop))
		s.Returned(taskpool.Outcome{})
		r, err := src.Done(nil) //nolint:staticcheck // that is what is tested
		must(t, err)
		equal(t, "fates", countsOf(r), counts{Succeeded: 1})
	})
}
