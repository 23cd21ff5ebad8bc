package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/elite-libs/taskpool/core"
)

// The failures that pools of tasks are known for, and that no other test here
// has: each test is named after what has to be instead.

// A promise whose task panics or exits while it is awaited is settled for all.
func TestPanicsAndGoexitsThatRaceWaitersReachThem(t *testing.T) {
	for round := range 300 {
		p := newPool(taskpool.Config{Workers: 2})
		_, s := begin(p, context.Background())
		var waiters sync.WaitGroup
		for i, bad := range []taskpool.Task{panicking, exiting, failing} {
			promise := taskpool.Async(s.Scope, func(ctx context.Context) (int, error) { return 7, bad(ctx) })
			for range 2 {
				waiters.Go(func() {
					v, err := promise.Await(context.Background())
					e := (*taskpool.PanicError)(nil)
					is := []bool{errors.As(err, &e), errors.Is(err, taskpool.ErrGoexit), errors.Is(err, errTask)}
					if !is[i] || v != 0 {
						t.Errorf("round %d: got %v, %v", round, v, err)
					}
				})
				waiters.Go(func() {
					_, err := s.Drain(context.Background())
					wantErr(t, "Scope.Drain", err, nil)
				})
			}
			waiters.Go(func() {
				if _, err := p.Drain(context.Background()); err != nil && !errors.Is(err, taskpool.ErrSuperseded) {
					t.Error(err)
				}
			})
		}
		waiters.Wait()
		s.Returned(taskpool.Outcome{})
		done(t, p)
		equal(t, "fates", fatesOf(balanced(t, p)), counts{Failed: 2, Panicked: 1})
	}
}

// A promise of a task that is added while the pool is stopped is settled,
// whether the task was accepted, refused or canceled.
func TestPromisesThatRaceDoneAreSettled(t *testing.T) {
	for i := range 200 {
		p := newPool(taskpool.Config{Workers: 2})
		var adders sync.WaitGroup
		for range 3 {
			adders.Go(func() {
				for range 20 {
					_, err := taskpool.Async(p, value(7, 0)).Await(context.Background())
					if err != nil && !errors.Is(err, taskpool.ErrDone) {
						t.Error(err)
					}
				}
			})
		}
		ctx, cancel := context.WithCancel(context.Background())
		if i%2 == 0 {
			go cancel()
		}
		_, _ = p.Done(ctx)
		adders.Wait()
		cancel()
		equal(t, "fates", uint64(fatesOf(balanced(t, p)).sum()), p.Stats().Accepted)
	}
}

// Of several that wait for one thing, the first gives up: the others are woken.
func TestFirstWaiterThatGivesUpTakesNoWakeUpWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		ctx, s := begin(p, context.Background())
		g := newGate()
		promise := taskpool.Async(s.Scope, func(ctx context.Context) (int, error) { return 7, g.task(ctx) })
		ends := make(chan error, 6)
		wait := func(ctx context.Context) {
			go func() {
				_, err := s.Drain(ctx)
				ends <- err
			}()
			go func() {
				_, err := promise.Await(ctx)
				ends <- err
			}()
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(ctx)
		wait(ctx)
		wait(context.Background())
		cancel()
		for range 2 {
			wantErr(t, "who gave up", <-ends, context.Canceled)
		}
		wait(context.Background())
		g.open()
		for range 4 {
			wantErr(t, "who did not", <-ends, nil)
		}
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	})
}

// The first that waits for a slot is owed none any more, since its task has
// ended: the next one gets it.
func TestFirstInTheQueueForASlotDoesNotHoldTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := newPool(taskpool.Config{Workers: 1}), newPool(taskpool.Config{})
		begin := func(p *taskpool.Pool, tasks ...taskpool.Task) opened {
			_, s := begin(p, context.Background())
			must(t, s.Add(tasks...))
			return s
		}
		ofStray, ofNext, first, last := newGate(), newGate(), newGate(), newGate()
		awaited, other := begin(q, ofStray.task), begin(q, ofNext.task)
		var order trail
		begin(p, func(ctx context.Context) error {
			go func() { // waits in the name of this task, and has its slot lent
				_, err := awaited.Drain(ctx)
				wantErr(t, "stray", err, nil)
				order.add("stray")
			}()
			return first.task(ctx)
		})
		synctest.Wait()
		begin(p, func(ctx context.Context) error {
			_, err := other.Drain(ctx)
			order.add("next")
			return err
		})
		synctest.Wait()
		begin(p, last.task)
		<-last.begun // it has the slot
		ofStray.open()
		synctest.Wait()
		ofNext.open()
		synctest.Wait()
		equal(t, "order while the slot is taken", order.String(), "")
		first.open()
		synctest.Wait()
		equal(t, "order when the task of the first has ended", order.String(), "stray")
		last.open()
		synctest.Wait()
		equal(t, "order", order.String(), "stray next")
		drain(t, p)
		drain(t, q)
		balanced(t, p)
	})
}

