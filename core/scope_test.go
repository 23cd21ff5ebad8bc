package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// The outcome rules: what a request's end makes of what it staged.
func TestOutcomeDecidesWhatStagedTasksStart(t *testing.T) {
	veto := errors.New("veto")
	background := func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }
	expired := func() (context.Context, context.CancelFunc) {
		return context.WithDeadline(context.Background(), time.Unix(0, 0))
	}
	gone := func() (context.Context, context.CancelFunc) { return canceled(), func() {} }
	for _, c := range []struct {
		name    string
		ctx     func() (context.Context, context.CancelFunc)
		fail    error
		given   taskpool.Outcome
		want    taskpool.Outcome
		success bool
	}{
		{name: "200", given: taskpool.Outcome{Status: 200}, want: taskpool.Outcome{Status: 200}, success: true},
		{name: "399", given: taskpool.Outcome{Status: 399}, want: taskpool.Outcome{Status: 399}, success: true},
		{name: "unknown status", success: true},
		{name: "400", given: taskpool.Outcome{Status: 400}, want: taskpool.Outcome{Status: 400}},
		{name: "503", given: taskpool.Outcome{Status: 503}, want: taskpool.Outcome{Status: 503}},
		{name: "an error alone decides nothing", given: taskpool.Outcome{Err: errTask}, want: taskpool.Outcome{Err: errTask}, success: true},
		{name: "panic", given: taskpool.Outcome{Status: 200, Panicked: true}, want: taskpool.Outcome{Status: 200, Panicked: true}},
		{name: "veto", fail: veto, given: taskpool.Outcome{Status: 200}, want: taskpool.Outcome{Status: 200, Vetoed: veto}},
		{name: "deadline", ctx: expired, given: taskpool.Outcome{Status: 200}, want: taskpool.Outcome{Status: 200, Expired: true}},
		{name: "deadline, told", given: taskpool.Outcome{Expired: true}, want: taskpool.Outcome{Expired: true}},
		{name: "a context that ended does not tell why", ctx: gone, given: taskpool.Outcome{Status: 200}, want: taskpool.Outcome{Status: 200}, success: true},
		{name: "client gone, told", given: taskpool.Outcome{Disconnected: true}, want: taskpool.Outcome{Disconnected: true}, success: true},
		{name: "a release given too early is ignored", given: taskpool.Outcome{Release: taskpool.ReleaseHeld}, success: true},
	} {
		for _, hooked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/hooked=%v", c.name, hooked), func(t *testing.T) {
				config := taskpool.Config{Workers: 1}
				if hooked {
					config.Hooks.Ended = func(context.Context, taskpool.Result) {}
				}
				p := newPool(config)
				if c.ctx == nil {
					c.ctx = background
				}
				ctx, cancel := c.ctx()
				defer cancel()
				_, s := begin(p, ctx)
				var ran trail
				must(t, s.OnFailure(ran.task("failure")))
				must(t, s.AfterResponse(ran.task("after")))
				must(t, s.OnSuccess(ran.task("success")))
				must(t, s.Submit(taskpool.Job{Run: ran.task("success job"), Start: taskpool.StartOnSuccess},
					taskpool.Job{Run: ran.task("failure job"), Start: taskpool.StartOnFailure}))
				s.Fail(nil) // is nothing
				if c.fail != nil {
					s.Fail(c.fail)
					s.Fail(errors.New("a second veto"))
				}
				if !s.Returned(c.given) {
					t.Error("Returned reports no tasks")
				}
				s.Fail(errors.New("a veto after the return"))
				if _, known := s.Outcome(); known {
					t.Error("the outcome is known before the response is sent")
				}
				s.Sent(taskpool.ReleaseStreamClosed)
				s.Sent(taskpool.ReleaseFlushed) // the first counts
				c.want.Release = taskpool.ReleaseStreamClosed
				o, known := s.Outcome()
				equal(t, "known", known, true)
				equal(t, "outcome", o, c.want)
				equal(t, "success", o.Success(), c.success)
				want := "failure after failure job"
				if c.success {
					want = "after success success job"
				}
				r, err := s.Drain(context.Background())
				must(t, err)
				equal(t, "ran", ran.String(), want)
				n := len(ran.all())
				equal(t, "counts", countsOf(r), counts{Succeeded: n, Discarded: 5 - n})
				equal(t, "outcome in the report", r.Outcome, c.want)
				balanced(t, p)
			})
		}
	}
}

func TestStagedTasksWaitForTheResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		var ran trail
		must(t, s.AfterResponse(ran.task("staged")))
		must(t, s.Add(ran.task("now")))
		synctest.Wait()
		equal(t, "before the return", ran.String(), "now")
		s.Sent(taskpool.ReleaseFlushed) // out of order: it is not returned yet
		synctest.Wait()
		equal(t, "after a Sent that came before Returned", ran.String(), "now")
		s.Returned(taskpool.Outcome{})
		synctest.Wait()
		equal(t, "after the return", ran.String(), "now")
		equal(t, "staged", balanced(t, p).Staged, 1)
		s.Sent(taskpool.ReleaseFlushed)
		synctest.Wait()
		equal(t, "after the response", ran.String(), "now staged")
		equal(t, "staged", balanced(t, p).Staged, 0)
	})
}

// Some frameworks render an error after their middleware has returned.
func TestReturnedAgainBeforeSentAmends(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p := newPool(taskpool.Config{})
	_, s := begin(p, ctx)
	must(t, s.OnFailure(nop))
	s.Fail(errTask)
	s.Returned(taskpool.Outcome{Status: 200, Disconnected: true})
	cancel() // after the handler has returned it tells nothing
	s.Returned(taskpool.Outcome{Status: 500, Err: errTask})
	s.Sent(taskpool.ReleaseFlushed)
	if s.Returned(taskpool.Outcome{Status: 204}) {
		t.Error("Returned after Sent says that there is something to release")
	}
	o, _ := s.Outcome()
	equal(t, "outcome", o, taskpool.Outcome{Status: 500, Err: errTask, Vetoed: errTask, Disconnected: true, Release: taskpool.ReleaseFlushed})
}

func TestTaskAddsToItsScopeAfterTheResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, hooked := range []bool{false, true} {
			c := taskpool.Config{Workers: 1}
			if hooked {
				c.Hooks.Ended = func(context.Context, taskpool.Result) {}
			}
			p := newPool(c)
			_, s := begin(p, context.Background())
			var ran trail
			must(t, s.AfterResponse(func(ctx context.Context) error {
				own := taskpool.FromContext(ctx)
				must(t, own.OnFailure(ran.task("failure")))
				must(t, own.OnSuccess(ran.task("success")))
				must(t, own.AfterResponse(ran.task("after")))
				return own.Add(ran.task("now"))
			}))
			finish(s, taskpool.Outcome{Status: 404}, taskpool.ReleaseFlushed)
			r, err := s.Drain(context.Background())
			must(t, err)
			equal(t, "ran", ran.String(), "failure after now")
			equal(t, "counts", countsOf(r), counts{Succeeded: 4, Discarded: 1})
			wantErr(t, "a stray Add", s.Add(nop), taskpool.ErrScopeClosed)
			balanced(t, p)
		}
	})
}

func TestScopeIsClosedWhenItsHandlerHasReturnedAndNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, none := begin(p, context.Background())
		none.Returned(taskpool.Outcome{})
		wantErr(t, "a scope that had no task", none.Add(nop), taskpool.ErrScopeClosed)

		_, s := begin(p, context.Background())
		must(t, s.AfterResponse(nop))
		s.Returned(taskpool.Outcome{})
		must(t, s.Add(nop)) // something is staged
		must(t, s.OnSuccess(nop))
		s.Sent(taskpool.ReleaseFlushed)
		synctest.Wait()
		wantErr(t, "Add", s.Add(nop), taskpool.ErrScopeClosed)
		wantErr(t, "AfterResponse", s.AfterResponse(nop), taskpool.ErrScopeClosed)
		wantErr(t, "Submit", s.Submit(taskpool.Job{Run: nop}), taskpool.ErrScopeClosed)
		equal(t, "refused", balanced(t, p).Refused, 4)
	})
}

