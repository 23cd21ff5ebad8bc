package taskpool_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

type spanKey struct{}

// spanned is a Hooks.Run that gives each run a value of its own, within a context that
// has ended when Ended is called.
func spanned(ctx context.Context, name string, next taskpool.Task) error {
	r, _ := taskpool.RunOf(ctx)
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, spanKey{}, fmt.Sprint(name, r.Attempt)), time.Hour)
	defer cancel()
	return next(ctx)
}

func TestEndedRetriedAndTheLogHaveTheContextThatRunDerived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := logbook{values: func(ctx context.Context) any { return fmt.Sprint(ctx.Value(spanKey{}), " ", ctx.Err()) }}
		var told trail
		p := newPool(taskpool.Config{Workers: 1, Logger: logger(&book), Hooks: taskpool.Hooks{
			Run: spanned,
			Retried: func(ctx context.Context, name string, err error, wait time.Duration) {
				told.add("retried %s %v %v %v %v", name, err, wait, ctx.Value(spanKey{}), ctx.Err())
			},
			Ended: func(ctx context.Context, r taskpool.Result) {
				_, hasScope := taskpool.FromContext(ctx).Outcome()
				told.add("ended %s %v %v %v %v", r.Name, ctx.Value(spanKey{}), ctx.Err(), context.Cause(ctx), hasScope)
			},
		}})
		ctx, s := begin(p, context.Background())
		must(t, s.Submit(
			taskpool.Job{Name: "a", Run: failing, Retry: taskpool.Backoff(2, 0, 0)},
			taskpool.Job{Name: "b", Run: panicking},
			taskpool.Job{Name: "c", Run: nop, Timeout: time.Second},
		))
		_ = ctx
		drain(t, p)
		equal(t, "told", told.String(), "retried a the task failed 0s a1 <nil> ended b b1 <nil> <nil> false "+
			"ended c c1 <nil> <nil> false ended a a2 <nil> <nil> false")
		equal(t, "log", book.lines(), "DEBUG task will run again task=a error=the task failed attempt=1 wait=0s ctx=a1 <nil>\n"+
			"ERROR task panicked task=b error=taskpool: the task panicked: boom attempts=1 stack=… ctx=b1 <nil>\n"+
			"ERROR task failed task=a error=the task failed attempts=2 ctx=a2 <nil>")
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		done(t, p)
	})
}

func TestEndedHasTheTasksContextWhereRunDerivedNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told trail
		ended := func(ctx context.Context, r taskpool.Result) { told.add("%s=%v", r.Name, ctx.Value(spanKey{})) }
		p := newPool(taskpool.Config{Workers: 1, Hooks: taskpool.Hooks{
			Run: func(ctx context.Context, name string, next taskpool.Task) error {
				if name == "not called" {
					return nil
				}
				return spanned(ctx, name, next)
			},
			Ended: ended,
		}})
		must(t, p.Submit(taskpool.Job{Name: "called", Run: nop}, taskpool.Job{Name: "not called", Run: nop}))
		drain(t, p)
		equal(t, "told", told.String(), "called=called1 not called=<nil>")
	})
}

func TestRetriedThatPanicsHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		p := newPool(taskpool.Config{Logger: logger(&book), Hooks: taskpool.Hooks{
			Retried: func(context.Context, string, error, time.Duration) { panic("hook") },
			Refused: func(context.Context, []taskpool.Job, error) { panic("hook") },
		}, QueueLimit: -1})
		must(t, p.Submit(taskpool.Job{Name: "a", Run: failing, Retry: taskpool.Backoff(2, 0, 0)}))
		equal(t, "failed", drain(t, p).Failed, 1)
		done(t, p)
		wantErr(t, "Add", p.Add(nop), taskpool.ErrDone)
		equal(t, "log", book.lines(), "DEBUG task will run again task=a error=the task failed attempt=1 wait=0s\n"+
			"ERROR hook panicked hook=Retried panic=hook stack=…\nERROR task failed task=a error=the task failed attempts=2\n"+
			"ERROR hook panicked hook=Refused panic=hook stack=…")
	})
}

func TestRefusedIsToldOfAllThatACallWasToAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told trail
		p := newPool(taskpool.Config{Workers: 1, QueueLimit: 1, Hooks: taskpool.Hooks{
			Refused: func(ctx context.Context, jobs []taskpool.Job, err error) {
				told.add("%d %s %v %v", len(jobs), jobs[len(jobs)-1].Name, ctx.Value(spanKey{}), err)
			},
		}})
		ctx, s := begin(p, context.WithValue(context.Background(), spanKey{}, "request"))
		p.Pause()
		wantErr(t, "Add", p.Add(nop, nop, nop), taskpool.ErrOverloaded)
		wantErr(t, "Submit", s.Submit(taskpool.Job{Name: "a", Run: nop}, taskpool.Job{Name: "b", Run: nop}, taskpool.Job{Name: "c", Run: nop}), taskpool.ErrOverloaded)
		inner := taskpool.FromContext(context.WithValue(ctx, spanKey{}, "handler"))
		wantErr(t, "OnSuccess", inner.OnSuccess(nop, nop, nop), taskpool.ErrOverloaded)
		wantErr(t, "nil", inner.OnSuccess(nil), taskpool.ErrNilTask) // a mistake: no hook, but it counts
		p.Resume()
		must(t, s.Add(func(ctx context.Context) error {
			of := taskpool.FromContext(context.WithValue(ctx, spanKey{}, "task"))
			wantErr(t, "Add in a task", of.Add(nop, nop), taskpool.ErrOverloaded)
			return nil
		}))
		drain(t, p)
		const overloaded = "taskpool: overloaded: the queue limit is reached"
		equal(t, "told", told.String(), "3 core_test.nop <nil> "+overloaded+" 3 c request "+overloaded+
			" 3 core_test.nop handler "+overloaded+" 2 core_test.nop task "+overloaded)
		equal(t, "refused", p.Stats().Refused, 12)
	})
}

