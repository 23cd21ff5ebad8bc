package taskpool_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/elite-libs/taskpool/core"
)

func TestTasksOfAScopeStartFirstInFirstOut(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1, QueueLimit: -1})
	_, s := begin(p, context.Background())
	var order trail
	var want []string
	add := func(n int) {
		for range n {
			name := fmt.Sprint(len(want))
			want = append(want, name)
			if len(want)%3 == 0 {
				must(t, s.Submit(taskpool.Job{Run: order.task(name)}))
			} else {
				must(t, s.Add(order.task(name)))
			}
		}
	}
	for _, n := range []int{1, 3, 4, 5, 200, 2, 66, 7} { // small chunks, large ones, and back
		p.Pause()
		add(n)
		p.Resume()
		if n%2 == 0 {
			drain(t, p)
		}
	}
	drain(t, p)
	equal(t, "order", order.String(), strings.Join(want, " "))
}

// Each scope with something to run has one task per turn.
func TestScopesTakeTurns(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	p.Pause()
	var order trail
	for _, name := range []string{"a", "b", "c"} {
		_, s := begin(p, context.Background())
		for i := range 3 {
			must(t, s.Add(order.task(fmt.Sprint(name, i))))
		}
	}
	must(t, p.Add(order.task("pool0"), order.task("pool1"))) // the pool's own are one more
	p.Resume()
	drain(t, p)
	equal(t, "order", order.String(), "a0 b0 c0 pool0 a1 b1 c1 pool1 a2 b2 c2")
}

func TestSmallScopeDoesNotWaitBehindALargeOne(t *testing.T) {
	const many = 20_000
	p := newPool(taskpool.Config{Workers: 1, QueueLimit: -1})
	p.Pause()
	n := 0 // started of the large scope; one worker
	_, large := begin(p, context.Background())
	for range many {
		must(t, large.Add(func(context.Context) error { n++; return nil }))
	}
	var before trail
	_, small := begin(p, context.Background())
	for range 3 {
		must(t, small.Add(func(context.Context) error { before.add("%d", n); return nil }))
	}
	p.Resume()
	drain(t, p)
	equal(t, "tasks of the large scope before each", before.String(), "1 2 3")
	equal(t, "tasks of the large scope", n, many)
}

func TestPauseHoldsWhatHasNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		g := newGate()
		var ran trail
		must(t, p.Add(g.task, ran.task("queued")))
		<-g.begun
		p.Pause()
		p.Pause()
		g.open()
		synctest.Wait()
		must(t, p.Add(ran.task("added")))
		synctest.Wait()
		equal(t, "ran while paused", ran.String(), "")
		equal(t, "queued", balanced(t, p).Queued, 2)
		p.Resume()
		p.Resume()
		synctest.Wait()
		equal(t, "ran", ran.String(), "queued added")
	})
}

func TestWorkersLimitHowManyRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 3})
		run := func(what string, n int, most int64, want time.Duration) {
			t.Helper()
			var executing load
			start := time.Now()
			must(t, p.Add(repeat(n, func(context.Context) error {
				executing.enter()
				defer executing.leave()
				time.Sleep(time.Second)
				return nil
			})...))
			drain(t, p)
			equal(t, what+": at once", executing.most.Load(), most)
			equal(t, what+": time", elapsed(start), want)
		}
		run("three workers", 9, 3, 3*time.Second)
		p.Resize(5)
		run("five", 10, 5, 2*time.Second)
		p.Resize(-1)
		run("one", 2, 1, 2*time.Second)
		equal(t, "workers", p.Stats().Workers, 1)

		// A larger pool starts what waits, a smaller one lets run what runs.
		gates := []gate{newGate(), newGate(), newGate(), newGate()}
		for _, g := range gates {
			must(t, p.Add(g.task))
		}
		running := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			equal(t, what, p.Stats().Running, want)
		}
		running("of four on one worker", 1)
		p.Resize(3)
		running("on three", 3)
		p.Resize(1)
		running("on one again", 3)
		gates[0].open()
		gates[1].open()
		running("two have ended", 1)
		gates[2].open()
		running("the last", 1)
		gates[3].open()
		drain(t, p)
	})
}

func TestIdlePoolHasNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	p := newPool(taskpool.Config{Workers: 8})
	for range 3 {
		must(t, p.Add(repeat(50, nop)...))
		_, s := begin(p, context.Background())
		must(t, s.AfterResponse(panicking, exiting, nop))
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		drain(t, p)
		got := runtime.NumGoroutine()
		for i := 0; i < 100_000 && got > before; i++ { // the last worker is on its way out
			runtime.Gosched()
			got = runtime.NumGoroutine()
		}
		if got > before {
			t.Fatalf("%d goroutines are left", got-before)
		}
	}
}

func TestDroppedPoolIsCollected(t *testing.T) {
	collected := make(chan struct{})
	func() {
		p := newPool(taskpool.Config{Grace: time.Nanosecond})
		runtime.AddCleanup(p, func(c chan struct{}) { close(c) }, collected)
		_, s := begin(p, context.Background())
		must(t, s.AfterResponse(repeat(200, nop)...))
		s.Returned(taskpool.Outcome{}) // released by the sweep
		_, err := s.Drain(context.Background())
		must(t, err)
		drain(t, p)
	}()
	for range 1000 {
		select {
		case <-collected:
			return
		default:
			runtime.GC()
			runtime.Gosched()
		}
	}
	t.Error("the pool is not collected")
}

// big is what a task's closure holds, or a request's context.
type big struct{ _ [1 << 10]byte }

// hold makes a task that refers to a value of its own.
func hold(live *atomic.Int64, run taskpool.Task) (taskpool.Task, weak.Pointer[big]) {
	b := new(big)
	live.Add(1)
	return func(ctx context.Context) error {
		_ = *b
		return run(ctx)
	}, weak.Make(b)
}

func TestPoolKeepsNoFinishedTask(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 2, QueueLimit: -1})
	ctx, s := begin(p, context.Background())
	inner := taskpool.FromContext(withUser(ctx, "ann"))
	var live atomic.Int64
	var all []weak.Pointer[big]
	p.Pause()
	for i := range 300 {
		for _, run := range []taskpool.Task{nop, failing, panicking, exiting} {
			task, w := hold(&live, run)
			all = append(all, w)
			switch i % 5 {
			case 0:
				must(t, p.Add(task))
			case 1:
				must(t, s.Add(task))
			case 2:
				must(t, s.AfterResponse(task))
			case 3:
				must(t, s.OnFailure(task)) // to be discarded
			default:
				must(t, inner.Submit(taskpool.Job{Run: task, Start: taskpool.StartOnSuccess}))
			}
		}
	}
	finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	p.Resume()
	drain(t, p)
	for i, w := range all {
		isCollected(t, fmt.Sprint("task ", i), w)
		if t.Failed() {
			break
		}
	}
	runtime.KeepAlive(p)
	runtime.KeepAlive(s)
}

func TestPoolKeepsNoFinishedScope(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 2})
	var all []weak.Pointer[big]
	request := func(add func(s taskpool.Scope)) {
		b := new(big)
		all = append(all, weak.Make(b))
		_, s := begin(p, context.WithValue(context.Background(), userKey{}, b))
		add(s.Scope)
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	}
	request(func(taskpool.Scope) {})
	request(func(s taskpool.Scope) { must(t, s.Add(nop, failing, panicking, exiting)) })
	request(func(s taskpool.Scope) { must(t, s.OnFailure(nop)) })
	request(func(s taskpool.Scope) { must(t, s.AfterResponse(nop)); must(t, s.Submit(taskpool.Job{Run: nop})) })
	request(func(s taskpool.Scope) {
		must(t, s.Add(func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			other, o := begin(p, context.Background())
			defer finish(o, taskpool.Outcome{}, taskpool.ReleaseFlushed)
			if err := o.Add(nop); err != nil {
				return err
			}
			_, err := o.Drain(ctx)
			_ = other
			return err
		}))
	})
	drain(t, p)
	for i, w := range all {
		isCollected(t, fmt.Sprint("the request of scope ", i), w)
	}
	runtime.KeepAlive(p)
}

