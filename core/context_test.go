package taskpool_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

type userKey struct{}

func withUser(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, userKey{}, user)
}

// user is a task that notes whose it is.
func user(seen *trail) taskpool.Task {
	return func(ctx context.Context) error {
		seen.add("%v", ctx.Value(userKey{}))
		return nil
	}
}

func TestTaskHasTheValuesOfTheContextItsScopeWasTakenFrom(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	var seen trail
	ctx, s := begin(p, withUser(context.Background(), "outer"))
	inner := taskpool.FromContext(withUser(ctx, "inner"))
	must(t, s.Add(user(&seen)))
	must(t, taskpool.FromContext(ctx).AfterResponse(user(&seen)))
	must(t, inner.Add(user(&seen)))
	must(t, inner.OnSuccess(user(&seen)))
	must(t, inner.Submit(taskpool.Job{Run: user(&seen)}))
	taskpool.Async(inner, func(ctx context.Context) (int, error) { return 0, user(&seen)(ctx) })
	must(t, inner.Submit(taskpool.Job{Timeout: time.Hour, Run: func(ctx context.Context) error {
		return taskpool.FromContext(ctx).Add(user(&seen))
	}}))
	// A task's own context, and one that a task derives.
	must(t, inner.Add(func(ctx context.Context) error {
		if err := taskpool.FromContext(ctx).Add(user(&seen)); err != nil {
			return err
		}
		return taskpool.FromContext(withUser(ctx, "task")).Add(user(&seen))
	}))
	must(t, p.Add(user(&seen)))
	finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed) // the same scope, whichever value
	must(t, drain(t, p).Err())
	equal(t, "seen", seen.sorted(), "<nil> inner inner inner inner inner inner outer outer task")
}

func TestTaskOutlivesTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		ctx, cancel := context.WithCancelCause(withUser(context.Background(), "ann"))
		ctx, cancel2 := context.WithTimeout(ctx, time.Second)
		defer cancel2()
		ctx, s := begin(p, ctx)
		deadline, ok := ctx.Deadline()
		equal(t, "the request's deadline in its context", ok && deadline.Equal(time.Now().Add(time.Second)), true)
		see := func(ctx context.Context) error {
			_, has := ctx.Deadline()
			equal(t, "deadline in the task", has, false)
			time.Sleep(time.Hour)
			wantErr(t, "Err in the task", ctx.Err(), nil)
			wantErr(t, "Cause in the task", context.Cause(ctx), nil)
			select {
			case <-ctx.Done():
				t.Error("the task is canceled")
			default:
			}
			equal(t, "value", ctx.Value(userKey{}), any("ann"))
			return nil
		}
		must(t, s.Add(see))
		must(t, taskpool.FromContext(withUser(ctx, "ann")).AfterResponse(see))
		gone := errors.New("client gone")
		cancel(gone)
		wantErr(t, "Cause in the handler", context.Cause(ctx), gone)
		wantErr(t, "Err in the handler", ctx.Err(), context.Canceled)
		<-ctx.Done()
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 2})
	})
}

func TestTimeoutCancelsARunWithItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		p := newPool(taskpool.Config{Timeout: time.Second, Logger: slog.New(&book), Results: taskpool.KeepAll})
		start := time.Now()
		see := func(want time.Duration) taskpool.Task {
			return func(ctx context.Context) error {
				d, ok := ctx.Deadline()
				equal(t, "deadline", ok && d.Equal(start.Add(want)), true)
				<-ctx.Done()
				equal(t, "canceled after", elapsed(start), want)
				wantErr(t, "Err", ctx.Err(), context.DeadlineExceeded)
				wantErr(t, "Cause", context.Cause(ctx), context.DeadlineExceeded)
				if errors.Is(context.Cause(ctx), taskpool.ErrDone) {
					t.Error("the timeout's cause is taken for Done's")
				}
				return context.Cause(ctx)
			}
		}
		_, s := begin(p, context.Background())
		must(t, s.Add(see(time.Second)))
		must(t, s.Submit(taskpool.Job{Name: "long", Run: see(time.Minute), Timeout: time.Minute}))
		must(t, s.Submit(taskpool.Job{Run: func(ctx context.Context) error {
			_, ok := ctx.Deadline()
			equal(t, "deadline of a job with a negative timeout", ok, false)
			time.Sleep(time.Hour)
			return ctx.Err()
		}, Timeout: -1}))
		r, err := s.Drain(context.Background())
		must(t, err)
		equal(t, "counts", countsOf(r), counts{Succeeded: 1, Failed: 2})
		equal(t, "error", r.Results[1].Err.Error(), "taskpool: the task's timeout of 1m0s has passed")

		// What returns nil too late has succeeded. A second after the timeout it is logged.
		before := len(book.all())
		must(t, s.Submit(taskpool.Job{Name: "late", Run: func(context.Context) error { time.Sleep(3 * time.Second); return nil }}))
		r, err = s.Drain(context.Background())
		must(t, err)
		equal(t, "counts", countsOf(r), counts{Succeeded: 2, Failed: 2})
		equal(t, "log", book.all()[before], "WARN task overran its timeout task=late attempt=1 timeout=1s ran=2s")
	})
}