func TestRefusedAsyncIsLogged(t *testing.T) {
	var book logbook
	p := newPool(taskpool.Config{Logger: logger(&book)})
	_, s := begin(p, context.Background())
	done(t, p)
	_, _, above, _ := runtime.Caller(0)
	value := func(context.Context) (int, error) { return 1, nil }
	taskpool.Async(p, value)
	taskpool.Async(s.Scope, value)
	_, _ = taskpool.AsyncJob(p, taskpool.Job{}, value) // gives the error
	line := fmt.Sprintf("WARN task refused task=core_test.TestRefusedAsyncIsLogged.func1 (hooks_told_test.go:%d) error=taskpool: the pool is done and accepts no more tasks", above+1)
	equal(t, "log", book.lines(), line+"\n"+line)
}

func TestRunOfTellsATaskOfItsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var told trail
		look := func(ctx context.Context) error {
			r, ok := taskpool.RunOf(context.WithValue(ctx, spanKey{}, 1))
			told.add("%v %+v", ok, r)
			return errTask
		}
		ctx, s := begin(p, context.Background())
		_, ok := taskpool.RunOf(ctx)
		equal(t, "in a handler", ok, false)
		must(t, s.Submit(taskpool.Job{
			Name: "a", Run: look, Lane: "bank", Start: taskpool.StartAfterResponse, Priority: taskpool.PriorityHigh,
			Retry: func(attempt int, _ error) (time.Duration, bool) { return time.Second, attempt == 1 }, Delay: time.Minute, Timeout: time.Hour,
		}))
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		drain(t, p)
		must(t, p.Add(look))
		drain(t, p)
		equal(t, "told", told.String(), "true {Name:a Lane:bank Start:after response Priority:high Attempt:1 Waited:1m0s} "+
			"true {Name:a Lane:bank Start:after response Priority:high Attempt:2 Waited:1m1s} "+
			"true {Name: Lane: Start:now Priority:normal Attempt:1 Waited:0s}")
	})
}

func TestJoinHooksCallsEachInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told trail
		one := func(name string, panics bool) taskpool.Hooks {
			note := func(what string) {
				told.add("%s.%s", name, what)
				if panics {
					panic(name)
				}
			}
			return taskpool.Hooks{
				Run: func(ctx context.Context, _ string, next taskpool.Task) error {
					told.add("%s.Run(", name)
					defer told.add(")%s", name)
					return next(ctx)
				},
				Retried: func(context.Context, string, error, time.Duration) { note("Retried") },
				Refused: func(context.Context, []taskpool.Job, error) { note("Refused") },
				Ended:   func(context.Context, taskpool.Result) { note("Ended") },
				Drained: func(context.Context, taskpool.Report) { note("Drained") },
			}
		}
		hooks := taskpool.JoinHooks(taskpool.Hooks{}, one("a", true), taskpool.Hooks{}, one("b", false))
		p := newPool(taskpool.Config{Workers: 1, Hooks: hooks})
		_, s := begin(p, context.Background())
		must(t, s.Submit(taskpool.Job{Name: "x", Run: failing, Retry: taskpool.Backoff(2, 0, 0)}))
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		drain(t, p)
		done(t, p)
		wantErr(t, "Add", p.Add(nop), taskpool.ErrDone)
		equal(t, "told", told.String(), "a.Run( b.Run( )b )a a.Retried b.Retried a.Run( b.Run( )b )a a.Ended b.Ended a.Drained b.Drained a.Refused b.Refused")
		if h := taskpool.JoinHooks(); h.Run != nil || h.Ended != nil || h.Drained != nil || h.Retried != nil || h.Refused != nil {
			t.Error("no hooks joined are some")
		}
	})
}

// What Drained and Refused get is the context of no task, and RunOf says so.
func TestRunOfTellsNothingInAHookThatIsCalledForNoTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told trail
		look := func(hook string, ctx context.Context) {
			_, ok := taskpool.RunOf(ctx)
			told.add("%s %v", hook, ok)
		}
		p := newPool(taskpool.Config{Hooks: taskpool.Hooks{
			Ended:   func(ctx context.Context, _ taskpool.Result) { look("Ended", ctx) },
			Drained: func(ctx context.Context, _ taskpool.Report) { look("Drained", ctx) },
			Refused: func(ctx context.Context, _ []taskpool.Job, _ error) { look("Refused", ctx) },
		}})
		_, s := begin(p, context.Background())
		must(t, s.Add(nop))
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		drain(t, p)
		wantErr(t, "Add", s.Add(nop), taskpool.ErrScopeClosed)
		equal(t, "told", told.String(), "Ended true Drained false Refused false")
	})
}

