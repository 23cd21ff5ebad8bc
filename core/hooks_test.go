package taskpool_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

type runHook = func(ctx context.Context, name string, next taskpool.Task) error

func TestRunHookDecidesWithinItsRules(t *testing.T) {
	onGoroutine := func(f func()) {
		var wg sync.WaitGroup
		wg.Go(f)
		wg.Wait()
	}
	for _, c := range []struct {
		name string
		hook runHook
		task taskpool.Task // nil: one that succeeds
		want string        // runs, fate, error
		log  string
	}{
		{name: "passes on", hook: func(ctx context.Context, _ string, next taskpool.Task) error { return next(ctx) },
			want: "1 succeeded <nil>"},
		{name: "replaces the error", hook: func(ctx context.Context, _ string, next taskpool.Task) error {
			_ = next(ctx)
			return nil
		}, task: failing, want: "1 succeeded <nil>"},
		{name: "gives another error", hook: func(ctx context.Context, _ string, next taskpool.Task) error {
			_ = next(ctx)
			return errTask
		}, want: "1 failed the task failed"},
		{name: "panics before next", hook: func(context.Context, string, taskpool.Task) error { panic("hook") },
			want: "1 succeeded <nil>", log: "ERROR hook panicked hook=Run panic=hook stack=…"},
		{name: "panics after next", hook: func(ctx context.Context, _ string, next taskpool.Task) error {
			_ = next(ctx)
			panic("hook")
		}, want: "1 succeeded <nil>", log: "ERROR hook panicked hook=Run panic=hook stack=…"},
		{name: "panics after a next that failed", hook: func(ctx context.Context, _ string, next taskpool.Task) error {
			_ = next(ctx)
			panic("hook")
		}, task: failing, want: "1 failed the task failed",
			log: "ERROR hook panicked hook=Run panic=hook stack=…\nERROR task failed task=x error=the task failed attempts=1"},
		{name: "never calls next", hook: func(context.Context, string, taskpool.Task) error { return nil },
			want: "0 succeeded <nil>"},
		{name: "never calls next and fails", hook: func(context.Context, string, taskpool.Task) error { return errTask },
			want: "0 failed the task failed", log: "ERROR task failed task=x error=the task failed attempts=1"},
		{name: "calls next twice", hook: func(ctx context.Context, _ string, next taskpool.Task) error {
			_ = next(ctx)
			return next(ctx)
		}, task: failing, want: "1 failed the task failed", log: "ERROR task failed task=x error=the task failed attempts=1"},
		{name: "recovers the task's panic", hook: func(ctx context.Context, _ string, next taskpool.Task) error {
			defer func() { _ = recover() }()
			return next(ctx)
		}, task: panicking, want: "1 panicked taskpool: the task panicked: boom",
			log: "ERROR task panicked task=x error=taskpool: the task panicked: boom attempts=1 stack=…"},
		{name: "lets the task's panic pass", hook: func(ctx context.Context, _ string, next taskpool.Task) error { return next(ctx) },
			task: panicking, want: "1 panicked taskpool: the task panicked: boom",
			log: "ERROR task panicked task=x error=taskpool: the task panicked: boom attempts=1 stack=…"},
		{name: "lets the task's Goexit pass", hook: func(ctx context.Context, _ string, next taskpool.Task) error { return next(ctx) },
			task: exiting, want: "1 failed taskpool: the task called runtime.Goexit"},
		{name: "exits before next", hook: func(context.Context, string, taskpool.Task) error { return exiting(context.Background()) },
			want: "0 failed taskpool: the task called runtime.Goexit"},
		{name: "runs next elsewhere", hook: func(ctx context.Context, _ string, next taskpool.Task) (err error) {
			onGoroutine(func() { err = next(ctx) })
			return err
		}, task: failing, want: "1 failed the task failed"},
		{name: "runs next elsewhere, where it exits", hook: func(ctx context.Context, _ string, next taskpool.Task) (err error) {
			onGoroutine(func() { err = next(ctx) })
			return err
		}, task: exiting, want: "1 failed taskpool: the task called runtime.Goexit"},
		{name: "runs next elsewhere, where it panics", hook: func(ctx context.Context, _ string, next taskpool.Task) (err error) {
			onGoroutine(func() {
				defer func() { _ = recover() }()
				err = next(ctx)
			})
			return err
		}, task: panicking, want: "1 panicked taskpool: the task panicked: boom"},
		{name: "runs next elsewhere and panics meanwhile", hook: func(ctx context.Context, _ string, next taskpool.Task) error {
			begun := make(chan struct{})
			go func() {
				defer func() { _ = recover() }()
				_ = next(context.WithValue(ctx, begunKey{}, begun))
			}()
			<-begun
			panic("hook")
		}, task: func(ctx context.Context) error {
			close(ctx.Value(begunKey{}).(chan struct{}))
			for range 100 {
				runtime.Gosched()
			}
			panic("boom")
		}, want: "1 panicked taskpool: the task panicked: boom"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var book logbook
			p := newPool(taskpool.Config{Workers: 1, Results: taskpool.KeepAll, Logger: slog.New(&book), Hooks: taskpool.Hooks{Run: c.hook}})
			runs := 0
			task := c.task
			if task == nil {
				task = nop
			}
			job := taskpool.Job{Name: "x", Run: func(ctx context.Context) error {
				runs++
				return task(ctx)
			}}
			must(t, p.Submit(job))
			r := drain(t, p).Results[0]
			equal(t, "runs, fate, error", fmt.Sprint(runs, r.Fate, r.Err), c.want)
			if c.log != "" {
				equal(t, "log", book.lines(), c.log)
			}
			must(t, p.Submit(job)) // the worker is there
			done(t, p)
		})
	}
}