func TestDoneCancelsWithinATimeoutAndATimeoutWithinTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Timeout: time.Hour})
		ctx, s := begin(p, withUser(context.Background(), "ann"))
		must(t, taskpool.FromContext(withUser(ctx, "bob")).Add(func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			<-ctx.Done()
			wantErr(t, "Cause", context.Cause(ctx), taskpool.ErrDone)
			equal(t, "value", ctx.Value(userKey{}), any("bob"))
			return ctx.Err()
		}))
		synctest.Wait()
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		r, err := p.Done(within(t, time.Second))
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "counts", countsOf(r), counts{Canceled: 1})
	})
}

// A context type that the context package does not know would cost a goroutine
// for each context derived from it.
func TestDerivingCostsNoGoroutine(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	request, cancelRequest := context.WithCancel(context.Background())
	defer cancelRequest()
	ctx, s := begin(p, request)
	derive := func(what string, ctx context.Context) {
		before := runtime.NumGoroutine()
		var ends []func()
		for range 100 {
			c1, e1 := context.WithCancel(ctx)
			_, e2 := context.WithTimeout(c1, time.Hour)
			_, e3 := context.WithCancelCause(context.WithValue(ctx, userKey{}, 1))
			e4 := context.AfterFunc(ctx, func() {})
			ends = append(ends, e1, e2, func() { e3(nil) }, func() { e4() })
		}
		if got := runtime.NumGoroutine(); got > before+10 {
			t.Errorf("%s: %d goroutines for 400 derived contexts", what, got-before)
		}
		for _, end := range ends {
			end()
		}
	}
	derive("the handler's context", ctx)
	task := func(what string) taskpool.Task {
		return func(ctx context.Context) error {
			derive(what, ctx)
			return nil
		}
	}
	must(t, s.Add(task("a scope's task")))
	must(t, taskpool.FromContext(withUser(ctx, "ann")).Add(task("a task with an inner context")))
	must(t, p.Add(task("a pool's task")))
	must(t, p.Submit(taskpool.Job{Run: task("a task with a timeout"), Timeout: time.Hour}))
	drain(t, p)
}

func TestAfterFuncOfATaskRunsWhenDoneIsCutNotWhenTheRequestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		request, cancel := context.WithCancel(context.Background())
		_, s := begin(p, request)
		called := make(chan time.Time, 1)
		must(t, s.Add(func(ctx context.Context) error {
			context.AfterFunc(ctx, func() { called <- time.Now() })
			<-ctx.Done()
			return nil
		}))
		cancel()
		synctest.Wait()
		equal(t, "called at the request's end", len(called), 0)
		s.Returned(taskpool.Outcome{})
		start := time.Now()
		_, err := p.Done(within(t, time.Second))
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "called after", (<-called).Sub(start), time.Second)
	})
}

func TestFromContextFindsTheScope(t *testing.T) {
	p := newPool(taskpool.Config{})
	var none taskpool.Scope
	equal(t, "a bare context", taskpool.FromContext(context.Background()), none)
	equal(t, "a nil context", taskpool.FromContext(nil), none) //nolint:staticcheck // on purpose
	ctx, s := begin(p, nil)
	equal(t, "Begin's context", taskpool.FromContext(ctx), s.Scope)
	derived, cancel := context.WithCancel(ctx)
	defer cancel()
	equal(t, "a derived one's pool", taskpool.FromContext(derived).Pool(), p)
	must(t, taskpool.FromContext(derived).AfterResponse(nop))
	equal(t, "the same scope", len(s.Pending()), 1)
	must(t, s.Add(func(ctx context.Context) error {
		equal(t, "in a task", taskpool.FromContext(ctx), s.Scope)
		wantErr(t, "add in a task", taskpool.FromContext(ctx).Add(nop), nil)
		return nil
	}))
	must(t, p.Add(func(ctx context.Context) error {
		equal(t, "in a pool's task", taskpool.FromContext(ctx), none)
		return nil
	}))
	finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	equal(t, "counts", countsOf(done(t, p)), counts{Succeeded: 4})
}