// A queue that is not empty keeps nothing of what has left it.
func TestQueueKeepsNoTaskThatHasLeftIt(t *testing.T) {
	const many = 150 // more than a chunk
	for name, job := range map[string]taskpool.Job{
		"plain":    {},
		"pool":     {},
		"priority": {Priority: taskpool.PriorityHigh},
		"lane":     {Lane: "one"},
		"staged":   {Start: taskpool.StartAfterResponse},
		"delayed":  {Delay: time.Microsecond},
		"retried":  {Retry: taskpool.Backoff(2, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: 1, QueueLimit: -1})
			p.Pause()
			_, s := begin(p, context.Background())
			var live atomic.Int64
			add := func(run taskpool.Task) {
				j := job
				j.Run = run
				switch name {
				case "plain":
					must(t, s.Add(run))
				case "pool":
					must(t, p.Add(run))
				default:
					must(t, s.Submit(j))
				}
			}
			run := nop
			if job.Retry != nil {
				run = failing
			}
			var before, after []weak.Pointer[big]
			for range many {
				task, w := hold(&live, run)
				add(task)
				before = append(before, w)
			}
			g := newGate()
			add(g.task)
			for range many {
				task, w := hold(&live, run)
				add(task)
				after = append(after, w)
			}
			finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
			p.Resume()
			<-g.begun
			if job.Retry == nil { // else they queue again
				for i, w := range before {
					if isCollected(t, fmt.Sprint("task ", i), w); t.Failed() {
						break
					}
				}
				for i, w := range after {
					if w.Value() == nil {
						t.Fatalf("task %d was collected, and has not run", i)
					}
				}
			}
			g.open()
			drain(t, p)
			for i, w := range slices.Concat(before, after) {
				if isCollected(t, fmt.Sprint("task ", i), w); t.Failed() {
					break
				}
			}
			runtime.KeepAlive(p)
			runtime.KeepAlive(s)
		})
	}
}

// What a pool that lives on has done for a request leaves nothing of it, by
// whatever way it went.
func TestLongLivedPoolKeepsNothingOfFinishedRequests(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 2, QueueLimit: -1, Grace: time.Millisecond, Results: taskpool.KeepNone,
		Lanes: map[string]taskpool.Lane{"one": {Limit: 1}}})
	request := func(add func(ctx context.Context, s taskpool.Scope)) (w weak.Pointer[big]) {
		b := new(big)
		ctx, s := begin(p, context.WithValue(context.Background(), userKey{}, b))
		add(ctx, s.Scope)
		s.Returned(taskpool.Outcome{Status: 404})
		return weak.Make(b) // the sweep releases it
	}
	job := func(j taskpool.Job) func(context.Context, taskpool.Scope) {
		if j.Run == nil {
			j.Run = failing
		}
		return func(_ context.Context, s taskpool.Scope) { must(t, s.Submit(j, j)) }
	}
	for name, add := range map[string]func(context.Context, taskpool.Scope){
		"delay":     job(taskpool.Job{Delay: time.Microsecond}),
		"retry":     job(taskpool.Job{Retry: taskpool.Backoff(3, time.Microsecond, 0)}),
		"timeout":   job(taskpool.Job{Timeout: time.Microsecond, Run: untilCanceled}),
		"time left": job(taskpool.Job{Timeout: time.Hour}),
		"lane":      job(taskpool.Job{Lane: "one"}),
		"new lane":  job(taskpool.Job{Lane: "other"}),
		"high":      job(taskpool.Job{Priority: taskpool.PriorityHigh}),
		"discarded": job(taskpool.Job{Start: taskpool.StartOnSuccess}),
		"throttle": job(taskpool.Job{Lane: "one", Run: func(ctx context.Context) error {
			taskpool.Throttle(ctx, hint(1, time.Millisecond))
			return nil
		}}),
		"promise": func(ctx context.Context, s taskpool.Scope) {
			_, err := taskpool.Async(s, value(7, 0)).Await(ctx)
			must(t, err)
		},
		"canceled drain": func(ctx context.Context, s taskpool.Scope) {
			must(t, s.Add(nop, panicking, exiting))
			_, _ = s.Drain(canceled())
		},
		"await in a task": func(_ context.Context, s taskpool.Scope) {
			must(t, s.Add(func(ctx context.Context) error {
				_, err := taskpool.Async(taskpool.FromContext(ctx), value(7, 0)).Await(ctx)
				return err
			}))
		},
	} {
		var all []weak.Pointer[big]
		for range 20 {
			all = append(all, request(add))
		}
		drain(t, p)
		for i, w := range all {
			if isCollected(t, fmt.Sprint(name, " ", i), w); t.Failed() {
				break
			}
		}
	}
	runtime.KeepAlive(p)
}

