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

	"github.com/elite-libs/taskpool/core"
)

// Plain tasks that come one by one, behind others that wait, are counted late. The
// tests here are of what must hear of them all the same.

// stream adds n tasks one by one, and fails the test if one is refused.
func stream(t *testing.T, p *taskpool.Pool, n int, task func(i int) taskpool.Task) {
	t.Helper()
	for i := range n {
		must(t, p.Add(task(i)))
	}
}

func nops(int) taskpool.Task { return nop }

func TestStreamKeepsItsOrderAroundADelayedJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		g := newGate()
		must(t, p.Add(g.task))
		<-g.begun
		var ran, want trail
		add := func(step string) {
			want.add("%s", step)
			must(t, p.Add(ran.task(step)))
		}
		must(t, p.Submit(taskpool.Job{Run: ran.task("delayed"), Delay: time.Second}))
		for i := range 20 {
			add(fmt.Sprint("before ", i))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		want.add("delayed")
		for i := range 20 {
			add(fmt.Sprint("after ", i))
		}
		g.open()
		drain(t, p)
		equal(t, "the order", fmt.Sprint(ran.all()), fmt.Sprint(want.all()))
	})
}

// Jobs that come in between keep their place, and what a job asks for is heeded.
func TestJobsInAStreamKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		g := newGate()
		must(t, p.Add(g.task))
		<-g.begun
		var ran, want trail
		submit := func(j taskpool.Job) { must(t, p.Submit(j)) }
		for i := range 150 {
			step := fmt.Sprint(i)
			if want.add("%s", step); i%9 == 8 {
				submit(taskpool.Job{Run: ran.task(step)})
				continue
			}
			must(t, p.Add(ran.task(step)))
		}
		start := time.Now()
		submit(taskpool.Job{Run: ran.task("high"), Priority: taskpool.PriorityHigh})
		submit(taskpool.Job{Run: func(context.Context) error {
			ran.add("delayed by %v", time.Since(start))
			return nil
		}, Delay: time.Minute})
		equal(t, "delayed", balanced(t, p).Delayed, 1)
		g.open()
		drain(t, p)
		equal(t, "the order", ran.String(), "high "+want.String()+" delayed by 1m0s")
	})
}

func TestStreamRespectsTheQueueLimit(t *testing.T) {
	for _, limit := range []int{1, 7, 61, 62, 63, 66, 67, 200} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: 2, QueueLimit: limit})
			p.Pause()
			stream(t, p, limit+2, nops) // a place for each idle worker, too
			wantErr(t, "one more", p.Add(nop), taskpool.ErrOverloaded)
			_, s := begin(p, context.Background())
			wantErr(t, "one more of a request", s.Add(nop), taskpool.ErrOverloaded)
			equal(t, "queued", balanced(t, p).Queued, limit+2)
			p.Resume()
			equal(t, "ran", done(t, p).Succeeded, limit+2)
		})
	}
}

// A smaller pool does not become idle when a job goes to wait for another run:
// that takes a place in the queue.
func TestRetryThatWaitsTakesAPlaceFromAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 12
		p := newPool(taskpool.Config{Workers: 2, QueueLimit: limit})
		fail := make(chan struct{})
		for range 2 {
			must(t, p.Submit(taskpool.Job{
				Run:   func(context.Context) error { <-fail; return errTask },
				Retry: taskpool.Backoff(2, time.Hour, time.Hour),
			}))
		}
		synctest.Wait()
		p.Resize(1)
		stream(t, p, limit-2, nops)
		fail <- struct{}{}
		synctest.Wait()
		must(t, p.Add(nop))
		wantErr(t, "one more", p.Add(nop), taskpool.ErrOverloaded)
		close(fail)
		done(t, p)
	})
}

func TestStreamIsRefusedAfterDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		g := newGate()
		must(t, p.Add(g.task))
		stream(t, p, 20, nops)
		go func() { done(t, p) }()
		synctest.Wait()
		wantErr(t, "Add", p.Add(nop), taskpool.ErrDone)
		g.open()
		equal(t, "succeeded", done(t, p).Succeeded, 21)
	})
}

func TestResultsOfAStreamAreKeptInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1, Results: taskpool.KeepAll})
		p.Pause()
		stream(t, p, 40, nops)
		p.Resume()
		r := drain(t, p)
		equal(t, "results", len(r.Results), 40)
		equal(t, "succeeded", r.Succeeded, 40)
	})
}