type begunKey struct{}

func TestRunHookGetsTheNameAndMayDeriveTheContext(t *testing.T) {
	type key struct{}
	var names trail
	p := newPool(taskpool.Config{Workers: 1, Hooks: taskpool.Hooks{Run: func(ctx context.Context, name string, next taskpool.Task) error {
		names.add("%s", name)
		return next(context.WithValue(ctx, key{}, name))
	}}})
	see := func(ctx context.Context) error { names.add("%v", ctx.Value(key{})); return nil }
	must(t, p.Submit(taskpool.Job{Name: "x", Run: see}))
	must(t, p.Add(nop))
	drain(t, p)
	equal(t, "names", names.String(), "x x core_test.nop")
}

func TestEndedIsCalledOnceForEachTaskBeforeADrainThatCountsIt(t *testing.T) {
	var e endings
	p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Ended: e.hook}})
	_, s := begin(p, context.Background())
	for _, j := range []taskpool.Job{
		{Name: "ok", Run: nop}, {Name: "error", Run: failing}, {Name: "panic", Run: panicking}, {Name: "exit", Run: exiting},
		{Name: "kept", Run: nop, Start: taskpool.StartOnSuccess}, {Name: "discarded", Run: nop, Start: taskpool.StartOnFailure},
	} {
		must(t, s.Submit(j))
	}
	finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
	_, err := s.Drain(context.Background())
	must(t, err)
	equal(t, "Ended", fmt.Sprint(e.once(t)),
		"map[discarded:discarded error:failed exit:failed kept:succeeded ok:succeeded panic:panicked]")
}

func TestEndedMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got trail
		p := newPool(taskpool.Config{Workers: 1, Hooks: taskpool.Hooks{Ended: func(_ context.Context, r taskpool.Result) {
			got.add("%s:%v+%v*%d", r.Name, r.Waited, r.Ran, r.Attempts)
		}}})
		slow := func(context.Context) error { time.Sleep(2 * time.Second); return nil }
		must(t, p.Submit(taskpool.Job{Name: "first", Run: slow}, taskpool.Job{Name: "second", Run: slow}))
		drain(t, p)
		_, s := begin(p, context.Background())
		must(t, s.Submit(taskpool.Job{Name: "discarded", Run: nop, Start: taskpool.StartOnFailure}))
		time.Sleep(time.Second)
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		drain(t, p)
		equal(t, "results", got.String(), "first:0s+2s*1 second:2s+2s*1 discarded:1s+0s*0")
	})
}

func TestSubmitMeasuresWithoutAHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1, Results: taskpool.KeepAll})
		slow := func(context.Context) error { time.Sleep(2 * time.Second); return nil }
		must(t, p.Submit(taskpool.Job{Run: slow}, taskpool.Job{Run: slow}))
		must(t, p.Add(slow))
		var got trail
		for _, r := range drain(t, p).Results {
			got.add("%v+%v*%d", r.Waited, r.Ran, r.Attempts)
		}
		equal(t, "results", got.String(), "0s+2s*1 2s+2s*1 0s+0s*1")
	})
}

// The hook may add to the scope of the task that ends, and has its context.
func TestEndedMayAddToTheScope(t *testing.T) {
	var once sync.Once
	p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Ended: func(ctx context.Context, _ taskpool.Result) {
		once.Do(func() {
			if err := taskpool.FromContext(ctx).Add(nop); err != nil {
				t.Error(err)
			}
		})
	}}})
	_, s := begin(p, context.Background())
	must(t, s.Add(nop))
	finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	r, err := s.Drain(context.Background())
	must(t, err)
	equal(t, "counts", countsOf(r), counts{Succeeded: 2})
}