func TestFinishedScopeKeepsNoOtherAlive(t *testing.T) {
	p := newPool(taskpool.Config{})
	_, s := begin(p, context.Background())
	must(t, s.Add(nop))
	b := new(big)
	w := weak.Make(b)
	_, next := begin(p, context.WithValue(context.Background(), userKey{}, b))
	must(t, next.Add(nop))
	s.Returned(taskpool.Outcome{})
	next.Returned(taskpool.Outcome{})
	s.Sent(taskpool.ReleaseFlushed)
	next.Sent(taskpool.ReleaseFlushed)
	drain(t, p)
	next = opened{}
	isCollected(t, "the request of the other scope", w)
	runtime.KeepAlive(s)
	runtime.KeepAlive(p)
	runtime.KeepAlive(next)
}

func TestPoolKeepsNoErrorThatItDoesNotReport(t *testing.T) {
	p := newPool(taskpool.Config{Results: taskpool.KeepNone})
	b := new(bigError)
	w := weak.Make(b)
	must(t, p.Add(func(context.Context) error {
		err := b
		b = nil
		return err
	}))
	drain(t, p)
	isCollected(t, "the error", w)
	runtime.KeepAlive(p)
}

type bigError big

func (*bigError) Error() string { return "big" }

// AllocsPerRun counts what all goroutines allocate: the pool is paused, so that
// no worker is started.
func TestAddAllocatesNothing(t *testing.T) {
	skipUnderRace(t)
	p := newPool(taskpool.Config{QueueLimit: -1})
	p.Pause()
	task := taskpool.Task(nop)
	for range 10 { // fill the free list of chunks
		must(t, p.Add(repeat(500, task)...))
		p.Resume()
		drain(t, p)
		p.Pause()
	}
	got := testing.AllocsPerRun(1000, func() { _ = p.Add(task) })
	equal(t, "allocations of Add of a prepared func", got, 0)
	done(t, p)
}

func TestScopeWithUpToFourTasksIsOneAllocation(t *testing.T) {
	skipUnderRace(t)
	p := newPool(taskpool.Config{QueueLimit: -1})
	p.Pause()
	task := taskpool.Task(nop)
	ctx := context.Background()
	for name, scope := range map[string]func(){
		"none": func() {
			_, s := begin(p, ctx)
			finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
		},
		"four, staged": func() {
			c, s := begin(p, ctx)
			_ = s.OnSuccess(task, task)
			_ = taskpool.FromContext(c).AfterResponse(task)
			_ = s.OnFailure(task)
			finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
		},
		"four at once": func() {
			_, s := begin(p, ctx)
			_ = s.Add(task, task, task, task)
			finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
		},
	} {
		scope() // the sweep's timer is made once
		equal(t, "allocations of a scope with tasks: "+name, testing.AllocsPerRun(100, scope), 1)
	}
	done(t, p)
}

// On one processor who waits for a scope or for a promise runs next when the worker
// pauses. The task that is waited for takes longer than any share of a slice, so that
// the pause is due as it ends, before any of the many others that wait. One time in 61
// the runtime looks first where the worker stands that has paused (schedule in proc.go),
// so that most rounds have to tell.
func TestWhoWaitsRunsBeforeOthers(t *testing.T) {
	const rounds = 41
	for _, what := range []string{"scope", "promise"} {
		t.Run(what, func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			p := newPool(taskpool.Config{Workers: 1, QueueLimit: -1})
			var ran atomic.Int64
			count := func(context.Context) error { ran.Add(1); return nil }
			first := 0
			for range rounds {
				must(t, p.Add(repeat(200, count)...))
				_, s := begin(p, context.Background())
				must(t, s.Add(repeat(20, count)...)) // until the worker has looked at the clock
				var ended int64
				last := func(context.Context) (int, error) {
					for start := time.Now(); time.Since(start) < 2*time.Millisecond; {
					}
					ended = ran.Load()
					return 0, nil
				}
				if what == "scope" {
					must(t, s.Add(func(ctx context.Context) error { _, err := last(ctx); return err }))
					_, err := s.Drain(context.Background())
					must(t, err)
				} else {
					_, err := taskpool.Async(s.Scope, last).Await(context.Background())
					must(t, err)
				}
				if ran.Load() == ended {
					first++
				}
				finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
				drain(t, p)
			}
			if first <= rounds/2 {
				t.Errorf("who waited went on before any other task in %d of %d rounds", first, rounds)
			}
			done(t, p)
		})
	}
}
