package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/elite-libs/taskpool/core"
)

// The ways in which a task can end badly.
var badEnds = []struct {
	name string
	run  taskpool.Task
	fate taskpool.Fate
	log  string
}{
	{"error", failing, taskpool.FateFailed, `ERROR task failed task=x error=the task failed attempts=1`},
	{"panic", panicking, taskpool.FatePanicked, `ERROR task panicked task=x error=taskpool: the task panicked: boom attempts=1 stack=…`},
	{"panic(nil)", func(context.Context) error { panic(nil) }, taskpool.FatePanicked,
		`ERROR task panicked task=x error=taskpool: the task panicked: ` + new(runtime.PanicNilError).Error() + ` attempts=1 stack=…`},
	{"panic of an error", func(context.Context) error { panic(errTask) }, taskpool.FatePanicked,
		`ERROR task panicked task=x error=taskpool: the task panicked: the task failed attempts=1 stack=…`},
	{"panic of a nil pointer", func(context.Context) error { panic((*taskpool.PanicError)(nil)) }, taskpool.FatePanicked,
		`ERROR task panicked task=x error=taskpool: the task panicked: <nil> attempts=1 stack=…`},
	{"Goexit", exiting, taskpool.FateFailed, `ERROR task failed task=x error=taskpool: the task called runtime.Goexit attempts=1`},
	{"error that is a nil pointer", func(context.Context) error { return (*taskpool.PanicError)(nil) }, taskpool.FateFailed,
		`ERROR task failed task=x error=<nil> (a *taskpool.PanicError, which panicked when it was asked: runtime error: invalid memory address or nil pointer dereference) attempts=1`},
}

func TestFailureIsOneFateOneLogLineAndNoHarm(t *testing.T) {
	for _, end := range badEnds {
		for _, workers := range []int{1, 3} {
			for _, hooked := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/workers=%d/hooked=%v", end.name, workers, hooked), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var book logbook
						var e endings
						c := taskpool.Config{Workers: workers, Logger: slog.New(&book)}
						if hooked {
							c.Hooks.Ended = e.hook
						}
						p := newPool(c)
						_, s := begin(p, context.Background())
						var before, after trail
						must(t, s.Add(before.task("before")))
						must(t, s.Submit(taskpool.Job{Name: "x", Run: end.run}))
						must(t, s.Add(after.task("after"), after.task("after")))
						r, err := s.Drain(context.Background())
						must(t, err)
						want := counts{Succeeded: 3}
						want.add(end.fate)
						equal(t, "counts", countsOf(r), want)
						equal(t, "results", resultsOf(r), "x "+end.fate.String())
						equal(t, "log", book.lines(), end.log)
						equal(t, "siblings", before.String()+" "+after.String(), "before after after")
						if hooked {
							equal(t, "Ended", e.once(t)["x"], end.fate)
						}
						finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
						drain(t, p)
						gates := make([]gate, workers) // as many run at once as before
						for i := range gates {
							gates[i] = newGate()
							must(t, p.Add(gates[i].task))
						}
						for _, g := range gates {
							<-g.begun
						}
						for _, g := range gates {
							g.open()
						}
						done(t, p)
						balanced(t, p)
					})
				})
			}
		}
	}
}

func TestManyFailuresInARowLoseNoWorker(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 2, QueueLimit: -1})
	for range 500 {
		must(t, p.Add(panicking, exiting, failing, nop))
	}
	equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 500, Failed: 1000, Panicked: 500})
	balanced(t, p)
}

func TestPanicErrorHasTheValueAndTheStack(t *testing.T) {
	p := newPool(taskpool.Config{})
	must(t, p.Add(func(context.Context) error { panic(fmt.Errorf("wrapped: %w", errTask)) }))
	must(t, p.Add(panicking))
	err := drain(t, p).Err()
	wantErr(t, "a panic with an error", err, errTask)
	var pe *taskpool.PanicError
	if !errors.As(err, &pe) {
		t.Fatalf("no PanicError in %v", err)
	}
	if stack := string(pe.Stack); !strings.Contains(stack, "_test.go") {
		t.Errorf("the stack does not show where the task panicked:\n%s", stack)
	}
	wantErr(t, "a value that is no error", (&taskpool.PanicError{Value: "boom"}).Unwrap(), nil)
}

func TestGoexitIsErrGoexit(t *testing.T) {
	p := newPool(taskpool.Config{})
	must(t, p.Add(exiting))
	wantErr(t, "Err", drain(t, p).Err(), taskpool.ErrGoexit)
}

// With this setting, which programs of old modules have, panic(nil) cannot be
// told from Goexit, and ends its goroutine as little as any panic.
func TestPanicOfNilWithoutPanicNilErrorHarmsNobody(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	p := newPool(taskpool.Config{Workers: 1})
	for range 20 {
		must(t, p.Add(func(context.Context) error { panic(nil) }, nop))
		r := drain(t, p)
		equal(t, "counts", countsOf(r), counts{Succeeded: 1, Failed: 1})
		wantErr(t, "Err", r.Err(), taskpool.ErrGoexit)
	}
}

func TestDeferredCallsOfAGoexitingTaskRun(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	var order trail
	must(t, p.Add(func(context.Context) error {
		defer order.add("deferred")
		runtime.Goexit()
		return nil
	}, order.task("next")))
	drain(t, p)
	equal(t, "order", order.String(), "deferred next")
}

