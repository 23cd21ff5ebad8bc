package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// within is a context that ends after d.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestDoneRefusesWhatComesAfter(t *testing.T) {
	p := newPool(taskpool.Config{})
	must(t, p.Add(nop))
	equal(t, "counts", countsOf(done(t, p)), counts{Succeeded: 1})
	wantErr(t, "Pool.Add", p.Add(nop), taskpool.ErrDone)
	wantErr(t, "Pool.Submit", p.Submit(taskpool.Job{Run: nop}), taskpool.ErrDone)
	ctx, s := begin(p, context.Background())
	wantErr(t, "Scope.Add", s.Add(nop), taskpool.ErrDone)
	wantErr(t, "Scope.OnSuccess", taskpool.FromContext(ctx).OnSuccess(nop), taskpool.ErrDone)
	if s.Returned(taskpool.Outcome{}) {
		t.Error("Returned reports tasks of a scope that was refused them")
	}
	s.Sent(taskpool.ReleaseFlushed)
	equal(t, "refused", balanced(t, p).Refused, 4)
	_, err := p.Drain(context.Background())
	wantErr(t, "Drain after Done", err, nil)
}

func TestDoneOfAnIdlePoolReturnsAtOnceEvenWithACanceledContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		p.Begin(context.Background()) // an open handler without tasks is not waited for
		start := time.Now()
		r, err := p.Done(canceled())
		wantErr(t, "Done", err, nil)
		equal(t, "counts", countsOf(r), counts{})
		equal(t, "time", elapsed(start), 0)
	})
}

func TestDoneAgainGivesTheSameReport(t *testing.T) {
	p := newPool(taskpool.Config{Results: taskpool.KeepAll})
	must(t, p.Submit(taskpool.Job{Name: "a", Run: nop}, taskpool.Job{Name: "b", Run: failing}))
	first := done(t, p)
	equal(t, "results", fmt.Sprint(first.Succeeded, first.Failed, len(first.Results)), "1 1 2")
	want := resultsOf(first)
	first.Results[0].Name = "changed by a caller"
	r, err := p.Done(canceled())
	wantErr(t, "Done again", err, nil)
	equal(t, "results", resultsOf(r), want)
	equal(t, "counts", countsOf(r), countsOf(first))
}

func TestDoneReportsWhatEndedSinceTheLastDrain(t *testing.T) {
	p := newPool(taskpool.Config{})
	must(t, p.Add(nop, failing))
	drain(t, p)
	must(t, p.Add(nop))
	equal(t, "counts", countsOf(done(t, p)), counts{Succeeded: 1})
}

func TestDoneResumesAPausedPool(t *testing.T) {
	p := newPool(taskpool.Config{})
	p.Pause()
	must(t, p.Add(nop, nop))
	equal(t, "queued", p.Stats().Queued, 2)
	equal(t, "counts", countsOf(done(t, p)), counts{Succeeded: 2})
}

func TestPauseDuringDoneHasNoEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		g := newGate()
		must(t, p.Add(g.task, nop))
		go func() {
			<-g.begun
			synctest.Wait()
			p.Pause()
			g.open()
		}()
		equal(t, "counts", countsOf(done(t, p)), counts{Succeeded: 2})
	})
}

func TestOpenScopesGoOnAcceptingDuringDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, early := begin(p, context.Background())
		_, open := begin(p, context.Background())
		must(t, open.OnSuccess(nop))
		ended := make(chan taskpool.Report)
		go func() { ended <- done(t, p) }()
		synctest.Wait()
		wantErr(t, "Pool.Add", p.Add(nop), taskpool.ErrDone)
		_, late := begin(p, context.Background())
		wantErr(t, "a scope begun during Done", late.Add(nop), taskpool.ErrDone)
		must(t, early.AfterResponse(nop)) // begun before Done, first task now
		must(t, open.Add(nop))
		must(t, open.OnFailure(nop))
		synctest.Wait()
		equal(t, "staged while the handlers are open", balanced(t, p).Staged, 3)
		if early.Returned(taskpool.Outcome{}); balanced(t, p).Staged != 2 {
			t.Error("a handler's return during Done does not release its scope")
		}
		select {
		case <-ended:
			t.Fatal("Done returned before the open handler did")
		default:
		}
		open.Returned(taskpool.Outcome{Status: 200})
		r := <-ended
		equal(t, "counts", countsOf(r), counts{Succeeded: 3, Discarded: 1})
		o, known := open.Outcome()
		equal(t, "outcome known", known, true)
		equal(t, "release", o.Release, taskpool.ReleasePoolDone)
		open.Sent(taskpool.ReleaseFlushed) // too late to change that
		o, _ = open.Outcome()
		equal(t, "release after a late Sent", o.Release, taskpool.ReleasePoolDone)
		wantErr(t, "Add after Done", open.Add(nop), taskpool.ErrDone)
		balanced(t, p)
	})
}

func TestDoneReleasesReturnedScopesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Grace: time.Hour})
		var scopes []opened
		for i := range 3 {
			_, s := begin(p, context.Background())
			must(t, s.OnSuccess(nop))
			must(t, s.OnFailure(nop, nop))
			s.Returned(taskpool.Outcome{Status: 200 + 300*(i%2)})
			scopes = append(scopes, s)
		}
		start := time.Now()
		r := done(t, p)
		equal(t, "time", elapsed(start), 0)
		equal(t, "counts", countsOf(r), counts{Succeeded: 2 + 2, Discarded: 4 + 1})
		for _, s := range scopes {
			o, _ := s.Outcome()
			equal(t, "release", o.Release, taskpool.ReleasePoolDone)
		}
	})
}

func TestDoneWaitsForAnOpenHandlerWhoseTasksHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		must(t, s.Add(nop))
		start := time.Now()
		go func() {
			time.Sleep(time.Second)
			must(t, s.Add(nop)) // it may still add
			time.Sleep(time.Second)
			s.Returned(taskpool.Outcome{})
		}()
		r := done(t, p)
		equal(t, "time", elapsed(start), 2*time.Second)
		equal(t, "counts", countsOf(r), counts{Succeeded: 2})
	})
}

// The whole of an end that comes too early: each task's fate, when Done returns,
// what it says.
func TestDoneOutOfTimeGivesEveryTaskItsFate(t *testing.T) {
	for _, hooked := range []bool{false, true} {
		t.Run(fmt.Sprintf("hooked=%v", hooked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var e endings
				c := taskpool.Config{Workers: 5}
				if hooked {
					c.Hooks.Ended = e.hook
				}
				p := newPool(c)
				release := make(chan struct{})
				named := func(name string, run taskpool.Task) taskpool.Job { return taskpool.Job{Name: name, Run: run} }
				must(t, p.Submit(
					named("stuck", func(context.Context) error { <-release; return errTask }),
					named("stuck and happy", func(context.Context) error { <-release; return nil }),
					named("gives up", func(ctx context.Context) error {
						<-ctx.Done()
						wantErr(t, "Cause in the task", context.Cause(ctx), taskpool.ErrDone)
						wantErr(t, "Err in the task", ctx.Err(), context.Canceled)
						time.Sleep(time.Second - 1)
						return context.Cause(ctx)
					}),
					named("finishes", func(ctx context.Context) error { <-ctx.Done(); return nil }),
					named("panics then", func(ctx context.Context) error { <-ctx.Done(); panic("boom") }),
				))
				synctest.Wait()
				must(t, p.Submit(named("queued", nop), named("queued too", nop)))
				_, s := begin(p, context.Background())
				never := func(context.Context) error { t.Error("a canceled task ran"); return nil }
				must(t, s.Submit(named("scope's", never),
					taskpool.Job{Name: "staged", Run: never, Start: taskpool.StartAfterResponse},
					taskpool.Job{Name: "staged too", Run: never, Start: taskpool.StartOnSuccess}))

				start := time.Now()
				r, err := p.Done(within(t, 10*time.Second))
				equal(t, "time", elapsed(start), 11*time.Second)
				wantErr(t, "Done", err, context.DeadlineExceeded)
				text := fmt.Sprint(err)
				if hooked { // workers end what is queued, at once and in any order
					text = regexp.MustCompile(`\((.+, ){3}and 5 more\)`).ReplaceAllString(text, "(queued, scope's, queued too, and 5 more)")
				}
				equal(t, "error", text,
					"taskpool: Done ran out of time: 6 tasks canceled, 2 tasks abandoned, 1 handler still open (queued, scope's, queued too, and 5 more): context deadline exceeded")
				want := counts{Succeeded: 1, Panicked: 1, Canceled: 6, Abandoned: 2}
				equal(t, "counts", countsOf(r), want)
				fates := make(map[string]taskpool.Fate)
				for _, res := range r.Results {
					fates[res.Name] = res.Fate
					if res.Fate != taskpool.FatePanicked {
						wantErr(t, res.Name, res.Err, taskpool.ErrDone)
					}
					ran := res.Name == "gives up" || res.Name == "panics then" || res.Fate == taskpool.FateAbandoned
					equal(t, "attempts of "+res.Name, res.Attempts == 1, ran)
				}
				wantFates := map[string]taskpool.Fate{
					"stuck": taskpool.FateAbandoned, "stuck and happy": taskpool.FateAbandoned,
					"gives up": taskpool.FateCanceled, "panics then": taskpool.FatePanicked,
					"queued": taskpool.FateCanceled, "queued too": taskpool.FateCanceled,
					"scope's": taskpool.FateCanceled, "staged": taskpool.FateCanceled, "staged too": taskpool.FateCanceled,
				}
				equal(t, "results", fmt.Sprint(fates), fmt.Sprint(wantFates))
				if hooked {
					wantFates["finishes"] = taskpool.FateSucceeded
					equal(t, "Ended", fmt.Sprint(e.once(t)), fmt.Sprint(wantFates))
				}
				stats := balanced(t, p)
				equal(t, "running", stats.Running, 0)

				// What comes late changes nothing.
				close(release)
				synctest.Wait()
				s.Returned(taskpool.Outcome{})
				s.Sent(taskpool.ReleaseFlushed)
				synctest.Wait()
				after := balanced(t, p)
				equal(t, "stats after the late return", after, stats)
				again, err2 := p.Done(context.Background())
				equal(t, "Done again", err2, err)
				equal(t, "report again", resultsOf(again), resultsOf(r))
				if hooked {
					e.once(t)
				}
			})
		})
	}
}