// A Run that is joined inside may panic on whichever goroutine the outer one calls next.
func TestJoinedRunThatPanicsHarmsNobody(t *testing.T) {
	beside := func(ctx context.Context, _ string, next taskpool.Task) error {
		err := make(chan error)
		go func() { err <- next(ctx) }()
		return <-err
	}
	before := func(context.Context, string, taskpool.Task) error { panic("before") }
	after := func(ctx context.Context, _ string, next taskpool.Task) error {
		_ = next(ctx)
		panic("after")
	}
	for _, tt := range []struct {
		name  string
		inner []func(context.Context, string, taskpool.Task) error
		log   string
	}{
		{"before", []func(context.Context, string, taskpool.Task) error{before}, "panic=before"},
		{"after", []func(context.Context, string, taskpool.Task) error{after}, "panic=after"},
		{"further in", []func(context.Context, string, taskpool.Task) error{beside, before}, "panic=before"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var book logbook
				hooks := taskpool.Hooks{}
				for _, run := range slices.Backward(tt.inner) {
					hooks = taskpool.JoinHooks(taskpool.Hooks{Run: run}, hooks)
				}
				p := newPool(taskpool.Config{Logger: logger(&book), Hooks: taskpool.JoinHooks(taskpool.Hooks{Run: beside}, hooks)})
				runs := 0
				must(t, p.Submit(taskpool.Job{Name: "job", Run: func(context.Context) error { runs++; return errTask }}))
				equal(t, "fates", countsOf(drain(t, p)), counts{Failed: 1})
				equal(t, "runs", runs, 1)
				equal(t, "log", book.lines(), "ERROR hook panicked hook=Run "+tt.log+" stack=…\nERROR task failed task=job error=the task failed attempts=1")
			})
		})
	}
}

func TestJoinedRunsAreCalledOnceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		var told trail
		run := func(name string, after func()) taskpool.Hooks {
			return taskpool.Hooks{Run: func(ctx context.Context, _ string, next taskpool.Task) error {
				told.add("%s", name)
				err := next(ctx)
				equal(t, name+" calls next again", next(ctx), err)
				after()
				return err
			}}
		}
		p := newPool(taskpool.Config{Logger: logger(&book), Hooks: taskpool.JoinHooks(
			run("a", func() {}), run("b", func() { panic("after") }), run("c", func() {}))})
		must(t, p.Submit(taskpool.Job{Run: failing}))
		equal(t, "fates", countsOf(drain(t, p)), counts{Failed: 1})
		equal(t, "told", told.String(), "a b c")
		done(t, p)
	})
}

func TestJoinedRunIsWaitedForWhereTheOuterReturnsBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		early := func(ctx context.Context, _ string, next taskpool.Task) error {
			go func() { _ = next(ctx) }()
			synctest.Wait() // it has begun
			return nil
		}
		late := func(ctx context.Context, _ string, next taskpool.Task) error {
			_ = next(ctx)
			<-time.After(time.Second)
			panic("late")
		}
		p := newPool(taskpool.Config{Logger: logger(&book), Hooks: taskpool.JoinHooks(taskpool.Hooks{Run: early}, taskpool.Hooks{Run: late})})
		must(t, p.Submit(taskpool.Job{Name: "job", Run: nop}))
		drain(t, p)
		equal(t, "log", book.lines(), "ERROR hook panicked hook=Run panic=late stack=…")
		done(t, p)
	})
}

// A broken context is one that Run made, and that cannot be asked.
type broken struct{ context.Context }

func (broken) Err() error { panic("broken") }

func TestContextOfRunThatPanicsHarmsNobody(t *testing.T) {
	for _, task := range []taskpool.Task{nop, failing} {
		synctest.Test(t, func(t *testing.T) {
			var told trail
			p := newPool(taskpool.Config{Hooks: taskpool.Hooks{
				Run: func(ctx context.Context, _ string, next taskpool.Task) error {
					return next(broken{context.WithValue(ctx, spanKey{}, "run")})
				},
				Retried: func(ctx context.Context, _ string, _ error, _ time.Duration) {
					told.add("Retried %v %v", ctx.Value(spanKey{}), ctx.Err())
				},
				Ended: func(ctx context.Context, r taskpool.Result) {
					told.add("%v %v %v", r.Fate, ctx.Value(spanKey{}), ctx.Err())
				},
			}})
			must(t, p.Submit(taskpool.Job{Run: task, Retry: taskpool.Backoff(2, 0, 0)}))
			drain(t, p)
			want := "succeeded run <nil>"
			if task(context.Background()) != nil {
				want = "Retried run <nil> failed run <nil>"
			}
			equal(t, "told", told.String(), want)
		})
	}
}
