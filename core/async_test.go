package taskpool_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/elite-libs/taskpool/core"
)

// A third is an Adder that the engine does not know, as tasktest.Recorder is.
type third struct{ taskpool.Adder }

// adders are the ways in which Async can be given a pool or a scope.
func adders(p *taskpool.Pool, s taskpool.Scope) map[string]taskpool.Adder {
	return map[string]taskpool.Adder{"pool": p, "scope": s, "third": third{p}, "third of a scope": third{s}}
}

// asyncJobs are a job without options, and one with.
func asyncJobs() []taskpool.Job {
	return []taskpool.Job{{}, {Timeout: time.Hour, Retry: waits(0)}}
}

func TestKeptPromiseKeepsNothingOfItsTask(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // see isCollected
	var promises []*taskpool.Promise[int]
	kept := func(p *taskpool.Pool, of string, job taskpool.Job, end error) (captured, value weak.Pointer[big]) {
		c, v := new(big), new(big)
		ctx, s := begin(p, context.WithValue(context.Background(), userKey{}, v))
		to := adders(p, taskpool.FromContext(context.WithValue(ctx, userKey{}, v)))[of]
		promise, _ := taskpool.AsyncJob(to, job, func(context.Context) (int, error) {
			runtime.KeepAlive(c)
			return 1, end
		})
		promises = append(promises, promise)
		finish(s, taskpool.Outcome{Status: 500}, taskpool.ReleaseFlushed)
		return weak.Make(c), weak.Make(v)
	}
	for of := range adders(nil, taskpool.Scope{}) {
		for i, job := range asyncJobs() {
			check := func(fate string, p *taskpool.Pool, job taskpool.Job, end error) {
				what := fmt.Sprint(fate, ", ", of, ", job ", i)
				captured, value := kept(p, of, job, end)
				p.Resume()
				_, _ = promises[len(promises)-1].Await(patient(t))
				drain(t, p)
				isCollected(t, what+": what its func refers to", captured)
				isCollected(t, what+": what its context refers to", value)
				runtime.KeepAlive(p)
			}
			check("succeeded", newPool(taskpool.Config{}), job, nil)
			check("failed", newPool(taskpool.Config{}), job, taskpool.Permanent(errTask))
			over := newPool(taskpool.Config{})
			done(t, over)
			check("refused", over, job, nil)
			if strings.HasSuffix(of, "scope") {
				job.Start = taskpool.StartOnSuccess
				check("discarded", newPool(taskpool.Config{}), job, nil)
			}
		}
	}
	runtime.KeepAlive(promises)
}

func TestAsyncIsNamedAfterItsFunctionWhateverItIsGivenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, job := range asyncJobs() {
			var hooked trail
			p := newPool(taskpool.Config{Results: taskpool.KeepAll, Hooks: taskpool.Hooks{
				Run: func(ctx context.Context, name string, next taskpool.Task) error {
					hooked.add("%s", name[strings.LastIndex(name, ".")+1:])
					return next(ctx)
				}}})
			_, s := begin(p, context.Background())
			all := adders(p, s.Scope)
			p.Pause()
			for _, to := range all {
				_, err := taskpool.AsyncJob(to, job, giveOne)
				must(t, err)
			}
			for _, j := range s.Pending() {
				if !strings.HasSuffix(j.Name, ".giveOne") {
					t.Errorf("Pending: got %q", j.Name)
				}
			}
			p.Resume()
			for _, r := range drain(t, p).Results {
				if !strings.HasSuffix(r.Name, ".giveOne") || r.Value != 1 {
					t.Errorf("got the result %+v", r)
				}
			}
			equal(t, "hooked", hooked.String(), strings.TrimSpace(strings.Repeat("giveOne ", len(all))))
			job.Name = "one"
			for _, to := range all {
				_, err := taskpool.AsyncJob(to, job, giveOne)
				must(t, err)
			}
			for _, r := range drain(t, p).Results {
				equal(t, "name", r.Name, "one")
			}
		}
	})
}

func TestAbandonedAsyncIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		release := make(chan struct{})
		promise := taskpool.Async(p, func(context.Context) (int, error) { <-release; return 1, nil })
		synctest.Wait()
		r, err := p.Done(canceled())
		wantErr(t, "Done", err, context.Canceled)
		if name := r.Results[0].Name; !strings.Contains(name, "TestAbandonedAsyncIsNamed") {
			t.Errorf("the report names %q", name)
		}
		_, err = promise.Await(context.Background())
		wantErr(t, "Await", err, taskpool.ErrDone)
		close(release)
	})
}

