package taskpool_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

func TestEveryRefusalIsCountedAndSaysWhichTask(t *testing.T) {
	p := newPool(taskpool.Config{})
	_, s := begin(p, context.Background())
	good := taskpool.Job{Name: "good", Run: nop}
	var refused uint64
	for _, tt := range []struct {
		err  error
		n    uint64
		want error
		says string
	}{
		{p.Add(nop, nil, nop), 3, taskpool.ErrNilTask, "taskpool: nil task (task number 2 of 3)"},
		{s.AfterResponse(nil), 1, taskpool.ErrNilTask, "taskpool: nil task"},
		{s.Submit(good, taskpool.Job{Name: "mail", Run: nop, Delay: -1}), 2, taskpool.ErrBadJob, `taskpool: bad job: a negative Delay, -1ns (task "mail", number 2 of 2)`},
		{p.Submit(taskpool.Job{Run: nop, Priority: 2}, good), 2, taskpool.ErrBadJob, "taskpool: bad job: unknown Priority 2 (task number 1 of 2)"},
		{p.Submit(taskpool.Job{Run: nop, Start: 9}), 1, taskpool.ErrBadJob, "taskpool: bad job: unknown Start 9"},
		{p.Submit(taskpool.Job{Name: "staged", Run: nop, Start: taskpool.StartOnSuccess}), 1, taskpool.ErrNoScope, ""},
	} {
		wantErr(t, tt.says, tt.err, tt.want)
		if tt.says != "" {
			equal(t, "text", tt.err.Error(), tt.says)
		}
		refused += tt.n
	}
	_, err := taskpool.AsyncJob(p, taskpool.Job{Delay: -1}, giveOne)
	wantErr(t, "AsyncJob", err, taskpool.ErrBadJob)
	_, err = taskpool.AsyncJob[int](s.Scope, taskpool.Job{}, nil)
	wantErr(t, "AsyncJob of nil", err, taskpool.ErrNilTask)
	_, err = taskpool.AsyncJob(nil, taskpool.Job{}, giveOne)
	wantErr(t, "AsyncJob of a nil Adder", err, taskpool.ErrNoPool)
	equal(t, "Refused", p.Stats().Refused, refused+2)
	equal(t, "Accepted", p.Stats().Accepted, 0)
}

func TestErrorOfACanceledTaskCanBeMatchedAndDoesNotSpeakOfAdding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var cause error
		must(t, p.Add(func(ctx context.Context) error { _ = untilCanceled(ctx); cause = context.Cause(ctx); return cause }))
		synctest.Wait()
		promise := taskpool.Async(p, giveOne)
		_, err := p.Done(canceled())
		wantErr(t, "Done", err, context.Canceled)
		_, err = promise.Await(context.Background())
		for what, err := range map[string]error{"Await": err, "Cause": cause} {
			wantErr(t, what, err, taskpool.ErrCanceled)
			wantErr(t, what, err, taskpool.ErrDone)
			if strings.Contains(err.Error(), "accepts no more") {
				t.Errorf("%s: got %q", what, err)
			}
		}
		_, s := begin(newPool(taskpool.Config{}), context.Background())
		discarded, err := taskpool.AsyncJob(s.Scope, taskpool.Job{Start: taskpool.StartOnFailure}, giveOne)
		must(t, err)
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		_, err = discarded.Await(context.Background())
		wantErr(t, "discarded", err, taskpool.ErrDiscarded)
	})
}

func TestResultHasLaneAndPriority(t *testing.T) {
	p := newPool(taskpool.Config{Results: taskpool.KeepAll})
	must(t, p.Submit(taskpool.Job{Run: nop, Lane: "api", Priority: taskpool.PriorityHigh}))
	r := drain(t, p).Results[0]
	equal(t, "lane", r.Lane, "api")
	equal(t, "priority", r.Priority, taskpool.PriorityHigh)
	_, err := taskpool.AsyncJob(p, taskpool.Job{Priority: taskpool.PriorityLow}, giveOne)
	must(t, err)
	equal(t, "priority", drain(t, p).Results[0].Priority, taskpool.PriorityLow)
}

func TestNilContextIsTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		var none context.Context
		_, s := begin(p, none)
		must(t, s.Add(sleeping(time.Second)))
		_, err := s.Drain(none)
		must(t, err)
		v, err := taskpool.Async(p, value(7, time.Second)).Await(none)
		must(t, err)
		equal(t, "value", v, 7)
		must(t, p.Add(sleeping(time.Second)))
		_, err = p.Drain(none)
		must(t, err)
		taskpool.Throttle(none, taskpool.RateLimit{Reset: time.Now().Add(time.Hour)})
		must(t, taskpool.Handle(none, taskpool.Hold(p, taskpool.HoldOptions{}), func(ctx context.Context) error { return ctx.Err() }))
		must(t, taskpool.Handle(none, new(taskpool.Holder), func(ctx context.Context) error { return ctx.Err() }))
		must(t, taskpool.Handle(none, taskpool.JoinSources(), func(ctx context.Context) error { return ctx.Err() }))
		if ctx, _ := taskpool.JoinSources().Begin(none); ctx == nil {
			t.Error("got no context of a Source that begins nothing")
		}
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		_, err = p.Done(none)
		must(t, err)
		_, err = taskpool.PerRequest(taskpool.Config{}).Done(none)
		must(t, err)
	})
}

// An asking is a context whose methods look at the pool.
type asking struct {
	context.Context
	ask func()
}

func (a asking) Err() error        { a.ask(); return a.Context.Err() }
func (a asking) Value(key any) any { a.ask(); return a.Context.Value(key) }
func (a asking) Done() <-chan struct{} {
	a.ask()
	return a.Context.Done()
}

func TestNoWaitCallsItsContextUnderTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		ask := func() { p.Stats() }
		_, s := begin(p, asking{context.Background(), ask})
		must(t, s.Add(sleeping(time.Hour)))
		for _, base := range []context.Context{within(t, time.Second), canceled()} {
			ctx := asking{base, ask}
			_, err := p.Drain(ctx)
			wantErr(t, "Drain", err, base.Err())
			_, err = s.Drain(ctx)
			wantErr(t, "Scope.Drain", err, base.Err())
			_, err = taskpool.Async(p, value(1, time.Hour)).Await(ctx)
			wantErr(t, "Await", err, base.Err())
		}
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		_, err := p.Done(asking{context.Background(), ask})
		must(t, err)
	})
}

func TestSettledPromiseKeepsItsValue(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 2, Results: taskpool.KeepAll})
	var n atomic.Int32
	for range 300 {
		promise := taskpool.Async(twice{p}, func(context.Context) (int, error) { return int(n.Add(1)), nil })
		first, err := promise.Await(context.Background())
		if errors.Is(err, errTask) { // the refusal came first
			continue
		}
		must(t, err)
		drain(t, p)
		again, err := promise.Await(context.Background())
		must(t, err)
		equal(t, "value", again, first)
	}
}

// What settles the promise and who begins to wait may meet.
func TestNobodyWaitsForAPromiseThatIsSettledMeanwhile(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	for range 30_000 {
		promise := taskpool.Async(p, giveOne)
		var waits sync.WaitGroup
		waits.Go(func() { <-promise.Settled() })
		_, err := promise.Await(context.Background())
		must(t, err)
		waits.Wait()
	}
}