// A task that refers to its own scope, promise and pool is collected all the
// same: when it has ended, or with a pool that nobody has any more.
func TestTaskThatClosesOverItsScopeIsCollected(t *testing.T) {
	add := func(p *taskpool.Pool) (opened, weak.Pointer[big]) {
		b := new(big)
		ctx, s := begin(p, context.Background())
		var promise *taskpool.Promise[int]
		run := func(context.Context) (int, error) {
			_, _, _, _ = *b, ctx, promise, p
			return len(s.Pending()), nil
		}
		promise, err := taskpool.AsyncJob(s.Scope, taskpool.Job{Start: taskpool.StartAfterResponse}, run)
		must(t, err)
		must(t, s.AfterResponse(func(ctx context.Context) error {
			_, err := run(ctx)
			return err
		}))
		return s, weak.Make(b)
	}
	p := newPool(taskpool.Config{})
	s, ended := add(p)
	finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	drain(t, p)
	isCollected(t, "a task that has ended", ended)
	runtime.KeepAlive(p)
	runtime.KeepAlive(s)

	_, dropped := add(newPool(taskpool.Config{})) // its handler never returns
	isCollected(t, "a task of a dropped pool", dropped)
}

// A scope whose pool is done answers everything, and waits for nothing.
func TestScopeOutlivesItsPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, early := range []bool{false, true} { // the pool is done before the handler has returned
			p := newPool(taskpool.Config{})
			ctx, s := begin(p, context.Background())
			if !early {
				must(t, s.Add(nop))
				finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
			}
			done(t, p)
			for name, add := range map[string]func(...taskpool.Task) error{"Add": s.Add, "AfterResponse": s.AfterResponse, "OnSuccess": s.OnSuccess} {
				wantErr(t, name, add(nop), taskpool.ErrDone)
			}
			wantErr(t, "Submit", s.Submit(taskpool.Job{Run: nop, Delay: time.Hour}), taskpool.ErrDone)
			_, err := taskpool.Async(s.Scope, value(7, 0)).Await(ctx)
			wantErr(t, "Await", err, taskpool.ErrDone)
			r, err := s.Drain(ctx)
			wantErr(t, "Drain", err, nil)
			equal(t, "its report", countsOf(r) == counts{}, early)
			equal(t, "pending", len(s.Pending()), 0)
			s.Fail(errVeto)
			finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
			_, known := s.Outcome()
			equal(t, "outcome known", known, true)
			equal(t, "its pool", s.Pool(), p)
			balanced(t, p)
		}
	})
}

// Between the moment at which a goroutine may go on and the one at which it does,
// only so many short tasks run: the pool's worker lets others go first. On one
// processor, counted in tasks, since the time depends on what else the machine
// does. A worker that did not would run about 2000 until the scheduler stops it.
func TestOtherGoroutinesGoOnWhileShortTasksDrain(t *testing.T) {
	const between, most = 400, 200
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p := newPool(taskpool.Config{Workers: 1, QueueLimit: -1})
	p.Pause()
	var ran atomic.Int64
	short := func(context.Context) error {
		for end := time.Now().Add(5 * time.Microsecond); time.Now().Before(end); {
		}
		ran.Add(1)
		return nil
	}
	var delays []int64
	var others sync.WaitGroup
	var mu sync.Mutex
	for range 31 {
		bell := make(chan int64, 1)
		others.Go(func() {
			rung := <-bell
			delay := ran.Load() - rung
			mu.Lock()
			defer mu.Unlock()
			delays = append(delays, delay)
		})
		must(t, p.Add(func(context.Context) error {
			bell <- ran.Load()
			return nil
		}))
		must(t, p.Add(repeat(between, short)...))
	}
	p.Resume()
	drain(t, p)
	others.Wait()
	slices.Sort(delays)
	if got := delays[len(delays)/2]; got > most {
		t.Errorf("a goroutine that may go on waits for %d tasks, want at most %d", got, most)
	}
}