func TestZeroScopeAnswersErrNoScope(t *testing.T) {
	var s taskpool.Scope
	wantErr(t, "Add", s.Add(nop), taskpool.ErrNoScope)
	wantErr(t, "AfterResponse", s.AfterResponse(nop), taskpool.ErrNoScope)
	wantErr(t, "OnSuccess", s.OnSuccess(nop), taskpool.ErrNoScope)
	wantErr(t, "OnFailure", s.OnFailure(nop), taskpool.ErrNoScope)
	wantErr(t, "Submit", s.Submit(taskpool.Job{Run: nop}), taskpool.ErrNoScope)
	_, err := s.Drain(context.Background())
	wantErr(t, "Drain", err, taskpool.ErrNoScope)
	s.Fail(errTask)
	var x taskpool.Exchange
	equal(t, "Scope", x.Scope(), s)
	equal(t, "Returned", x.Returned(taskpool.Outcome{}), false)
	x.Sent(taskpool.ReleaseFlushed)
	x.Reused(frameworkKey{}, nil)
	equal(t, "Held", x.Held(), false)
	x.Hold()
	_, known := s.Outcome()
	equal(t, "known", known, false)
	equal(t, "Pending", len(s.Pending()), 0)
	equal(t, "Pool", s.Pool(), nil)
}

func TestInnerMiddlewareJoinsTheScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := newPool(taskpool.Config{}), newPool(taskpool.Config{})
		type key struct{}
		var ran trail
		ctx, outer := begin(p, context.Background())
		same, inner := begin(p, context.WithValue(ctx, key{}, "inner value"))
		must(t, inner.AfterResponse(func(ctx context.Context) error {
			ran.add("%v", ctx.Value(key{}))
			return nil
		}))
		must(t, taskpool.FromContext(same).AfterResponse(ran.task("from the context")))
		equal(t, "Returned of the inner one", inner.Returned(taskpool.Outcome{Status: 500}), false)
		inner.Sent(taskpool.ReleaseFlushed) // tells nothing
		must(t, outer.Add(ran.task("outer")))
		synctest.Wait()
		equal(t, "ran", ran.String(), "outer")

		ctx2, other := begin(q, same)
		equal(t, "the pool of another's middleware", taskpool.FromContext(ctx2).Pool(), q)
		finish(other, taskpool.Outcome{}, taskpool.ReleaseFlushed)

		outer.Returned(taskpool.Outcome{Status: 200})
		inner.Sent(taskpool.ReleaseFlushed)
		equal(t, "staged after the inner one's Sent", p.Stats().Staged, 2)
		outer.Sent(taskpool.ReleaseFlushed)
		r, err := outer.Drain(context.Background())
		must(t, err)
		equal(t, "ran", ran.sorted(), "from the context inner value outer")
		equal(t, "outcome", r.Outcome.Success(), true)

		// The outer handler has returned: nothing to join.
		_, late := begin(p, ctx)
		must(t, late.Add(nop))
		finish(late, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		drain(t, p)
	})
}

