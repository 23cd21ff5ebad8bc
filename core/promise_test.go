package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// value is a func for Async that gives v after a while.
func value[T any](v T, after time.Duration) func(context.Context) (T, error) {
	return func(context.Context) (T, error) {
		time.Sleep(after)
		return v, nil
	}
}

func isSettled[T any](p *taskpool.Promise[T]) bool {
	select {
	case <-p.Settled():
		return true
	default:
		return false
	}
}

func TestAwaitGivesTheValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		for _, to := range []taskpool.Adder{p, s.Scope} {
			start := time.Now()
			promise := taskpool.Async(to, value("hello", time.Second))
			equal(t, "settled", isSettled(promise), false)
			var all sync.WaitGroup
			for range 10 { // many may wait for it
				all.Go(func() {
					v, err := promise.Await(context.Background())
					wantErr(t, "Await", err, nil)
					equal(t, "value", v, "hello")
				})
			}
			all.Wait()
			equal(t, "took", elapsed(start), time.Second)
			equal(t, "settled", isSettled(promise), true)
			v, err := promise.Await(canceled()) // what is settled is told whatever the context
			wantErr(t, "Await", err, nil)
			equal(t, "value", v, "hello")
		}
	})
}

func TestAwaitGivesTheTasksError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		for _, tt := range []struct {
			name string
			run  taskpool.Task
			want error
		}{{"error", failing, errTask}, {"goexit", exiting, taskpool.ErrGoexit}} {
			v, err := taskpool.Async(p, func(ctx context.Context) (int, error) { return 7, tt.run(ctx) }).Await(context.Background())
			wantErr(t, tt.name, err, tt.want)
			equal(t, tt.name, v, 0)
		}
		_, err := taskpool.Async(p, func(ctx context.Context) (int, error) { return 7, panicking(ctx) }).Await(context.Background())
		e := (*taskpool.PanicError)(nil)
		if !errors.As(err, &e) || e.Value != "boom" || len(e.Stack) == 0 {
			t.Errorf("panic: got %v", err)
		}
		_, err = taskpool.Async(p, func(context.Context) (int, error) { panic(errTask) }).Await(context.Background())
		wantErr(t, "panic with an error", err, errTask)
	})
}

func TestRefusalSettlesThePromise(t *testing.T) {
	full := newPool(taskpool.Config{Workers: 1, QueueLimit: 1})
	full.Pause()
	must(t, full.Add(nop, nop))
	over := newPool(taskpool.Config{})
	done(t, over)
	_, closed := begin(newPool(taskpool.Config{}), context.Background())
	finish(closed, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	fn := value(7, 0)
	for _, tt := range []struct {
		name string
		to   taskpool.Adder
		fn   func(context.Context) (int, error)
		job  taskpool.Job
		want error // nil: any
	}{
		{"full", full, fn, taskpool.Job{}, taskpool.ErrOverloaded},
		{"done", over, fn, taskpool.Job{}, taskpool.ErrDone},
		{"closed", closed.Scope, fn, taskpool.Job{}, taskpool.ErrScopeClosed},
		{"no scope", taskpool.Scope{}, fn, taskpool.Job{}, taskpool.ErrNoScope},
		{"staged on a pool", full, fn, taskpool.Job{Start: taskpool.StartOnSuccess}, taskpool.ErrNoScope},
		{"nil pool", (*taskpool.Pool)(nil), fn, taskpool.Job{}, nil},
		{"nil Adder", nil, fn, taskpool.Job{}, nil},
		{"nil fn", newPool(taskpool.Config{}), nil, taskpool.Job{}, taskpool.ErrNilTask},
		{"nil fn with a Run", newPool(taskpool.Config{}), nil, taskpool.Job{Run: nop}, taskpool.ErrNilTask},
		{"bad job", newPool(taskpool.Config{}), fn, taskpool.Job{Delay: -1}, nil},
	} {
		promise, refusal := taskpool.AsyncJob(tt.to, tt.job, tt.fn)
		equal(t, tt.name+": settled", isSettled(promise), true)
		v, err := promise.Await(canceled())
		if err == nil || !errors.Is(err, refusal) || tt.want != nil && !errors.Is(err, tt.want) || v != 0 {
			t.Errorf("%s: got %v, %v, want %v and %v", tt.name, v, err, refusal, tt.want)
		}
		if tt.job.Run == nil && tt.job.Start == taskpool.StartNow && tt.job.Delay == 0 {
			_, err := taskpool.Async(tt.to, tt.fn).Await(context.Background())
			equal(t, tt.name+": Async", err.Error(), refusal.Error())
		}
	}
	full.Resume()
	drain(t, full)
}

func TestDiscardedPromiseIsSettled(t *testing.T) {
	for _, hooked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var e endings
			c := taskpool.Config{}
			if hooked {
				c.Hooks.Ended = e.hook
			}
			p := newPool(c)
			_, s := begin(p, context.Background())
			promise, err := taskpool.AsyncJob(s.Scope, taskpool.Job{Start: taskpool.StartOnSuccess}, value(7, 0))
			must(t, err)
			equal(t, "settled", isSettled(promise), false)
			finish(s, taskpool.Outcome{Status: 500}, taskpool.ReleaseFlushed)
			v, err := promise.Await(context.Background())
			if err == nil || v != 0 {
				t.Errorf("got %v, %v", v, err)
			}
			equal(t, "discarded", p.Stats().Discarded, 1)
		})
	}
}

