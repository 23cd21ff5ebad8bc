package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/elite-libs/taskpool/core"
)

// What waits goes on ahead of what is queued, also into the slot that what it waited
// for has left, however it waits and whichever pool that was in.
func TestTaskGoesOnAheadOfQueuedTasksHoweverItWaits(t *testing.T) {
	type waiting = func(ctx context.Context, p, other *taskpool.Pool, second taskpool.Task) error
	for name, wait := range map[string]waiting{
		"Await": func(ctx context.Context, p, _ *taskpool.Pool, second taskpool.Task) error {
			_, err := taskpool.Async(p, func(ctx context.Context) (int, error) { return 1, second(ctx) }).Await(ctx)
			return err
		},
		"Scope.Drain": func(ctx context.Context, p, _ *taskpool.Pool, second taskpool.Task) error {
			_, s := begin(p, context.Background())
			if err := s.Add(second); err != nil {
				return err
			}
			_, err := s.Drain(ctx)
			return err
		},
		"Pool.Drain of another": func(ctx context.Context, p, other *taskpool.Pool, second taskpool.Task) error {
			if err := other.Add(second); err != nil {
				return err
			}
			_, err := other.Drain(ctx)
			return err
		},
		"Pool.Done of another": func(ctx context.Context, p, other *taskpool.Pool, second taskpool.Task) error {
			if err := other.Add(second); err != nil {
				return err
			}
			_, err := other.Done(ctx)
			return err
		},
		"Hold": func(ctx context.Context, p, _ *taskpool.Pool, second taskpool.Task) error {
			return taskpool.Handle(ctx, taskpool.Hold(p, taskpool.HoldOptions{}), func(ctx context.Context) error {
				return taskpool.FromContext(ctx).Add(second)
			})
		},
		"Hold the last": func(ctx context.Context, p, _ *taskpool.Pool, second taskpool.Task) error {
			return taskpool.Handle(ctx, taskpool.Hold(p, taskpool.HoldOptions{Last: true}), func(ctx context.Context) error {
				return taskpool.FromContext(ctx).Add(second)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, other := newPool(taskpool.Config{Workers: 1}), newPool(taskpool.Config{})
				start := time.Now()
				begun := make(chan struct{})
				second := func(context.Context) error {
					close(begun)
					time.Sleep(time.Second)
					return nil
				}
				must(t, p.Add(func(ctx context.Context) error {
					// Behind what is waited for: enough for the lock-free way, too.
					go func() {
						<-begun
						must(t, p.Add(repeat(80, func(context.Context) error { time.Sleep(time.Hour); return nil })...))
					}()
					err := wait(ctx, p, other, second)
					equal(t, "went on into the next free slot", elapsed(start) <= time.Hour, true)
					return err
				}))
				must(t, drain(t, p).Err())
			})
		})
	}
}

// The wait is ended by a pool that shares nothing with that of the waiter, while that
// one is busy with a stream of its own.
func TestTaskGoesOnAheadOfAStreamWhenAnotherPoolEndsItsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, other := newPool(taskpool.Config{Workers: 1}), newPool(taskpool.Config{})
		promise := taskpool.Async(other, value(1, 90*time.Second))
		start := time.Now()
		_, s := begin(p, context.Background())
		must(t, s.Add(func(ctx context.Context) error {
			_, err := promise.Await(ctx)
			equal(t, "went on after", elapsed(start), 2*time.Minute) // when the one that runs has ended
			return err
		}))
		synctest.Wait()
		must(t, p.Add(repeat(200, func(context.Context) error { time.Sleep(time.Minute); return nil })...))
		must(t, drain(t, p).Err())
	})
}

func TestWaitWhoseContextHasEndedLendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, other := newPool(taskpool.Config{Workers: 1}), newPool(taskpool.Config{})
		promise := taskpool.Async(other, value(1, time.Hour))
		_, s := begin(other, context.Background())
		must(t, s.Add(sleeping(time.Hour)))
		start := time.Now()
		must(t, p.Add(func(ctx context.Context) error {
			must(t, p.Add(sleeping(time.Hour)))
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			for range 100 {
				_, err := promise.Await(ctx)
				wantErr(t, "Await", err, context.Canceled)
				_, err = s.Drain(ctx)
				wantErr(t, "Scope.Drain", err, context.Canceled)
				_, err = other.Drain(ctx)
				wantErr(t, "Pool.Drain", err, context.Canceled)
				runtime.Gosched()
			}
			equal(t, "took", elapsed(start), 0)
			equal(t, "running", p.Stats().Running, 1)
			return nil
		}))
		must(t, drain(t, p).Err())
	})
}

