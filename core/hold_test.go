package taskpool_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/elite-libs/taskpool/core"
)

// sleeping is a task that takes d.
func sleeping(d time.Duration) taskpool.Task {
	return func(context.Context) error {
		time.Sleep(d)
		return nil
	}
}

// staging is a handler that stages a task that takes d, if it is to.
func staging(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		if d == 0 {
			return nil
		}
		return taskpool.FromContext(ctx).AfterResponse(sleeping(d))
	}
}

func TestHeldRequestEndsAfterItsTasks(t *testing.T) {
	sources := map[string]func(taskpool.Config) taskpool.Source{
		"shared":      func(c taskpool.Config) taskpool.Source { return newPool(c) },
		"per request": perRequest,
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := taskpool.Hold(source(taskpool.Config{}), taskpool.HoldOptions{})
				var scope taskpool.Scope
				start := time.Now()
				must(t, taskpool.Handle(context.Background(), src, func(ctx context.Context) error {
					scope = taskpool.FromContext(ctx)
					return scope.AfterResponse(func(ctx context.Context) error {
						time.Sleep(time.Second)
						return taskpool.FromContext(ctx).Submit(taskpool.Job{Run: sleeping(time.Second), Delay: time.Minute})
					})
				}))
				equal(t, "time", elapsed(start), time.Minute+2*time.Second)
				o, known := scope.Outcome()
				equal(t, "release", fmt.Sprint(o.Release, known), "held true")
				r, err := src.Done(context.Background())
				must(t, err)
				equal(t, "counts", countsOf(r), counts{Succeeded: 2})
			})
		})
	}
}

// A task that was not staged holds the request as well.
func TestRequestIsHeldByWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := taskpool.Hold(newPool(taskpool.Config{}), taskpool.HoldOptions{})
		start := time.Now()
		must(t, taskpool.Handle(context.Background(), src, func(ctx context.Context) error {
			return taskpool.FromContext(ctx).Add(sleeping(time.Second))
		}))
		equal(t, "time", elapsed(start), time.Second)
	})
}

func TestHandleHoldsWhateverTheFunctionReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := taskpool.Hold(newPool(taskpool.Config{}), taskpool.HoldOptions{})
		start := time.Now()
		alert := func(ctx context.Context) error {
			must(t, taskpool.FromContext(ctx).OnFailure(sleeping(time.Second)))
			return errTask
		}
		wantErr(t, "Handle", taskpool.Handle(context.Background(), src, alert), errTask)
		equal(t, "time after an error", elapsed(start), time.Second)
		func() {
			defer func() { equal(t, "panic", recover(), any("boom")) }()
			_ = taskpool.Handle(context.Background(), src, func(ctx context.Context) error {
				_ = alert(ctx)
				panic("boom")
			})
		}()
		equal(t, "time after a panic", elapsed(start), 2*time.Second)
	})
}

func TestHeldRequestWithNothingLeftEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		src := taskpool.Hold(p, taskpool.HoldOptions{Last: true})
		must(t, p.Add(sleeping(time.Hour))) // no request's
		for _, tasks := range [][]taskpool.Task{nil, {nop}} {
			_, s := begin(src, context.Background())
			equal(t, "held at first", s.Held(), true)
			must(t, s.Add(tasks...))
			synctest.Wait()
			s.Returned(taskpool.Outcome{})
			equal(t, "held with nothing left", s.Held(), false)
			start := time.Now()
			s.Hold()
			equal(t, "time", elapsed(start), 0)
		}
		drain(t, p)
	})
}

func TestHoldEndsAtItsLimitOrWithTheRequest(t *testing.T) {
	for _, tt := range []struct {
		name        string
		limit, ends time.Duration
		want        time.Duration
	}{
		{"limit", time.Second, time.Minute, time.Second},
		{"request", time.Minute, time.Second, time.Second},
		{"request without a limit", 0, time.Second, time.Second},
		{"negative limit", -1, time.Minute, time.Minute},
		{"neither", 2 * time.Hour, 2 * time.Hour, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(taskpool.Config{})
				src := taskpool.Hold(p, taskpool.HoldOptions{Limit: tt.limit})
				start := time.Now()
				must(t, taskpool.Handle(within(t, tt.ends), src, staging(time.Hour)))
				equal(t, "time", elapsed(start), tt.want)
				equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 1})
				equal(t, "time of the task", elapsed(start), time.Hour)
			})
		})
	}
}

func TestHoldLastHoldsTheNewestRequestForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := taskpool.Hold(newPool(taskpool.Config{}), taskpool.HoldOptions{Last: true})
		start := time.Now()
		var ends trail
		for i, d := range []time.Duration{time.Hour, time.Second, time.Minute, 0} {
			go func() {
				time.Sleep(time.Duration(i) * 10 * time.Second)
				must(t, taskpool.Handle(context.Background(), src, staging(d)))
				ends.add("%d:%v", i, elapsed(start))
			}()
		}
		time.Sleep(2 * time.Hour)
		// The second ends when the third comes, although its own task has ended: it
		// waits for that of the first. The last has no task and frees nobody.
		equal(t, "ends", ends.String(), "0:10s 1:20s 3:30s 2:1h0m0s")
	})
}

func TestHoldLastWaitsForWhatALimitLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := taskpool.Hold(newPool(taskpool.Config{}), taskpool.HoldOptions{Last: true, Limit: 10 * time.Second})
		start := time.Now()
		must(t, taskpool.Handle(context.Background(), src, staging(15*time.Second)))
		equal(t, "time of the first", elapsed(start), 10*time.Second)
		must(t, taskpool.Handle(context.Background(), src, staging(time.Second)))
		equal(t, "time of the second", elapsed(start), 15*time.Second)
		must(t, taskpool.Handle(context.Background(), src, staging(time.Second)))
		equal(t, "time of the third", elapsed(start), 16*time.Second)
	})
}