func TestFailureIsLoggedWithTheTasksContextAndThePoolsName(t *testing.T) {
	type key struct{}
	book := logbook{values: func(ctx context.Context) any { return ctx.Value(key{}) }}
	p := newPool(taskpool.Config{Name: "mail", Logger: slog.New(&book)})
	_, s := begin(p, context.WithValue(context.Background(), key{}, "request 1"))
	must(t, s.Submit(taskpool.Job{Name: "x", Run: failing}))
	drain(t, p)
	equal(t, "log", book.lines(), "ERROR task failed task=x error=the task failed attempts=1 pool=mail ctx=request 1")
}

func TestNothingButFailuresAndWhatDoneCutIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		p := newPool(taskpool.Config{Logger: slog.New(&book)})
		_, s := begin(p, context.Background())
		must(t, s.OnFailure(nop))
		must(t, s.Submit(taskpool.Job{Name: "runs", Run: untilCanceled, Start: taskpool.StartOnSuccess}))
		must(t, s.Add(nop))
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		synctest.Wait()
		equal(t, "log", book.lines(), "")
		_, err := p.Done(canceled())
		wantErr(t, "Done", err, context.Canceled)
		equal(t, "log", book.lines(), "ERROR task canceled task=runs error=taskpool: the task was canceled: Done had no time left for it attempts=1")
	})
}

// A logger that misbehaves changes no fate, and keeps no hook from being called.
func TestMisbehavingLoggerHarmsNobody(t *testing.T) {
	for name, misbehave := range map[string]func(){"panic": func() { panic("logger") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			var e endings
			p := newPool(taskpool.Config{
				Workers: 1,
				Logger:  slog.New(misbehavingHandler{misbehave: misbehave}),
				Hooks:   taskpool.Hooks{Ended: e.hook},
			})
			must(t, p.Submit(
				taskpool.Job{Name: "error", Run: failing},
				taskpool.Job{Name: "panic", Run: panicking},
				taskpool.Job{Name: "exit", Run: exiting},
				taskpool.Job{Name: "ok", Run: nop},
			))
			equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 1, Failed: 2, Panicked: 1})
			equal(t, "Ended", fmt.Sprint(e.once(t)), "map[error:failed exit:failed ok:succeeded panic:panicked]")
		})
	}
}

// Not even while it is told of a hook's panic.
func TestLoggerThatPanicsHidesNoRun(t *testing.T) {
	p := newPool(taskpool.Config{
		Logger: slog.New(misbehavingHandler{misbehave: func() { panic("logger") }}),
		Hooks:  taskpool.Hooks{Run: func(context.Context, string, taskpool.Task) error { panic("hook") }},
	})
	must(t, p.Add(nop))
	equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 1})
}

type misbehavingHandler struct {
	slog.Handler
	misbehave func()
}

func (h misbehavingHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h misbehavingHandler) Handle(context.Context, slog.Record) error {
	h.misbehave()
	return nil
}

// An error whose text cannot be had is the logger's trouble alone.
func TestErrorThatPanicsHarmsNobody(t *testing.T) {
	p := newPool(taskpool.Config{Logger: slog.New(slog.NewTextHandler(new(strings.Builder), nil))})
	must(t, p.Add(func(context.Context) error { return sore("Error") }))
	equal(t, "counts", countsOf(drain(t, p)), counts{Failed: 1})
}

// A sore error panics in one of its methods.
type sore string

func (s sore) panics(method string) {
	if string(s) == method {
		panic(method)
	}
}

func (s sore) Error() string { s.panics("Error"); return "sore" }
func (s sore) Unwrap() error { s.panics("Unwrap"); return nil }
func (s sore) Is(error) bool { s.panics("Is"); return false }
func (s sore) As(any) bool   { s.panics("As"); return false }

// It is a failure like any other: whoever asks what it is gets its text instead.
func TestErrorThatPanicsWhenItIsAskedIsAFailure(t *testing.T) {
	for method, text := range map[string]string{"Error": "%!v(PANIC=Error method: Error)", "Unwrap": "sore", "Is": "sore", "As": "sore"} {
		synctest.Test(t, func(t *testing.T) {
			var book logbook
			var told []bool
			p := newPool(taskpool.Config{Workers: 1, Logger: slog.New(&book), Hooks: taskpool.Hooks{
				Run: func(ctx context.Context, _ string, next taskpool.Task) error {
					err := next(ctx)
					told = append(told, errors.Is(err, errTask))
					return err
				},
			}})
			must(t, p.Submit(taskpool.Job{Name: "x", Retry: taskpool.Backoff(2, 0, 0), Run: func(context.Context) error { return sore(method) }}))
			text := text + " (a taskpool_test.sore, which panicked when it was asked: " + method + ")"
			r := drain(t, p)
			equal(t, method+": fates", countsOf(r), counts{Failed: 1})
			equal(t, method+": the report's error", r.Err().Error(), "x: "+text)
			equal(t, method+": is it", errors.Is(r.Err(), errTask), false)
			must(t, p.Submit(taskpool.Job{Name: "y", Run: func(context.Context) error { panic(sore(method)) }}))
			r = drain(t, p)
			equal(t, method+": fates", countsOf(r), counts{Panicked: 1})
			equal(t, method+": is it", errors.Is(r.Err(), errTask), false)
			equal(t, method+": the hook is told", fmt.Sprint(told), "[false false false]")
			lines := strings.Split(book.lines(), "\n")
			equal(t, method+": log", lines[len(lines)-2], "ERROR task failed task=x error="+text+" attempts=2")
			if want := "ERROR task panicked task=y error=taskpool: the task panicked: "; !strings.HasPrefix(lines[len(lines)-1], want) {
				t.Errorf("got %q, want it to begin with %q", lines[len(lines)-1], want)
			}
			done(t, p)
			balanced(t, p)
		})
	}
}