// However the context is derived and whatever the task is.
func TestContextOfATaskEndsWithItsRun(t *testing.T) {
	for name, add := range map[string]func(s taskpool.Scope, task taskpool.Task) error{
		"plain": func(s taskpool.Scope, task taskpool.Task) error { return s.Add(task) },
		"job":   func(s taskpool.Scope, task taskpool.Task) error { return s.Submit(taskpool.Job{Run: task}) },
		"with timeout": func(s taskpool.Scope, task taskpool.Task) error {
			return s.Submit(taskpool.Job{Run: task, Timeout: time.Hour})
		},
		"retried": func(s taskpool.Scope, task taskpool.Task) error {
			var runs atomic.Int32
			return s.Submit(taskpool.Job{Retry: waits(time.Minute), Run: func(ctx context.Context) error {
				if err := task(ctx); err != nil {
					return err
				}
				if runs.Add(1) == 1 {
					return errTask
				}
				return nil
			}})
		},
		"panicking": func(s taskpool.Scope, task taskpool.Task) error {
			return s.Add(func(ctx context.Context) error { _ = task(ctx); panic("boom") })
		},
		"exiting": func(s taskpool.Scope, task taskpool.Task) error {
			return s.Add(func(ctx context.Context) error { _ = task(ctx); return exiting(ctx) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(taskpool.Config{Workers: 2})
				var told atomic.Int32
				kept := make(chan context.Context, 8)
				_, s := begin(p, withUser(context.Background(), "ann"))
				for range 2 { // the second task of the scope has a life of its own
					told.Store(0)
					must(t, add(s.Scope, func(ctx context.Context) error {
						wantErr(t, "Err while it runs", ctx.Err(), nil)
						wantErr(t, "Cause while it runs", context.Cause(ctx), nil)
						context.AfterFunc(ctx, func() { told.Add(1) })
						derived, cancel := context.WithCancel(withUser(ctx, "bob"))
						_ = cancel
						go func() { <-derived.Done(); told.Add(1) }()
						go func() { <-ctx.Done(); told.Add(1) }()
						kept <- ctx
						time.Sleep(time.Second)
						wantErr(t, "Err while it runs", ctx.Err(), nil)
						return nil
					}))
					_, err := s.Drain(context.Background())
					must(t, err)
					synctest.Wait()
					runs := int32(len(kept))
					equal(t, "told", told.Load(), 3*runs)
					for range runs {
						ctx := <-kept
						wantErr(t, "Err afterwards", ctx.Err(), context.Canceled)
						if name != "with timeout" {
							equal(t, "Cause afterwards", context.Cause(ctx).Error(), "taskpool: the task has ended: context canceled")
						}
						equal(t, "value afterwards", ctx.Value(userKey{}), any("ann"))
					}
				}
			})
		})
	}
}

func TestContextThatPlainTasksShareEndsWithTheLastOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		start := time.Now()
		var ended trail
		task := func(name string, d time.Duration) taskpool.Task {
			return func(ctx context.Context) error {
				time.Sleep(time.Millisecond) // until the others run
				context.AfterFunc(ctx, func() { ended.add("%s@%v", name, elapsed(start).Round(time.Second)) })
				time.Sleep(d)
				wantErr(t, name, ctx.Err(), nil)
				return nil
			}
		}
		must(t, s.Add(task("a", time.Second), task("b", 3*time.Second)))
		must(t, s.Submit(taskpool.Job{Run: sleeping(time.Hour)}))
		time.Sleep(2 * time.Second)
		must(t, s.Add(task("c", 4*time.Second))) // the life was asked for: it has its own
		drain(t, p)
		equal(t, "ended", ended.sorted(), "a@3s b@3s c@6s")
	})
}

func TestContextOfThePoolEndsWithDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		var told atomic.Int32
		must(t, p.Add(repeat(50, func(ctx context.Context) error {
			go func() { <-ctx.Done(); told.Add(1) }()
			return nil
		})...))
		drain(t, p)
		equal(t, "told before Done", told.Load(), 0)
		done(t, p)
		synctest.Wait()
		equal(t, "told", told.Load(), 50)

		src := taskpool.PerRequest(taskpool.Config{}) // its pools have no Done of their own
		_, s := begin(src, context.Background())
		must(t, s.Pool().Add(func(ctx context.Context) error {
			go func() { <-ctx.Done(); told.Add(1) }()
			return nil
		}))
		drain(t, s.Pool())
		synctest.Wait()
		equal(t, "told", told.Load(), 51)
	})
}