// What Pending gives can be run by anyone, and submitted again: the promise is
// then settled by whatever runs first.
func TestPendingAsyncCanBeRunByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, job := range asyncJobs() {
			p, other := newPool(taskpool.Config{Workers: 1}), newPool(taskpool.Config{Results: taskpool.KeepAll})
			_, s := begin(p, context.Background())
			p.Pause()
			runs := 0
			promise, err := taskpool.AsyncJob(s.Scope, job, func(context.Context) (int, error) {
				if runs++; runs == 1 {
					return runs, errTask
				}
				return runs, nil
			})
			must(t, err)
			pending := s.Pending()
			equal(t, "pending", len(pending), 1)
			equal(t, "timeout", pending[0].Timeout, job.Timeout)
			wantErr(t, "Run", pending[0].Run(context.Background()), errTask)
			equal(t, "settled by a mere call", isSettled(promise), false)
			must(t, other.Submit(pending...))
			v, err := promise.Await(context.Background())
			must(t, err)
			equal(t, "value", v, 2)
			equal(t, "Result.Value", drain(t, other).Results[0].Value, any(2))
			p.Resume()
			equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 1})
			equal(t, "runs", runs, 3)
		}
	})
}

// A wrapping is an Adder that has something done around each run.
type wrapping struct {
	taskpool.Adder
	around func()
}

func (w wrapping) Submit(jobs ...taskpool.Job) error {
	jobs = slices.Clone(jobs)
	for i := range jobs {
		run := jobs[i].Run
		jobs[i].Run = func(ctx context.Context) error {
			w.around()
			return run(ctx)
		}
	}
	return w.Adder.Submit(jobs...)
}

func TestAdderMayWrapTheRunOfAsync(t *testing.T) {
	for _, job := range asyncJobs() {
		p := newPool(taskpool.Config{Results: taskpool.KeepAll})
		wrapped := 0
		promise, err := taskpool.AsyncJob(wrapping{p, func() { wrapped++ }}, job, giveOne)
		must(t, err)
		v, err := promise.Await(patient(t))
		must(t, err)
		equal(t, "value", v, 1)
		equal(t, "wrapped", wrapped, 1)
		if name := drain(t, p).Results[0].Name; !strings.HasSuffix(name, ".giveOne") {
			t.Errorf("got the name %q", name)
		}
	}
	_, err := taskpool.AsyncJob[int](third{newPool(taskpool.Config{})}, taskpool.Job{}, nil)
	wantErr(t, "a nil func", err, taskpool.ErrNilTask)
}

// A giving is an Adder that gives a func to a job that has none.
type giving struct{ *taskpool.Pool }

func (g giving) Submit(jobs ...taskpool.Job) error {
	job := jobs[0]
	job.Run = failing
	return g.Pool.Submit(job)
}

func TestAsyncOfANilFuncThatAnAdderGivesOne(t *testing.T) {
	p := newPool(taskpool.Config{})
	promise, err := taskpool.AsyncJob[int](giving{p}, taskpool.Job{}, nil)
	must(t, err)
	_, err = promise.Await(patient(t))
	wantErr(t, "Await", err, errTask)
	if name := drain(t, p).Results[0].Name; !strings.HasSuffix(name, ".failing") {
		t.Errorf("got the name %q", name)
	}
}

func TestAsyncHasNoValueIfAHookTookItsErrorAway(t *testing.T) {
	p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Run: func(ctx context.Context, _ string, next taskpool.Task) error {
		_ = next(ctx)
		return nil
	}}})
	v, err := taskpool.Async(p, func(context.Context) (int, error) { return 7, errTask }).Await(patient(t))
	must(t, err)
	equal(t, "value", v, 0)
}

// A job of Async is used again by nobody, but its options may be.
func TestAsyncJobIgnoresWhatElseIsInTheJob(t *testing.T) {
	p := newPool(taskpool.Config{})
	_, s := begin(p, context.Background())
	p.Pause()
	first, err := taskpool.AsyncJob(s.Scope, taskpool.Job{}, giveOne)
	must(t, err)
	again, err := taskpool.AsyncJob(s.Scope, s.Pending()[0], func(context.Context) (string, error) { return "again", nil })
	must(t, err)
	p.Resume()
	v, err := again.Await(patient(t))
	must(t, err)
	equal(t, "value", v, "again")
	one, err := first.Await(patient(t))
	must(t, err)
	equal(t, "value of the first", one, 1)
}