func TestDoneOutOfTimeReturnsAsSoonAsTasksGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		must(t, p.Add(untilCanceled, untilCanceled))
		synctest.Wait()
		start := time.Now()
		r, err := p.Done(within(t, 3*time.Second))
		equal(t, "time", elapsed(start), 3*time.Second)
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "counts", countsOf(r), counts{Canceled: 2})
		for _, res := range r.Results {
			equal(t, "attempts of a task that ran", res.Attempts, 1)
		}
	})
}

func TestDoneGivesTheCauseOfItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		must(t, p.Add(untilCanceled))
		stop := errors.New("stop now")
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(stop)
		_, err := p.Done(ctx)
		wantErr(t, "Done", err, stop)
	})
}

// The caller's error is not asked for its text under the lock.
func TestDoneMayBeGivenACauseThatLooksAtThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		must(t, p.Submit(taskpool.Job{Name: "a", Run: untilCanceled}))
		synctest.Wait()
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(lookingError{p})
		_, err := p.Done(ctx)
		equal(t, "error", fmt.Sprint(err), "taskpool: Done ran out of time: 1 task canceled (a): 1 canceled")
	})
}

type lookingError struct{ p *taskpool.Pool }

func (e lookingError) Error() string { return fmt.Sprint(e.p.Stats().Canceled, " canceled") }

func TestDoneOutOfTimeEndsAnOpenHandlerWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		must(t, s.Add(nop))
		must(t, s.AfterResponse(nop))
		synctest.Wait()
		start := time.Now()
		r, err := p.Done(within(t, time.Second))
		equal(t, "time", elapsed(start), time.Second)
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "counts", countsOf(r), counts{Succeeded: 1, Canceled: 1})
		wantErr(t, "Add", s.Add(nop), taskpool.ErrDone)
	})
}