// Whatever waits, runs, or does not stop, when Done is cut short.
func TestPromisesOfAPoolThatWasCutAreSettledWithErrDone(t *testing.T) {
	for _, hooked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var e endings
			c := taskpool.Config{Workers: 2}
			if hooked {
				c.Hooks.Ended = e.hook
			}
			p := newPool(c)
			_, s := begin(p, context.Background())
			release := make(chan struct{})
			promises := map[string]*taskpool.Promise[int]{}
			add := func(name string, job taskpool.Job, fn func(context.Context) (int, error)) {
				job.Name = name
				promise, err := taskpool.AsyncJob(s.Scope, job, fn)
				must(t, err)
				promises[name] = promise
			}
			add("gives up", taskpool.Job{}, func(ctx context.Context) (int, error) { return 1, untilCanceled(ctx) })
			add("abandoned", taskpool.Job{}, func(context.Context) (int, error) { <-release; return 2, nil })
			synctest.Wait()
			add("queued", taskpool.Job{}, value(3, 0))
			add("staged", taskpool.Job{Start: taskpool.StartAfterResponse}, value(4, 0))
			add("delayed", taskpool.Job{Delay: time.Hour}, value(5, 0))
			add("in a lane", taskpool.Job{Lane: "api", Priority: taskpool.PriorityHigh}, value(6, 0))
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			r, err := p.Done(ctx)
			wantErr(t, "Done", err, context.DeadlineExceeded)
			equal(t, "fates", countsOf(r), counts{Canceled: 5, Abandoned: 1})
			close(release) // the abandoned one writes its value while it is read
			for name, promise := range promises {
				v, err := promise.Await(context.Background())
				wantErr(t, name, err, taskpool.ErrDone)
				equal(t, name, v, 0)
			}
			synctest.Wait()
			v, err := promises["abandoned"].Await(context.Background())
			equal(t, "abandoned, later", v, 0)
			wantErr(t, "abandoned, later", err, taskpool.ErrDone)
		})
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		promise := taskpool.Async(p, value(7, time.Minute))
		cause := errors.New("the cause")
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		_, err := promise.Await(ctx)
		wantErr(t, "an ended context", err, cause)

		start := time.Now()
		ctx, stop := context.WithTimeoutCause(context.Background(), time.Second, cause)
		defer stop()
		_, err = promise.Await(ctx)
		wantErr(t, "a timeout", err, cause)
		equal(t, "took", elapsed(start), time.Second)
		v, err := promise.Await(context.Background())
		must(t, err)
		equal(t, "value", v, 7)
	})
}

// Each task waits for the next, on one worker, and computes in between.
func TestNestedAwaitsEndWithOneWorker(t *testing.T) {
	for workers := 1; workers <= 3; workers++ {
		for _, timeout := range []time.Duration{0, time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(taskpool.Config{Workers: workers, QueueLimit: -1, Timeout: timeout})
				_, s := begin(p, context.Background())
				var executing load
				work := func() { time.Sleep(time.Second) }
				var sum func(to taskpool.Adder, depth int) func(context.Context) (int, error)
				sum = func(to taskpool.Adder, depth int) func(context.Context) (int, error) {
					return func(ctx context.Context) (int, error) {
						executing.enter()
						defer executing.leave()
						work()
						if depth == 0 {
							return 1, nil
						}
						a, b := taskpool.Async(to, sum(to, depth-1)), taskpool.Async(to, sum(to, depth-1))
						total := 0
						for _, promise := range []*taskpool.Promise[int]{a, b} {
							executing.leave()
							n, err := promise.Await(ctx)
							executing.enter()
							if err != nil {
								return 0, err
							}
							total += n
							work()
						}
						return total, nil
					}
				}
				for _, to := range []taskpool.Adder{p, s.Scope} {
					promises := []*taskpool.Promise[int]{taskpool.Async(to, sum(to, 3)), taskpool.Async(to, sum(to, 3))}
					for _, promise := range promises {
						n, err := promise.Await(patient(t))
						must(t, err)
						equal(t, "sum", n, 8)
					}
				}
				if most := executing.most.Load(); most > int64(workers) {
					t.Errorf("%d tasks executed at once on %d workers", most, workers)
				}
				drain(t, p)
				balanced(t, p)
			})
		}
	}
}

func TestAwaitOfOneselfIsErrSelfWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		for _, timeout := range []time.Duration{0, time.Hour} {
			var promise *taskpool.Promise[int]
			p.Pause()
			promise, err := taskpool.AsyncJob(p, taskpool.Job{Timeout: timeout}, func(ctx context.Context) (int, error) { return promise.Await(withUser(ctx, "ann")) })
			must(t, err)
			p.Resume()
			_, err = promise.Await(patient(t))
			wantErr(t, "Await", err, taskpool.ErrSelfWait)
		}
	})
}

func TestAwaitInAPlainTaskLendsItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var got trail
		must(t, p.Add(func(ctx context.Context) error {
			v, err := taskpool.Async(p, value(7, time.Second)).Await(ctx)
			got.add("%d %v", v, err)
			return nil
		}))
		drain(t, p)
		equal(t, "got", got.String(), "7 <nil>")
	})
}

func TestDoneThatIsCutEndsAwaitsInsideTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var got trail
		promise := taskpool.Async(p, func(ctx context.Context) (int, error) {
			stuck := taskpool.Async(p, func(ctx context.Context) (int, error) { return 0, untilCanceled(ctx) })
			v, err := stuck.Await(ctx)
			got.add("%v", errors.Is(err, taskpool.ErrDone))
			return v, err
		})
		synctest.Wait()
		start := time.Now()
		r, err := p.Done(canceled())
		wantErr(t, "Done", err, context.Canceled)
		equal(t, "fates", countsOf(r), counts{Canceled: 2})
		equal(t, "took", elapsed(start), 0)
		_, err = promise.Await(context.Background())
		wantErr(t, "Await", err, taskpool.ErrDone)
		equal(t, "inside", got.String(), "true")
	})
}

func TestValueIsKeptInTheResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1, Results: taskpool.KeepAll})
		_, err := taskpool.AsyncJob(p, taskpool.Job{Name: "seven"}, value(7, time.Second))
		must(t, err)
		taskpool.Async(p, func(context.Context) (int, error) { return 8, errTask })
		must(t, p.Add(nop))
		r := drain(t, p)
		equal(t, "name", r.Results[0].Name, "seven")
		equal(t, "ran", r.Results[0].Ran, time.Second)
		for i, want := range []any{7, nil, nil} {
			equal(t, fmt.Sprint("value ", i), r.Results[i].Value, want)
		}
	})
}

func giveOne(context.Context) (int, error) { return 1, nil }

func TestAsyncIsNamedAfterItsFunction(t *testing.T) {
	p := newPool(taskpool.Config{Results: taskpool.KeepAll})
	taskpool.Async(p, giveOne)
	if got := drain(t, p).Results[0].Name; !strings.HasSuffix(got, ".giveOne") {
		t.Errorf("got %s", got)
	}
}

func TestAsyncJobHasTheJobsOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1, Lanes: map[string]taskpool.Lane{"api": {Rate: 1, Per: time.Minute}}})
		start := time.Now()
		runs := 0
		promise, err := taskpool.AsyncJob(p, taskpool.Job{Run: panicking, Delay: time.Second, Timeout: time.Second, Retry: waits(0), Lane: "api"},
			func(ctx context.Context) (time.Duration, error) {
				if runs++; runs == 1 {
					return -1, untilCanceled(ctx)
				}
				return elapsed(start), nil
			})
		must(t, err)
		time.Sleep(time.Minute) // between the runs it is not settled
		equal(t, "settled", isSettled(promise), false)
		v, err := promise.Await(context.Background())
		must(t, err)
		equal(t, "started its second run at", v, 61*time.Second)
	})
}

// An Adder may do with a job what it likes: the first fate counts.
type twice struct{ *taskpool.Pool }

func (a twice) Submit(jobs ...taskpool.Job) error {
	return errors.Join(a.Pool.Submit(jobs...), a.Pool.Submit(jobs...), errTask)
}

func TestPromiseThatIsSettledTwiceHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		p.Pause() // so that the refusal comes first
		promise := taskpool.Async(twice{p}, func(context.Context) (int, error) { return 0, errVeto })
		p.Resume()
		_, err := promise.Await(context.Background())
		wantErr(t, "Await", err, errTask)
		equal(t, "fates", countsOf(drain(t, p)), counts{Failed: 2})
	})
}

func TestPromiseKeepsNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		before := runtime.NumGoroutine()
		for range 100 {
			promise, err := taskpool.AsyncJob(p, taskpool.Job{Delay: time.Second}, value(7, 0))
			must(t, err)
			_, err = promise.Await(canceled())
			wantErr(t, "Await", err, context.Canceled)
		}
		if after := runtime.NumGoroutine(); after > before {
			t.Errorf("%d goroutines were left", after-before)
		}
		drain(t, p)
	})
}