func TestBeginInATaskIsANewScope(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	ctx, outer := begin(p, context.Background())
	begin := func(ctx context.Context) error {
		inner, s := begin(p, ctx)
		must(t, s.AfterResponse(nop))
		if !s.Returned(taskpool.Outcome{Status: 500}) {
			t.Error("the inner scope was joined")
		}
		s.Sent(taskpool.ReleaseNoServer)
		r, err := taskpool.FromContext(inner).Drain(inner)
		equal(t, "counts", countsOf(r), counts{Succeeded: 1})
		return err
	}
	must(t, outer.Add(begin))
	must(t, p.Add(begin))
	must(t, drain(t, p).Err())
	_, err := outer.Drain(ctx)
	must(t, err)
	finish(outer, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
	o, _ := outer.Outcome()
	equal(t, "the outer status", o.Status, 200)
	done(t, p)
}

func TestPendingIsWhatWaitsInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1, Hooks: taskpool.Hooks{Drained: func(context.Context, taskpool.Report) {}}})
		ctx, s := begin(p, context.Background())
		g := newGate()
		must(t, s.Add(g.task))
		<-g.begun
		must(t, s.Submit(taskpool.Job{Run: nop, Start: taskpool.StartOnSuccess}))
		must(t, s.Add(failing))
		for i := range 70 { // beyond a chunk
			must(t, s.Submit(taskpool.Job{Name: fmt.Sprint(i), Run: nop}))
		}
		must(t, s.Submit(taskpool.Job{Name: "staged", Run: nop, Start: taskpool.StartOnFailure, Timeout: time.Second}))
		jobs := taskpool.FromContext(ctx).Pending()
		var names []string
		for _, j := range jobs {
			names = append(names, j.Name[strings.LastIndex(j.Name, ".")+1:]+":"+j.Start.String())
		}
		equal(t, "jobs", len(jobs), 73)
		equal(t, "first", fmt.Sprint(names[:3]), "[failing:now 0:now 1:now]")
		equal(t, "last", fmt.Sprint(names[70:]), "[69:now nop:on success staged:on failure]")
		equal(t, "timeout", jobs[72].Timeout, time.Second)
		p.Pause()
		g.open()
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		synctest.Wait()
		equal(t, "released and not yet started", len(s.Pending()), 72)
		p.Resume()
		drain(t, p)
		equal(t, "nothing left", len(s.Pending()), 0)
		equal(t, "Pool", s.Pool(), p)
	})
}

func TestHandleIsTheLifecycleOfARequest(t *testing.T) {
	stage := func(ran *trail, end error) func(context.Context) error {
		return func(ctx context.Context) error {
			s := taskpool.FromContext(ctx)
			must(t, s.OnSuccess(ran.task("success")))
			must(t, s.OnFailure(ran.task("failure")))
			must(t, s.AfterResponse(ran.task("after")))
			return end
		}
	}
	for _, c := range []struct {
		name string
		end  error
		want string
	}{{"nil", nil, "success after"}, {"error", errTask, "failure after"}} {
		t.Run(c.name, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: 1})
			var ran trail
			wantErr(t, "Handle", taskpool.Handle(context.Background(), p, stage(&ran, c.end)), c.end)
			drain(t, p)
			equal(t, "ran", ran.String(), c.want)
		})
	}
	t.Run("panic", func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var ran trail
		func() {
			defer func() { equal(t, "recovered", recover(), "boom") }()
			_ = taskpool.Handle(context.Background(), p, func(ctx context.Context) error {
				_ = stage(&ran, nil)(ctx)
				panic("boom")
			})
		}()
		drain(t, p)
		equal(t, "ran", ran.String(), "failure after")
	})
	t.Run("Goexit", func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var ran trail
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = taskpool.Handle(context.Background(), p, func(ctx context.Context) error {
				_ = stage(&ran, nil)(ctx)
				runtime.Goexit()
				return nil
			})
		}()
		<-ended
		drain(t, p)
		equal(t, "ran", ran.String(), "failure after")
	})
	t.Run("outcome", func(t *testing.T) {
		p := newPool(taskpool.Config{})
		var s taskpool.Scope
		err := taskpool.Handle(context.Background(), p, func(ctx context.Context) error {
			s = taskpool.FromContext(ctx)
			return errTask
		})
		o, known := s.Outcome()
		equal(t, "known", known, true)
		equal(t, "outcome", o, taskpool.Outcome{Err: err, Vetoed: err, Release: taskpool.ReleaseNoServer})
	})
	t.Run("inside another", func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var ran trail
		must(t, taskpool.Handle(context.Background(), p, func(ctx context.Context) error {
			// The outer one decides, and what the inner one returned is its affair.
			wantErr(t, "inner", taskpool.Handle(ctx, p, stage(&ran, errTask)), errTask)
			equal(t, "staged", p.Stats().Staged, 3)
			return nil
		}))
		drain(t, p)
		equal(t, "ran", ran.String(), "success after")
	})
	t.Run("misuse", func(t *testing.T) {
		wantErr(t, "nil Source", taskpool.Handle(context.Background(), nil, nop), taskpool.ErrNilSource)
		wantErr(t, "nil func", taskpool.Handle(context.Background(), newPool(taskpool.Config{}), nil), taskpool.ErrNilTask)
		// A nil pool runs fn; what it adds has no scope.
		wantErr(t, "nil pool", taskpool.Handle(context.Background(), (*taskpool.Pool)(nil), func(ctx context.Context) error {
			return taskpool.FromContext(ctx).Add(nop)
		}), taskpool.ErrNoScope)
	})
	t.Run("after Done", func(t *testing.T) {
		p := newPool(taskpool.Config{})
		done(t, p)
		wantErr(t, "Handle", taskpool.Handle(context.Background(), p, func(ctx context.Context) error {
			return taskpool.FromContext(ctx).Add(nop)
		}), taskpool.ErrDone)
	})
}