// A task that lent its slot takes it back to hear that it is canceled, however
// many are stuck.
func TestDoneOutOfTimeCancelsTasksThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		release := make(chan struct{})
		_, other := begin(p, context.Background())
		must(t, other.Submit(taskpool.Job{Name: "stuck", Run: func(context.Context) error { <-release; return nil }}))
		synctest.Wait()
		p.Resize(2)
		must(t, p.Submit(taskpool.Job{Name: "waiter", Run: func(ctx context.Context) error {
			_, err := other.Drain(ctx)
			return err
		}}))
		synctest.Wait()
		p.Resize(1)
		finish(other, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		start := time.Now()
		r, err := p.Done(within(t, time.Second))
		equal(t, "time", elapsed(start), 2*time.Second)
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "results", resultsOf(r), "waiter canceled, stuck abandoned")
		close(release)
		synctest.Wait()
		balanced(t, p)
	})
}

func TestAbandonedWaiterHarmsNothingWhenItsWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := newPool(taskpool.Config{Workers: 1}), newPool(taskpool.Config{})
		g := newGate()
		must(t, q.Add(g.task))
		_, s := begin(q, context.Background())
		must(t, s.Add(g.behind))
		must(t, p.Add(func(ctx context.Context) error {
			_, err := s.Drain(context.WithoutCancel(ctx))
			return err
		}))
		synctest.Wait()
		r, err := p.Done(within(t, time.Second))
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "counts", countsOf(r), counts{Abandoned: 1})
		g.open()
		drain(t, q)
		synctest.Wait()
		balanced(t, p)
		equal(t, "abandoned", p.Stats().Abandoned, 1)
	})
}

// behind is a further task that the same gate holds.
func (g gate) behind(context.Context) error {
	<-g.opened
	return nil
}

func TestHangingEndedHookHoldsDoneForOneMoreSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var e endings
		p := newPool(taskpool.Config{Workers: 2, Hooks: taskpool.Hooks{Ended: func(ctx context.Context, r taskpool.Result) {
			e.hook(ctx, r)
			<-release
		}}})
		stuck := func(context.Context) error { <-release; return nil }
		must(t, p.Submit(taskpool.Job{Name: "ended", Run: nop}, taskpool.Job{Name: "stuck", Run: stuck}))
		synctest.Wait()
		must(t, p.Submit(taskpool.Job{Name: "queued1", Run: nop}, taskpool.Job{Name: "queued2", Run: nop}))
		start := time.Now()
		r, err := p.Done(within(t, time.Second))
		equal(t, "time", elapsed(start), 3*time.Second)
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "counts", countsOf(r), counts{Succeeded: 1, Canceled: 2, Abandoned: 1})
		stats := balanced(t, p)
		close(release)
		synctest.Wait()
		equal(t, "stats after the hooks return", balanced(t, p), stats)
		equal(t, "Ended", fmt.Sprint(e.once(t)),
			"map[ended:succeeded queued1:canceled queued2:canceled stuck:abandoned]")
	})
}

// What was to be discarded is discarded, also when nobody could be told.
func TestHangingEndedHookTurnsNoDiscardIntoACancelation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := newPool(taskpool.Config{Workers: 1, Hooks: taskpool.Hooks{Ended: func(context.Context, taskpool.Result) { <-release }}})
		_, s := begin(p, context.Background())
		must(t, s.OnFailure(repeat(6, nop)...))
		must(t, s.OnSuccess(nop))
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		synctest.Wait()
		start := time.Now()
		r, _ := p.Done(canceled())
		equal(t, "time", elapsed(start), 2*time.Second)
		equal(t, "counts", countsOf(r), counts{Discarded: 6, Canceled: 1})
		close(release)
		synctest.Wait()
		balanced(t, p)
	})
}