// Who drains, or looks at the numbers, while tasks follow each other is told of
// every one that has ended.
func TestStreamIsCountedAtEveryMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 150
		p := newPool(taskpool.Config{Workers: 1})
		begun, goOn := make(chan int), make(chan struct{})
		p.Pause()
		stream(t, p, n, func(i int) taskpool.Task {
			return func(context.Context) error { begun <- i; <-goOn; return nil }
		})
		p.Resume()
		for i := range n {
			equal(t, "begun", <-begun, i)
			if i%7 == 0 {
				s := balanced(t, p)
				equal(t, "running, queued, succeeded", fmt.Sprint(s.Running, s.Queued, s.Succeeded), fmt.Sprint(1, n-i-1, i))
			}
			goOn <- struct{}{}
		}
		equal(t, "succeeded", drain(t, p).Succeeded, n)
	})
}

// A task that is given up after it has followed another is the one that is named.
func TestAbandonedTaskOfAStreamIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		release := make(chan struct{})
		p.Pause()
		stream(t, p, 20, nops)
		must(t, p.Add(stuckIn(release)))
		stream(t, p, 20, nops)
		p.Resume()
		synctest.Wait()
		r, _ := p.Done(canceled())
		equal(t, "succeeded, canceled, abandoned", fmt.Sprint(r.Succeeded, r.Canceled, r.Abandoned), "20 20 1")
		last := r.Results[len(r.Results)-1]
		equal(t, "fate", last.Fate, taskpool.FateAbandoned)
		equal(t, "named after the stuck one", strings.Contains(last.Name, "stuckIn"), true)
		close(release)
	})
}

func stuckIn(release chan struct{}) taskpool.Task {
	return func(context.Context) error { <-release; return nil }
}

// Other goroutines have their turn about every 100 µs while short tasks follow
// each other; by itself the scheduler would give it to them after 10 ms.
func TestStreamLetsOtherGoroutinesRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const short = 20 * time.Microsecond
	p := newPool(taskpool.Config{Workers: 1})
	var ran atomic.Int32
	seen := make(chan int32, 1)
	p.Pause()
	stream(t, p, 1000, func(int) taskpool.Task {
		return func(context.Context) error {
			for start := time.Now(); time.Since(start) < short; {
			}
			if ran.Add(1) == 1 {
				go func() { seen <- ran.Load() }()
			}
			return nil
		}
	})
	p.Resume()
	drain(t, p)
	if n := <-seen; n > 60 {
		t.Errorf("%d tasks of %v ran before another goroutine did", n, short)
	}
}

// behindGates has a task run on each of n workers, which its gate holds, and a stream
// wait behind them, in a chunk that is large.
func behindGates(t *testing.T, p *taskpool.Pool, n int, task func(i int) taskpool.Task) (gates []gate) {
	t.Helper()
	p.Pause()
	stream(t, p, 8, nops)
	for range n {
		g := newGate()
		gates = append(gates, g)
		must(t, p.Add(g.task))
	}
	stream(t, p, 20, task)
	p.Resume()
	for _, g := range gates {
		<-g.begun
	}
	return gates
}

// What is said to a pool while a stream waits holds for the stream, too: none of the
// tasks that run is followed by another for which there is no room.
func TestStreamHeedsPauseAndResize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		var ran trail
		held := behindGates(t, p, 1, func(int) taskpool.Task { return ran.task("ran") })
		p.Pause()
		p.Resize(1) // changes nothing, but whoever lets the lock go might let the stream go on
		held[0].open()
		synctest.Wait()
		equal(t, "ran while paused", ran.String(), "")
		p.Resume()
		equal(t, "succeeded", drain(t, p).Succeeded, 29)
	})
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 2})
		var executing load
		held := behindGates(t, p, 2, func(int) taskpool.Task {
			return func(context.Context) error {
				executing.enter()
				defer executing.leave()
				time.Sleep(time.Second)
				return nil
			}
		})
		p.Resize(1)
		for _, g := range held {
			g.open()
		}
		synctest.Wait() // a Drain stops the stream for a moment, and would hide it
		equal(t, "succeeded", drain(t, p).Succeeded, 30)
		equal(t, "at once", executing.most.Load(), 1)
	})
}

// A task whose wait is over has the next slot, ahead of a stream that waits.
func TestWaiterGoesAheadOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := newPool(taskpool.Config{Workers: 1}), newPool(taskpool.Config{})
		_, other := begin(q, context.Background())
		awaited := newGate()
		must(t, other.Add(awaited.task))
		var ran trail
		must(t, p.Add(func(ctx context.Context) error {
			_, err := other.Drain(ctx)
			ran.add("waiter")
			return err
		}))
		synctest.Wait()
		held := behindGates(t, p, 1, func(int) taskpool.Task { return ran.task("ran") })
		awaited.open()
		synctest.Wait()
		held[0].open()
		synctest.Wait()
		drain(t, p)
		equal(t, "first", ran.all()[0], "waiter")
	})
}
