package taskpool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// patient ends a wait that would otherwise hang the bubble.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	t.Cleanup(cancel)
	return ctx
}

func TestNestedDrainsEndWithOneWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var executing load
		var nest func(depth int) taskpool.Task
		nest = func(depth int) taskpool.Task {
			return func(ctx context.Context) error {
				executing.enter()
				defer executing.leave()
				if depth == 0 {
					return nil
				}
				inner, s := begin(p, ctx)
				defer finish(s, taskpool.Outcome{}, taskpool.ReleaseNoServer)
				if err := s.Add(nest(depth-1), nest(depth-1)); err != nil {
					return err
				}
				return executing.waitDrain(inner, s.Scope)
			}
		}
		must(t, p.Add(nest(6)))
		r := drain(t, p)
		equal(t, "counts", countsOf(r), counts{Succeeded: 127})
		must(t, r.Err())
		equal(t, "tasks executing at once", executing.most.Load(), 1)
		balanced(t, p)
	})
}

// A waiter takes its slot back before it goes on, and ahead of what is queued.
func TestLentSlotIsTakenBackAheadOfQueuedTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var order trail
		g := newGate()
		_, other := begin(p, context.Background())
		must(t, p.Add(func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			must(t, other.Add(g.task))
			_, err := other.Drain(ctx)
			wantErr(t, "Drain", err, context.DeadlineExceeded)
			order.add("waiter")
			return nil
		}))
		<-g.begun
		must(t, p.Add(order.task("queued1"), order.task("queued2")))
		time.Sleep(time.Minute) // the wait has ended, but g has the slot
		synctest.Wait()
		equal(t, "order while the slot is taken", order.String(), "")
		equal(t, "running", balanced(t, p).Running, 2)
		g.open()
		drain(t, p)
		equal(t, "order", order.String(), "waiter queued1 queued2")
	})
}

func TestWaitLendsTheSlotOfAnotherPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPool(taskpool.Config{Workers: 1}), newPool(taskpool.Config{Workers: 1})
		var order trail
		must(t, a.Add(func(ctx context.Context) error {
			must(t, b.Add(func(ctx context.Context) error {
				_, s := begin(a, ctx)
				must(t, s.Add(order.task("a again")))
				_, err := s.Drain(ctx)
				return err
			}))
			_, err := b.Drain(ctx)
			order.add("waiter")
			return err
		}))
		r := drain(t, a)
		must(t, r.Err())
		equal(t, "order", order.String(), "a again waiter")
		// Done lends as Drain does.
		c, d := newPool(taskpool.Config{Workers: 1}), newPool(taskpool.Config{Workers: 1})
		must(t, c.Add(func(ctx context.Context) error {
			must(t, d.Add(func(context.Context) error {
				_, s := begin(c, ctx)
				must(t, s.Add(nop))
				_, err := s.Drain(patient(t))
				return err
			}))
			r, err := d.Done(ctx)
			return errors.Join(err, r.Err())
		}))
		must(t, drain(t, c).Err())
	})
}

func TestWaitForOneselfIsErrSelfWait(t *testing.T) {
	type key struct{}
	derive := map[string]func(context.Context) (context.Context, context.CancelFunc){
		"own":     func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} },
		"cancel":  context.WithCancel,
		"timeout": func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, 1) },
		"value": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithValue(ctx, key{}, 1), func() {}
		},
		"without cancel": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithoutCancel(ctx), func() {}
		},
	}
	for name, with := range derive {
		t.Run(name, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: 1, Timeout: time.Hour})
			ctx, s := begin(p, context.Background())
			must(t, p.Add(func(ctx context.Context) error {
				ctx, cancel := with(ctx)
				defer cancel()
				_, err := p.Drain(ctx)
				wantErr(t, "Pool.Drain in a task of the pool", err, taskpool.ErrSelfWait)
				_, err = p.Done(ctx)
				wantErr(t, "Pool.Done in a task of the pool", err, taskpool.ErrSelfWait)
				return nil
			}))
			must(t, s.Add(func(ctx context.Context) error {
				ctx, cancel := with(ctx)
				defer cancel()
				_, err := s.Drain(ctx)
				wantErr(t, "Scope.Drain in a task of the scope", err, taskpool.ErrSelfWait)
				_, err = p.Drain(ctx)
				wantErr(t, "Pool.Drain in a task of a scope", err, taskpool.ErrSelfWait)
				_, err = p.Done(ctx)
				wantErr(t, "Pool.Done in a task of a scope", err, taskpool.ErrSelfWait)
				// A scope begun here does not hide whose task this is.
				ctx, inner := begin(p, ctx)
				_, err = s.Drain(ctx)
				wantErr(t, "Scope.Drain with an inner scope's context", err, taskpool.ErrSelfWait)
				_, err = inner.Drain(ctx)
				wantErr(t, "inner Scope.Drain", err, nil)
				return nil
			}))
			_, err := s.Drain(ctx) // the handler's context is not the task's
			must(t, err)
			finish(s, taskpool.Outcome{}, taskpool.ReleaseNoServer)
			equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 2})
			must(t, p.Add(nop)) // the refused Done had no effect
			done(t, p)
		})
	}
}