func TestNestedBeginJoinsTheOuterScopeOfItsPool(t *testing.T) {
	a, b := newPool(taskpool.Config{Name: "a"}), newPool(taskpool.Config{Name: "b"})
	for _, outer := range []taskpool.Source{a, taskpool.Hold(a, taskpool.HoldOptions{}), taskpool.PerRequest(taskpool.Config{})} {
		ctx, first := begin(outer, withUser(context.Background(), "ann"))
		ctx, second := begin(b, withUser(ctx, "bob"))
		inner, third := begin(outer, withUser(ctx, "eve"))
		equal(t, "pool", taskpool.FromContext(inner).Pool(), first.Pool())
		equal(t, "pool between", taskpool.FromContext(ctx).Pool(), b)
		var seen trail
		must(t, taskpool.FromContext(inner).OnFailure(user(&seen)))
		finish(third, taskpool.Outcome{}, taskpool.ReleaseFlushed) // tells nothing: it has joined
		finish(second, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		equal(t, "seen early", seen.String(), "")
		finish(first, taskpool.Outcome{Status: 500}, taskpool.ReleaseFlushed)
		drain(t, first.Pool())
		equal(t, "seen", seen.String(), "eve")
	}
}

func TestRequestIsNotHeldForWhatWillBeDiscarded(t *testing.T) {
	for _, hooks := range []taskpool.Hooks{{}, {Ended: func(context.Context, taskpool.Result) {}}} {
		src := taskpool.Hold(newPool(taskpool.Config{Hooks: hooks}), taskpool.HoldOptions{})
		for status, want := range map[int]bool{200: false, 500: true} {
			_, s := begin(src, context.Background())
			must(t, s.OnFailure(nop))
			s.Returned(taskpool.Outcome{Status: status})
			equal(t, "held", s.Held(), want)
			s.Sent(taskpool.ReleaseFlushed)
			equal(t, "held once sent", s.Held(), false)
		}
	}
}

// What is told of the outcome without the lock is not written over meanwhile.
func TestReturnedMayBeCalledTwiceAtOnce(t *testing.T) {
	p := newPool(taskpool.Config{})
	for range 2000 {
		_, s := begin(p, context.Background())
		var calls sync.WaitGroup
		for status := range 2 {
			calls.Go(func() { s.Returned(taskpool.Outcome{Status: 200 + status}) })
		}
		calls.Wait()
		s.Sent(taskpool.ReleaseFlushed)
		if o, known := s.Outcome(); !known || o.Status < 200 {
			t.Fatalf("got %+v", o)
		}
	}
}

func TestRunHookMayCallNextOnItsOwnGoroutine(t *testing.T) {
	hook := func(ctx context.Context, _ string, next taskpool.Task) error {
		var err error
		ended := make(chan struct{})
		go func() {
			defer close(ended) // a Goexit of the task ends this goroutine
			err = next(ctx)
		}()
		<-ended
		return err
	}
	for _, tt := range []struct {
		task taskpool.Task
		fate taskpool.Fate
	}{{nop, taskpool.FateSucceeded}, {failing, taskpool.FateFailed}, {panicking, taskpool.FatePanicked}, {exiting, taskpool.FateFailed},
		{func(context.Context) error { panic(runtime.Error(nil)) }, taskpool.FatePanicked}} {
		p := newPool(taskpool.Config{Results: taskpool.KeepAll, Hooks: taskpool.Hooks{Run: hook}})
		runs := 0
		must(t, p.Submit(taskpool.Job{Retry: waits(0), Run: func(ctx context.Context) error { runs++; return tt.task(ctx) }}))
		r, err := p.Drain(patient(t))
		must(t, err)
		equal(t, "fate", r.Results[0].Fate, tt.fate)
		if tt.fate == taskpool.FatePanicked {
			equal(t, "runs of what panicked", runs, 1)
		}
	}
}

// Run that returns while next runs is waited for, and has then no more to say.
func TestRunHookThatReturnsEarlyIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := make(chan taskpool.Task, 1)
		p := newPool(taskpool.Config{Results: taskpool.KeepAll, Hooks: taskpool.Hooks{Run: func(ctx context.Context, name string, next taskpool.Task) error {
			if name == "never" {
				kept <- next
				return nil
			}
			begun := make(chan struct{})
			go func() { _ = next(context.WithValue(ctx, begunKey{}, begun)) }()
			<-begun
			return nil
		}}})
		start := time.Now()
		must(t, p.Submit(taskpool.Job{Name: "early", Run: func(ctx context.Context) error {
			close(ctx.Value(begunKey{}).(chan struct{}))
			time.Sleep(time.Hour)
			return nil
		}}))
		drain(t, p)
		equal(t, "waited", elapsed(start), time.Hour)
		must(t, p.Submit(taskpool.Job{Name: "never", Run: func(context.Context) error { t.Error("it ran"); return nil }}))
		drain(t, p)
		wantErr(t, "next afterwards", (<-kept)(context.Background()), context.Canceled)
	})
}