func TestDrainedIsCalledOnceWhenTheLastTaskHasEndedAndTheResponseIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var drained trail
		p := newPool(taskpool.Config{Workers: 1, Hooks: taskpool.Hooks{Drained: func(ctx context.Context, r taskpool.Report) {
			drained.add("%v/%v", r.Succeeded, r.Discarded)
			wantErr(t, "Add in Drained", taskpool.FromContext(ctx).Add(nop), taskpool.ErrScopeClosed)
		}}})
		step := func(what string, s opened, want string) {
			t.Helper()
			synctest.Wait()
			equal(t, what, drained.String(), want)
		}
		g := newGate()
		_, s := begin(p, context.Background())
		must(t, s.Add(nop))
		step("before the handler's return", s, "")
		s.Returned(taskpool.Outcome{})
		step("before the response is sent", s, "")
		s.Sent(taskpool.ReleaseFlushed)
		step("after the response", s, "1/0")
		s.Sent(taskpool.ReleaseFlushed)
		step("sent again", s, "1/0")

		_, s = begin(p, context.Background())
		must(t, s.AfterResponse(g.task))
		must(t, s.OnFailure(nop, nop))
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		step("while a task runs", s, "1/0")
		g.open()
		step("after its end", s, "1/0 1/2")

		_, s = begin(p, context.Background())
		must(t, s.OnFailure(nop))
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		step("all discarded", s, "1/0 1/2 0/1")

		g = newGate()
		_, s = begin(p, context.Background())
		must(t, s.Add(g.task))
		s.Returned(taskpool.Outcome{})
		g.open()
		step("ended before the response is sent", s, "1/0 1/2 0/1")
		s.Sent(taskpool.ReleaseFlushed)
		step("sent", s, "1/0 1/2 0/1 1/0")

		_, s = begin(p, context.Background())
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		step("a scope without tasks", s, "1/0 1/2 0/1 1/0")
	})
}

func TestDrainAndDoneWaitForDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Drained: func(context.Context, taskpool.Report) { time.Sleep(time.Second) }}})
		for i, wait := range []func(testing.TB, *taskpool.Pool) taskpool.Report{drain, done} {
			_, s := begin(p, context.Background())
			must(t, s.Add(nop))
			finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
			start := time.Now()
			wait(t, p)
			equal(t, fmt.Sprint("time ", i), elapsed(start), time.Second)
		}
	})
}

func TestMisbehavingHooksHarmNobody(t *testing.T) {
	for name, misbehave := range map[string]func(){"panic": func() { panic("hook") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var book logbook
				var called trail
				p := newPool(taskpool.Config{Workers: 1, Logger: slog.New(&book), Hooks: taskpool.Hooks{
					Ended:   func(_ context.Context, r taskpool.Result) { called.add("ended"); misbehave() },
					Drained: func(context.Context, taskpool.Report) { called.add("drained"); misbehave() },
				}})
				for range 3 {
					_, s := begin(p, context.Background())
					must(t, s.Add(nop))
					must(t, s.OnFailure(nop))
					finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
					r, err := s.Drain(context.Background())
					must(t, err)
					equal(t, "counts", countsOf(r), counts{Succeeded: 1, Discarded: 1})
					drain(t, p)
				}
				equal(t, "calls", called.String(), "ended ended drained ended ended drained ended ended drained")
				if name == "panic" {
					equal(t, "first line of the log", book.all()[0], "ERROR hook panicked hook=Ended panic=hook stack=…")
					equal(t, "lines", len(book.all()), 9)
				}
				done(t, p)
			})
		})
	}
}

// They never run on the goroutine that releases a scope, nor under the lock.
func TestHooksRunOnWorkersWithoutTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var p *taskpool.Pool
		hang := func() { p.Stats(); <-release }
		p = newPool(taskpool.Config{Workers: 1, Hooks: taskpool.Hooks{
			Ended:   func(context.Context, taskpool.Result) { hang() },
			Drained: func(context.Context, taskpool.Report) { hang() },
		}})
		for range 3 { // would hang here
			_, s := begin(p, context.Background())
			must(t, s.OnFailure(nop))
			finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		}
		synctest.Wait()
		equal(t, "pending discards", p.Stats().Queued+p.Stats().Running, 3)
		close(release)
		drain(t, p)
		equal(t, "discarded", p.Stats().Discarded, 3)
	})
}