// A pool's context is made for the first who asks, at any time: before Done is cut, in
// the same moment, or after.
func TestContextOfAPoolThatIsAskedForLateHasEnded(t *testing.T) {
	for _, watched := range []bool{false, true} { // as a job, or as a plain task
		synctest.Test(t, func(t *testing.T) {
			c := taskpool.Config{Workers: 2}
			if watched {
				c.Hooks.Ended = func(context.Context, taskpool.Result) {}
			}
			p := newPool(c)
			asked := make(chan struct{})
			causes := make(chan error, 2)
			must(t, p.Add(func(ctx context.Context) error {
				<-asked
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return ctx.Err()
			}, func(ctx context.Context) error {
				<-asked
				derived, cancel := context.WithCancel(ctx)
				defer cancel()
				<-derived.Done()
				causes <- context.Cause(derived)
				return derived.Err()
			}))
			synctest.Wait() // or they are canceled before they have begun
			time.AfterFunc(time.Second/2, func() { close(asked) })
			r, err := p.Done(canceled())
			wantErr(t, "Done", err, context.Canceled)
			equal(t, "canceled", r.Canceled, 2)
			wantErr(t, "cause", <-causes, taskpool.ErrCanceled)
			wantErr(t, "cause of a derived context", <-causes, taskpool.ErrCanceled)
		})
	}
	for range 2000 {
		p := newPool(taskpool.Config{Workers: 1})
		began := make(chan struct{})
		must(t, p.Add(func(ctx context.Context) error {
			close(began)
			<-ctx.Done() // or for ever, if the end and the first who asks miss each other
			return ctx.Err()
		}))
		<-began
		if r, err := p.Done(canceled()); r.Canceled != 1 || !errors.Is(err, context.Canceled) {
			t.Fatalf("got %+v, %v", r, err)
		}
	}
}

// What has ended stays so, also in the moment in which Done ends the rest.
func TestContextOfATaskThatHasEndedDoesNotComeBack(t *testing.T) {
	for range 2000 {
		p := newPool(taskpool.Config{Workers: 1, Hooks: taskpool.Hooks{Ended: func(context.Context, taskpool.Result) {}}})
		var kept context.Context
		must(t, p.Add(func(ctx context.Context) error {
			kept = ctx
			_ = ctx.Done()
			return nil
		}))
		drain(t, p)
		wantErr(t, "after the task", kept.Err(), context.Canceled)
		polls, over, polled := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
		go func() {
			for n := range math.MaxInt {
				if n == 1 {
					close(polls)
				}
				if kept.Err() == nil {
					polled <- false
					return
				}
				select {
				case <-over:
					polled <- true
					return
				default:
				}
			}
		}()
		<-polls
		done(t, p)
		close(over)
		if !<-polled {
			t.Fatal("the context of a task that has ended had no error again")
		}
	}
}

// A task that is added through the context of another outlives it.
func TestTaskOutlivesTheTaskThatAddedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		must(t, s.Add(func(ctx context.Context) error {
			<-time.After(time.Second)
			_ = ctx.Done()
			return taskpool.FromContext(withUser(ctx, "ann")).Add(func(ctx context.Context) error {
				time.Sleep(time.Hour)
				equal(t, "value", ctx.Value(userKey{}), any("ann"))
				return errors.Join(ctx.Err(), context.Cause(ctx))
			})
		}))
		must(t, drain(t, p).Err())
	})
}

// The hooks of a run see a context that has not ended, and those of a scope too.
func TestHooksAreCalledBeforeTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told trail
		look := func(what string, ctx context.Context) {
			select {
			case <-ctx.Done():
				told.add("%s ended", what)
			default:
				told.add("%s %v", what, ctx.Err())
			}
		}
		p := newPool(taskpool.Config{Workers: 1, Hooks: taskpool.Hooks{
			Ended:   func(ctx context.Context, _ taskpool.Result) { look("Ended", ctx) },
			Drained: func(ctx context.Context, _ taskpool.Report) { look("Drained", ctx) },
		}})
		_, s := begin(p, context.Background())
		must(t, s.Add(func(ctx context.Context) error { look("task", ctx); return nil }))
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		drain(t, p)
		equal(t, "told", told.String(), "task <nil> Ended <nil> Drained <nil>")
	})
}

// Each generation derives a context, in the task or in the hook too.
func TestGenerationsOfTasksKeepNoAncestors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // see isCollected
	type generation struct{}
	for _, hooked := range []bool{false, true} {
		c := taskpool.Config{Workers: 1}
		if hooked {
			c.Hooks.Run = func(ctx context.Context, name string, next taskpool.Task) error {
				return next(context.WithValue(ctx, begunKey{}, name))
			}
		}
		p := newPool(c)
		_, s := begin(p, withUser(context.Background(), "ann"))
		var early []weak.Pointer[big]
		var last context.Context
		var next func(n int) taskpool.Task
		next = func(n int) taskpool.Task {
			return func(ctx context.Context) error {
				if parent, _ := ctx.Value(generation{}).(*big); n > 0 && parent == nil {
					return fmt.Errorf("generation %d does not see what its parent derived", n)
				}
				if ctx.Value(userKey{}) != "ann" {
					return fmt.Errorf("generation %d does not see the request's values", n)
				}
				if last = ctx; n == 100 {
					return nil
				}
				b := new(big)
				if n < 90 {
					early = append(early, weak.Make(b))
				}
				return taskpool.FromContext(context.WithValue(ctx, generation{}, b)).Add(next(n + 1))
			}
		}
		must(t, s.Add(next(0)))
		must(t, drain(t, p).Err())
		for n, b := range early {
			isCollected(t, fmt.Sprint("what generation ", n, " has derived"), b)
		}
		equal(t, "the request's value", last.Value(userKey{}), any("ann"))
	}
}