// A goroutine that a finished task left behind has no slot to lend or to take.
func TestStrayWaiterOfFinishedTaskLendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		g, stray := newGate(), make(chan error)
		_, other := begin(p, context.Background())
		must(t, other.Add(g.task))
		<-g.begun
		ctxs := make(chan context.Context, 1)
		must(t, p.Add(func(ctx context.Context) error {
			ctxs <- ctx
			return nil
		}))
		p.Resize(2)
		ctx := <-ctxs
		synctest.Wait()
		p.Resize(1)
		go func() {
			_, err := other.Drain(ctx)
			stray <- err
		}()
		synctest.Wait()
		queued := newGate()
		must(t, p.Add(queued.task))
		synctest.Wait()
		equal(t, "running", p.Stats().Running, 1)
		g.open()
		<-queued.begun
		must(t, <-stray) // it goes on although the one slot is taken
		queued.open()
		drain(t, p)
		equal(t, "running", balanced(t, p).Running, 0)
	})
}

// The task ends while a goroutine that it started still waits in its name: the
// slot comes back, once.
func TestTaskThatEndsBeforeItsStrayWaiterGivesItsSlotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := newPool(taskpool.Config{Workers: 2}), newPool(taskpool.Config{})
		inX, end := newGate(), newGate()
		stray := make(chan error)
		_, x := begin(q, context.Background())
		must(t, x.Add(inX.task))
		must(t, p.Add(func(ctx context.Context) error {
			go func() {
				_, err := x.Drain(ctx)
				stray <- err
			}()
			return end.task(ctx)
		}))
		synctest.Wait()
		end.open()
		synctest.Wait()
		twoSlots(t, p, "while the stray goroutine waits")
		inX.open()
		must(t, <-stray)
		twoSlots(t, p, "after its wait")
	})
}

// twoSlots fails the test unless the pool runs two tasks at once, and no third.
func twoSlots(t *testing.T, p *taskpool.Pool, when string) {
	t.Helper()
	var executing load
	start := time.Now()
	must(t, p.Add(repeat(6, func(context.Context) error {
		executing.enter()
		defer executing.leave()
		time.Sleep(time.Second)
		return nil
	})...))
	drain(t, p)
	equal(t, "time of six tasks "+when, elapsed(start), 3*time.Second)
	equal(t, "tasks executing at once "+when, executing.most.Load(), 2)
}

func TestResizeGivesAWaiterItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		_, other := begin(p, context.Background())
		g, resumed := newGate(), make(chan struct{})
		must(t, p.Add(func(ctx context.Context) error {
			must(t, other.Add(g.task))
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := other.Drain(ctx)
			wantErr(t, "Drain", err, context.DeadlineExceeded)
			close(resumed)
			return nil
		}))
		time.Sleep(time.Minute)
		synctest.Wait()
		p.Resize(2)
		synctest.Wait()
		select {
		case <-resumed:
		default:
			t.Error("the second slot is free, and the waiter does not go on")
		}
		g.open()
		drain(t, p)
	})
}

// A stray waiter and a task of the same scope have one context. When the stray
// one's wait ends it must not take back the slot that the task has lent.
func TestStrayWaiterDoesNotTakeTheSlotThatATaskLent(t *testing.T) {
	t.Run("it waited first", func(t *testing.T) { testStray(t, true) })
	t.Run("the task waited first", func(t *testing.T) { testStray(t, false) })
}