func TestTaskThatNeverRanHasNoAttempts(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1, Results: taskpool.KeepAll})
	p.Pause()
	_, s := begin(p, context.Background())
	must(t, s.OnFailure(nop))
	must(t, s.Submit(taskpool.Job{Run: nop, Start: taskpool.StartOnFailure}))
	s.Returned(taskpool.Outcome{})
	s.Sent(taskpool.ReleaseFlushed)
	_, open := begin(p, context.Background())
	must(t, open.AfterResponse(nop))
	must(t, open.Submit(taskpool.Job{Run: nop, Start: taskpool.StartAfterResponse}))
	r, _ := p.Done(canceled())
	equal(t, "counts", countsOf(r), counts{Discarded: 2, Canceled: 2})
	for _, res := range r.Results {
		equal(t, "attempts of a task that was "+res.Fate.String(), res.Attempts, 0)
	}
}

// More tasks are abandoned than one: a hook that hangs for the first does not
// keep the others from being told.
func TestHangingEndedHookHoldsNoOtherTasksEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var told trail
		p := newPool(taskpool.Config{Workers: 3, Hooks: taskpool.Hooks{Ended: func(_ context.Context, r taskpool.Result) {
			told.add("%s %v", r.Name, r.Fate)
			<-release
		}}})
		stuck := func(context.Context) error { <-release; return nil }
		for _, name := range []string{"a", "b", "c"} {
			must(t, p.Submit(taskpool.Job{Name: name, Run: stuck}))
		}
		synctest.Wait()
		r, _ := p.Done(canceled())
		equal(t, "counts", countsOf(r), counts{Abandoned: 3})
		equal(t, "Ended", told.sorted(), "a abandoned b abandoned c abandoned")
		close(release)
	})
}

func TestGoexitInEndedOfAnAbandonedTaskHoldsNoOtherTasksEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var told trail
		p := newPool(taskpool.Config{Workers: 2, Hooks: taskpool.Hooks{Ended: func(_ context.Context, r taskpool.Result) {
			told.add("%s %v", r.Name, r.Fate)
			runtime.Goexit()
		}}})
		stuck := func(context.Context) error { <-release; return nil }
		must(t, p.Submit(taskpool.Job{Name: "a", Run: stuck}, taskpool.Job{Name: "b", Run: stuck}))
		synctest.Wait()
		start := time.Now()
		r, _ := p.Done(canceled())
		equal(t, "time", elapsed(start), time.Second)
		equal(t, "counts", countsOf(r), counts{Abandoned: 2})
		equal(t, "Ended", told.sorted(), "a abandoned b abandoned")
		close(release)
	})
}

// Ended is told of a task once, and with the fate that is counted, also when the
// task returns while Ended is being told that it was abandoned.
func TestReturnDuringEndedOfAnAbandonedTaskChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e endings
		p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Ended: func(ctx context.Context, r taskpool.Result) {
			e.hook(ctx, r)
			time.Sleep(500 * time.Millisecond)
		}}})
		must(t, p.Submit(taskpool.Job{Name: "late", Run: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(1200 * time.Millisecond)
			return ctx.Err()
		}}))
		synctest.Wait()
		start := time.Now()
		r, err := p.Done(canceled())
		equal(t, "time", elapsed(start), 1500*time.Millisecond)
		wantErr(t, "Done", err, context.Canceled)
		equal(t, "results", resultsOf(r), "late abandoned")
		synctest.Wait()
		equal(t, "Ended", fmt.Sprint(e.once(t)), "map[late:abandoned]")
		balanced(t, p)
	})
}

// The worker of a task that was given up may be gone before the hook returns.
func TestLateReturnWhileEndedHangsIsStillCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var e endings
		p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Ended: func(ctx context.Context, r taskpool.Result) {
			e.hook(ctx, r)
			<-release
		}}})
		must(t, p.Submit(taskpool.Job{Name: "late", Run: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(1200 * time.Millisecond)
			return ctx.Err()
		}}))
		synctest.Wait()
		start := time.Now()
		r, _ := p.Done(canceled())
		equal(t, "time", elapsed(start), 2*time.Second)
		equal(t, "results", resultsOf(r), "late abandoned")
		equal(t, "running", balanced(t, p).Running, 0)
		close(release)
		synctest.Wait()
		equal(t, "Ended", fmt.Sprint(e.once(t)), "map[late:abandoned]")
		equal(t, "abandoned", balanced(t, p).Abandoned, 1)
	})
}