// A handler may return while a goroutine that it left behind still uses its scope:
// what is added then is either refused or run, and a veto counts or comes too late.
func TestReturnBesideWhatUsesTheScope(t *testing.T) {
	p := newPool(taskpool.Config{})
	veto := errors.New("no")
	var ran atomic.Int64
	accepted := 0
	for range 5000 {
		_, s := begin(p, context.Background())
		var err error
		var stray sync.WaitGroup
		meet := newMeeting(2)
		stray.Go(func() {
			meet()
			err = s.Add(func(context.Context) error { ran.Add(1); return nil })
			s.Fail(veto)
		})
		meet()
		had := s.Returned(taskpool.Outcome{Status: 200})
		s.Sent(taskpool.ReleaseNoServer)
		stray.Wait()
		if had != (err == nil) || err != nil && !errors.Is(err, taskpool.ErrScopeClosed) {
			t.Fatalf("the scope has had tasks: %v, Add: %v", had, err)
		}
		if had {
			accepted++
		}
		o, known := s.Outcome()
		if o.Vetoed != nil {
			equal(t, "vetoed", o.Vetoed, veto)
		}
		if !known || o.Status != 200 || o.Release != taskpool.ReleaseNoServer {
			t.Fatalf("got the outcome %+v, known: %v", o, known)
		}
	}
	r := done(t, p)
	equal(t, "ran", int(ran.Load()), accepted)
	equal(t, "succeeded", r.Succeeded, accepted)
}

// Sent counts after Returned only, also while another goroutine is in there.
func TestSentBesideReturned(t *testing.T) {
	p := newPool(taskpool.Config{})
	broken := errors.New("broken")
	returned := func(s opened) { s.Returned(taskpool.Outcome{Status: 500, Err: broken}) }
	for i := range 10000 {
		_, s := begin(p, context.Background())
		var other sync.WaitGroup
		meet := newMeeting(2)
		other.Go(func() {
			meet()
			if i%2 == 0 {
				returned(s)
			}
			s.Sent(taskpool.ReleaseNoServer)
		})
		meet()
		returned(s)
		other.Wait()
		if o, known := s.Outcome(); known {
			equal(t, "outcome", o, taskpool.Outcome{Status: 500, Err: broken, Release: taskpool.ReleaseNoServer})
		}
	}
}

// newMeeting returns a func that returns when n goroutines have called it: at once,
// as nearly as can be.
func newMeeting(n int32) func() {
	var here atomic.Int32
	return func() {
		here.Add(1)
		for here.Load() < n {
			runtime.Gosched()
		}
	}
}