func testStray(t *testing.T, strayFirst bool) {
	synctest.Test(t, func(t *testing.T) {
		p, q := newPool(taskpool.Config{Workers: 2}), newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		_, x := begin(q, context.Background())
		_, y := begin(p, context.Background())
		inX, inY, inA := newGate(), newGate(), newGate()
		must(t, x.Add(inX.task))
		strayWaits, taskWaits, stray := make(chan struct{}), make(chan struct{}), make(chan error)
		must(t, s.Add(func(ctx context.Context) error { // A
			go func() {
				<-strayWaits
				_, err := x.Drain(ctx)
				stray <- err
			}()
			return inA.task(ctx)
		}, func(ctx context.Context) error { // B
			<-taskWaits
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			_, err := y.Drain(ctx)
			return err
		}))
		synctest.Wait()
		p.Resize(1)
		must(t, y.Add(inY.task, nop))
		first, second := strayWaits, taskWaits
		if !strayFirst {
			first, second = second, first
		}
		close(first)
		synctest.Wait()
		close(second)
		synctest.Wait()
		inA.open()
		synctest.Wait()
		inX.open() // the stray wait is over, B's is not: y has a slot yet to come
		synctest.Wait()
		inY.open()
		must(t, <-stray)
		must(t, drain(t, p).Err())
		// The accounts are even: exactly one slot is left.
		var executing load
		for range 3 {
			must(t, p.Add(func(context.Context) error {
				executing.enter()
				defer executing.leave()
				time.Sleep(time.Second)
				return nil
			}))
		}
		start := time.Now()
		drain(t, p)
		equal(t, "time of three tasks on one worker", elapsed(start), 3*time.Second)
		equal(t, "tasks executing at once", executing.most.Load(), 1)
	})
}

func TestGoexitOrPanicOfSiblingDoesNotHarmAWaiter(t *testing.T) {
	for name, bad := range map[string]taskpool.Task{"panic": panicking, "Goexit": exiting} {
		t.Run(name, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: 1})
			_, other := begin(p, context.Background())
			must(t, p.Add(func(ctx context.Context) error {
				must(t, other.Add(bad, nop, bad))
				r, err := other.Drain(ctx)
				equal(t, "ended", countsOf(r).sum(), 3)
				return err
			}, nop))
			r := drain(t, p)
			equal(t, "succeeded", r.Succeeded, 3)
		})
	}
}

// Scopes in a random tree wait for each other; tasks sleep, fail, panic, exit.
func TestNeverMoreThanWorkersExecuteUnderRandomNesting(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			var mu sync.Mutex
			pick := func(n int) int {
				mu.Lock()
				defer mu.Unlock()
				return random.IntN(n)
			}
			workers := 1 + pick(3)
			p := newPool(taskpool.Config{Workers: workers, QueueLimit: -1})
			var executing load
			var task func(depth int) taskpool.Task
			task = func(depth int) taskpool.Task {
				return func(ctx context.Context) error {
					executing.enter()
					defer executing.leave()
					time.Sleep(time.Duration(pick(5)) * time.Millisecond)
					if depth > 0 {
						inner, s := begin(p, ctx)
						for range 1 + pick(3) {
							_ = s.Add(task(depth - 1))
						}
						if pick(4) == 0 {
							c, cancel := context.WithTimeout(inner, time.Duration(pick(6))*time.Millisecond)
							_ = executing.waitDrain(c, s.Scope)
							cancel()
						} else if err := executing.waitDrain(inner, s.Scope); err != nil {
							t.Errorf("seed %d: %v", seed, err)
						}
						finish(s, taskpool.Outcome{}, taskpool.ReleaseNoServer)
					}
					switch pick(6) {
					case 0:
						panic("boom")
					case 1:
						return exiting(ctx)
					case 2:
						return errTask
					}
					return nil
				}
			}
			for range 1 + pick(6) {
				must(t, p.Add(task(pick(4))))
			}
			if _, err := p.Done(patient(t)); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if got := executing.most.Load(); got > int64(workers) {
				t.Errorf("seed %d: %d tasks executed at once, want at most %d", seed, got, workers)
			}
			balanced(t, p)
		})
	}
}