// The task has returned in time; its hook has until the hooks' second is over.
func TestEndedThatBeganInTimeIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Ended: func(context.Context, taskpool.Result) {
			time.Sleep(300 * time.Millisecond)
			ended.Store(true)
		}}})
		must(t, p.Add(func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(900 * time.Millisecond)
			return ctx.Err()
		}))
		synctest.Wait()
		start := time.Now()
		r, _ := p.Done(canceled())
		equal(t, "time", elapsed(start), 1200*time.Millisecond)
		equal(t, "counts", countsOf(r), counts{Canceled: 1})
		equal(t, "Ended had returned", ended.Load(), true)
	})
}

func TestHangingDrainedHookHoldsDoneForTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Drained: func(context.Context, taskpool.Report) { <-release }}})
		_, s := begin(p, context.Background())
		must(t, s.Add(nop))
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		synctest.Wait()
		start := time.Now()
		r, err := p.Done(within(t, time.Second))
		equal(t, "time", elapsed(start), 3*time.Second)
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "counts", countsOf(r), counts{Succeeded: 1})
		close(release)
		synctest.Wait()
		balanced(t, p)
	})
}

// Drained is owed to a scope whose last task was abandoned, too.
func TestDrainedIsCalledForAScopeWhoseTaskWasAbandoned(t *testing.T) {
	for _, hooked := range []bool{false, true} {
		t.Run(fmt.Sprintf("hooked=%v", hooked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				var drained trail
				c := taskpool.Config{Workers: 1}
				c.Hooks.Drained = func(_ context.Context, r taskpool.Report) { drained.add("%s", resultsOf(r)) }
				if hooked {
					c.Hooks.Ended = func(context.Context, taskpool.Result) {}
				}
				p := newPool(c)
				_, s := begin(p, context.Background())
				must(t, s.Submit(taskpool.Job{Name: "stuck", Run: func(context.Context) error { <-release; return nil }}))
				finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
				synctest.Wait()
				start := time.Now()
				_, err := p.Done(canceled())
				wantErr(t, "Done", err, context.Canceled)
				equal(t, "time", elapsed(start), time.Second)
				equal(t, "Drained", drained.String(), "stuck abandoned")
				close(release)
				synctest.Wait()
				equal(t, "Drained after the late return", drained.String(), "stuck abandoned")
			})
		})
	}
}

func TestDrainedIsCalledWhenTheHandlerReturnsAfterDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var drained trail
		p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Drained: func(_ context.Context, r taskpool.Report) {
			drained.add("%v %v", countsOf(r), r.Outcome.Release)
		}}})
		_, s := begin(p, context.Background())
		must(t, s.OnSuccess(nop))
		_, err := p.Done(canceled())
		wantErr(t, "Done", err, context.Canceled)
		equal(t, "Drained before the handler returned", drained.String(), "")
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		synctest.Wait()
		equal(t, "Drained", drained.String(), "{0 0 0 0 1 0} pool done")
	})
}

// One for what was running, and one for what has to be logged of the rest.
func TestHangingLoggerHoldsDoneForTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := newPool(taskpool.Config{Workers: 1, Logger: slog.New(hangingHandler{release: release})})
		must(t, p.Submit(taskpool.Job{Name: "failed", Run: failing}, taskpool.Job{Name: "queued", Run: nop}))
		synctest.Wait()
		start := time.Now()
		r, err := p.Done(within(t, time.Second))
		equal(t, "time", elapsed(start), 3*time.Second)
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "results", resultsOf(r), "queued canceled, failed failed")
		stats := balanced(t, p)
		close(release)
		synctest.Wait()
		equal(t, "stats after the logger returns", balanced(t, p), stats)
	})
}

type hangingHandler struct {
	slog.Handler
	release chan struct{}
}

func (h hangingHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h hangingHandler) Handle(context.Context, slog.Record) error {
	<-h.release
	return nil
}

func TestEarliestContextCutsDoneForAllCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		release := make(chan struct{})
		must(t, p.Add(func(context.Context) error { <-release; return nil }, untilCanceled))
		synctest.Wait()
		start := time.Now()
		type end struct {
			report string
			err    error
			after  time.Duration
		}
		ends := make(chan end)
		first := errors.New("first")
		cut, cancel := context.WithTimeoutCause(context.Background(), 2*time.Second, first)
		defer cancel()
		for _, ctx := range []context.Context{
			context.Background(), within(t, 5*time.Second), cut, within(t, 2500*time.Millisecond),
		} {
			go func() {
				r, err := p.Done(ctx)
				ends <- end{resultsOf(r), err, elapsed(start)}
			}()
		}
		one := <-ends
		equal(t, "time", one.after, 3*time.Second)
		wantErr(t, "Done", one.err, first)
		for range 3 {
			equal(t, "another caller", <-ends, one)
		}
		close(release)
	})
}

func TestDoneSupersedesAWaitingDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		g := newGate()
		must(t, p.Add(g.task))
		drained := make(chan error)
		go func() {
			_, err := p.Drain(context.Background())
			drained <- err
		}()
		synctest.Wait()
		go func() { _, _ = p.Done(context.Background()) }()
		wantErr(t, "Drain", <-drained, taskpool.ErrSuperseded)
		_, err := p.Drain(context.Background())
		wantErr(t, "Drain during Done", err, taskpool.ErrSuperseded)
		g.open()
		equal(t, "counts", countsOf(done(t, p)), counts{Succeeded: 1})
	})
}

// On real threads: what Add accepted has run when Done returns; what it refused
// never runs.
func TestAddsThatRaceDoneAreRunOrRefused(t *testing.T) {
	for range 200 {
		p := newPool(taskpool.Config{Workers: 2})
		var ran, accepted atomic.Int64
		var adders sync.WaitGroup
		task := func(context.Context) error { ran.Add(1); return nil }
		for i := range 3 {
			adders.Go(func() {
				for j := range 50 {
					var err error
					if i == 0 {
						err = p.Add(task)
					} else {
						_, s := begin(p, context.Background())
						if err = s.AfterResponse(task); err == nil && j%3 == 0 {
							runtime.Gosched()
						}
						finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
					}
					switch {
					case err == nil:
						accepted.Add(1)
					case !errors.Is(err, taskpool.ErrDone):
						t.Error(err)
					}
				}
			})
		}
		var dones sync.WaitGroup
		for range 2 {
			dones.Go(func() { done(t, p) })
		}
		dones.Wait()
		ranAtDone := ran.Load()
		adders.Wait()
		equal(t, "ran", ran.Load(), accepted.Load())
		equal(t, "ran when Done returned", ranAtDone, accepted.Load())
		s := balanced(t, p)
		equal(t, "succeeded", s.Succeeded, uint64(ranAtDone))
	}
}

// The same with a Done that has no time: a task runs or is canceled.
func TestAddsThatRaceACutDoneHaveOneFate(t *testing.T) {
	for i := range 200 {
		var ended atomic.Int64
		c := taskpool.Config{Workers: 2}
		if i%2 == 0 {
			c.Hooks.Ended = func(context.Context, taskpool.Result) { ended.Add(1) }
		}
		p := newPool(c)
		var adders sync.WaitGroup
		for range 2 {
			adders.Go(func() {
				for range 30 {
					_, s := begin(p, context.Background())
					_ = s.Add(nop)
					_ = s.AfterResponse(nop, failing)
					_ = s.OnFailure(nop)
					finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
				}
			})
		}
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		r, err := p.Done(ctx)
		adders.Wait()
		s := balanced(t, p)
		equal(t, "in the report", countsOf(r), fatesOf(s))
		equal(t, "in the report", uint64(countsOf(r).sum()), s.Accepted)
		equal(t, "abandoned", s.Abandoned, 0)
		if s.Canceled > 0 && err == nil {
			t.Error("tasks were canceled and Done says nothing")
		}
		if i%2 == 0 {
			equal(t, "Ended", uint64(ended.Load()), s.Accepted)
		}
	}
}