func TestHoldForgetsRequestsThatHaveEnded(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // see isCollected
	type blob [1 << 10]byte
	p := newPool(taskpool.Config{})
	src := taskpool.Hold(p, taskpool.HoldOptions{Last: true})
	kept := func() weak.Pointer[blob] {
		value := new(blob)
		type key struct{}
		must(t, taskpool.Handle(context.WithValue(context.Background(), key{}, value), src, func(ctx context.Context) error {
			return taskpool.FromContext(ctx).AfterResponse(nop)
		}))
		return weak.Make(value)
	}()
	drain(t, p)
	isCollected(t, "a value of the request", kept)
	runtime.KeepAlive(src)
}

func TestHoldLastForgetsWhatALimitLeft(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // see isCollected
	type blob [1 << 10]byte
	p := newPool(taskpool.Config{})
	src := taskpool.Hold(p, taskpool.HoldOptions{Last: true, Limit: 1})
	kept := func() weak.Pointer[blob] {
		value, g := new(blob), newGate()
		type key struct{}
		must(t, taskpool.Handle(context.WithValue(context.Background(), key{}, value), src, func(ctx context.Context) error {
			return taskpool.FromContext(ctx).AfterResponse(g.task)
		}))
		g.open()
		return weak.Make(value)
	}()
	drain(t, p)
	isCollected(t, "a value of the request", kept)
	runtime.KeepAlive(src)
}

func TestNothingIsHeldOnceHeldRequestsWereLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		src := taskpool.Hold(p, taskpool.HoldOptions{})
		start := time.Now()
		ended := make(chan time.Duration)
		go func() {
			must(t, taskpool.Handle(context.Background(), src, staging(time.Minute)))
			ended <- elapsed(start)
		}()
		time.Sleep(time.Second)
		src.Free() // as httppool.Serve does
		equal(t, "held for", <-ended, time.Second)
		must(t, taskpool.Handle(context.Background(), src, staging(time.Minute)))
		equal(t, "time of the next", elapsed(start), time.Second)
		equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 2})
	})
}

func TestOnlyTheOutermostRequestIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer, p := newPool(taskpool.Config{}), newPool(taskpool.Config{})
		held := taskpool.Hold(p, taskpool.HoldOptions{})
		start := time.Now()
		must(t, taskpool.Handle(context.Background(), outer, func(ctx context.Context) error {
			err := taskpool.Handle(ctx, held, staging(time.Hour))
			equal(t, "time within the request of another pool", elapsed(start), 0)
			return err
		}))
		must(t, taskpool.Handle(context.Background(), held, func(ctx context.Context) error {
			err := taskpool.Handle(ctx, held, staging(time.Minute))
			equal(t, "time of the inner one", elapsed(start), 0)
			return err
		}))
		equal(t, "time of the outer one", elapsed(start), time.Minute)
		drain(t, p)
	})
}

func TestHeldRequestOfATaskLendsItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		src := taskpool.Hold(p, taskpool.HoldOptions{})
		must(t, p.Add(func(ctx context.Context) error { return taskpool.Handle(ctx, src, staging(time.Second)) }))
		start := time.Now()
		equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 2})
		equal(t, "time", elapsed(start), time.Second)
	})
}

func TestDoneLetsHeldRequestsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := taskpool.Hold(newPool(taskpool.Config{Logger: slog.New(slog.DiscardHandler)}), taskpool.HoldOptions{})
		start := time.Now()
		ended := make(chan time.Duration, 1)
		go func() {
			_ = taskpool.Handle(context.Background(), src, func(ctx context.Context) error {
				return taskpool.FromContext(ctx).AfterResponse(untilCanceled)
			})
			ended <- elapsed(start)
		}()
		synctest.Wait()
		r, err := src.Done(within(t, time.Minute))
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "counts", countsOf(r), counts{Canceled: 1})
		equal(t, "held for", <-ended, 0)
	})
}

func TestRequestIsNotHeldOnceDoneHasReleasedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, s := begin(taskpool.Hold(p, taskpool.HoldOptions{}), context.Background())
		must(t, s.AfterResponse(sleeping(time.Second)))
		go p.Done(context.Background()) //nolint:errcheck // its end is not the point
		synctest.Wait()
		equal(t, "Returned", s.Returned(taskpool.Outcome{}), true)
		equal(t, "held", s.Held(), false)
		o, _ := s.Outcome()
		equal(t, "release", o.Release, taskpool.ReleasePoolDone)
		done(t, p)
	})
}

func TestHoldOfNothingBeginsNoScope(t *testing.T) {
	for name, src := range map[string]struct {
		*taskpool.Holder
		want error
	}{
		"nil Source":  {taskpool.Hold(nil, taskpool.HoldOptions{}), taskpool.ErrNilSource},
		"zero Holder": {new(taskpool.Holder), taskpool.ErrNilSource},
		"nil Holder":  {nil, taskpool.ErrNilSource},
		"zero Pool":   {taskpool.Hold(new(taskpool.Pool), taskpool.HoldOptions{}), taskpool.ErrNoPool},
	} {
		_, s := begin(src.Holder, context.Background())
		wantErr(t, name+": Add", s.Add(nop), taskpool.ErrNoScope)
		equal(t, name+": held", s.Held(), false)
		s.Hold()
		src.Free()
		_, err := src.Done(context.Background())
		wantErr(t, name+": Done", err, src.want)
	}
}
