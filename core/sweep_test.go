package taskpool_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/elite-libs/taskpool/core"
)

func TestSweepReleasesExactlyAfterGrace(t *testing.T) {
	for _, grace := range []time.Duration{0, 2 * time.Second} {
		t.Run(fmt.Sprint(grace), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(taskpool.Config{Grace: grace})
				want := grace
				if grace == 0 {
					want = 5 * time.Second
				}
				_, s := begin(p, context.Background())
				started := make(chan time.Duration, 1)
				time.Sleep(time.Hour) // counts from the handler's return
				start := time.Now()
				must(t, s.AfterResponse(func(context.Context) error { started <- elapsed(start); return nil }))
				s.Returned(taskpool.Outcome{Status: 200})
				_, known := s.Outcome()
				equal(t, "outcome known", known, false)
				equal(t, "started after", <-started, want)
				o, known := s.Outcome()
				equal(t, "outcome known", known, true)
				equal(t, "release", o.Release, taskpool.ReleaseOverdue)
				s.Sent(taskpool.ReleaseFlushed)
				o, _ = s.Outcome()
				equal(t, "release after a late Sent", o.Release, taskpool.ReleaseOverdue)
			})
		})
	}
}

func TestReturnedAgainDoesNotPutTheSweepOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		start := time.Now()
		_, s := begin(p, context.Background())
		released := make(chan time.Duration, 1)
		must(t, s.AfterResponse(func(context.Context) error { released <- elapsed(start); return nil }))
		s.Returned(taskpool.Outcome{})
		time.Sleep(3 * time.Second)
		s.Returned(taskpool.Outcome{Status: 500})
		equal(t, "released after", <-released, 5*time.Second)
	})
}

func TestSweepLeavesAnOpenHandlerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Grace: time.Second})
		_, s := begin(p, context.Background())
		must(t, s.AfterResponse(nop))
		time.Sleep(time.Hour)
		equal(t, "staged", p.Stats().Staged, 1)
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		drain(t, p)
	})
}

// A Grace may be so long that a sum with it overflows: nothing else is late then.
func TestGraceWithoutEndHindersNoDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Grace: math.MaxInt64})
		_, s := begin(p, context.Background())
		must(t, s.AfterResponse(nop))
		s.Returned(taskpool.Outcome{})
		start := time.Now()
		must(t, p.Submit(taskpool.Job{Run: nop, Delay: time.Second}))
		drain(t, p)
		equal(t, "time", elapsed(start), time.Second)
		s.Sent(taskpool.ReleaseFlushed)
		drain(t, p)
	})
}

// Many scopes, one timer: each is released at its own time.
func TestSweepReleasesEachScopeAtItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Grace: time.Second})
		start := time.Now()
		var order trail
		var sent []opened
		for i := range 50 {
			_, s := begin(p, context.Background())
			must(t, s.AfterResponse(func(context.Context) error {
				order.add("%d:%v", i, elapsed(start))
				return nil
			}))
			s.Returned(taskpool.Outcome{})
			if i%2 == 0 { // those are sent meanwhile, from the middle of the list
				sent = append(sent, s)
			}
			time.Sleep(10 * time.Millisecond)
		}
		for _, s := range sent {
			s.Sent(taskpool.ReleaseFlushed)
		}
		synctest.Wait()
		equal(t, "released by Sent", len(order.all()), 25)
		time.Sleep(time.Hour)
		var want trail
		for i := 1; i < 50; i += 2 {
			want.add("%d:%v", i, time.Second+time.Duration(i)*10*time.Millisecond)
		}
		equal(t, "released by the sweep", fmt.Sprint(order.all()[25:]), fmt.Sprint(want.all()))
		equal(t, "staged", balanced(t, p).Staged, 0)

		// Long idle, and armed again.
		_, s := begin(p, context.Background())
		start = time.Now()
		must(t, s.AfterResponse(func(context.Context) error { order.add("again:%v", elapsed(start)); return nil }))
		s.Returned(taskpool.Outcome{})
		time.Sleep(time.Hour)
		equal(t, "armed again", order.all()[50], "again:1s")
	})
}

// A timer that is armed keeps its pool alive.
func TestDoneLeavesNoTimerArmed(t *testing.T) {
	for _, when := range []string{"returned before Done", "returned during Done", "returned after a Done that was cut"} {
		t.Run(when, func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // see isCollected
			p := newPool(taskpool.Config{Grace: time.Hour})
			_, s := begin(p, context.Background())
			must(t, s.AfterResponse(nop))
			switch when {
			case "returned before Done":
				s.Returned(taskpool.Outcome{})
				done(t, p)
			case "returned during Done":
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					done(t, p)
				}()
				for p.Add(nop) == nil {
					runtime.Gosched()
				}
				s.Returned(taskpool.Outcome{})
				<-ended
			default:
				_, _ = p.Done(canceled())
				s.Returned(taskpool.Outcome{})
			}
			s = opened{}
			isCollected(t, "the pool", weak.Make(p))
		})
	}
}

// isCollected fails the test unless what w points to is collected. A stopped
// timer stays in its P's heap until a quarter of that is stopped ones (runtime,
// time.go): some more of them make that so.
func isCollected[T any](t testing.TB, what string, w weak.Pointer[T]) {
	t.Helper()
	for range 100 {
		if w.Value() == nil {
			return
		}
		for range 100 {
			time.AfterFunc(time.Hour, func() {}).Stop()
		}
		runtime.Gosched() // for the timers, and an ended goroutine's last steps
		runtime.GC()
	}
	t.Errorf("%s is still referred to", what)
}

// What a task stages after the handler has returned, when nothing was staged before,
// waits for the response as well, and no longer than Grace from then.
func TestLateStagedTasksAreReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, how := range []string{"sent before", "sent after", "overdue", "done before", "done after"} {
			p := newPool(taskpool.Config{Grace: time.Minute})
			ctx, s := begin(p, context.Background())
			start := time.Now()
			var ran time.Duration
			var release taskpool.Release
			stage, staged := make(chan struct{}), make(chan struct{})
			must(t, s.Add(func(context.Context) error {
				<-stage
				defer close(staged)
				return taskpool.FromContext(ctx).AfterResponse(func(context.Context) error {
					ran = elapsed(start)
					o, _ := s.Outcome()
					release = o.Release
					return nil
				})
			}))
			s.Returned(taskpool.Outcome{Status: 201})
			time.Sleep(time.Hour)
			want, at := taskpool.ReleaseFlushed, time.Hour
			var ended chan struct{}
			end := func() {
				ended = make(chan struct{})
				go func() { defer close(ended); done(t, p) }()
				synctest.Wait()
			}
			switch how {
			case "sent before":
				s.Sent(taskpool.ReleaseFlushed)
			case "done before":
				end()
				want = taskpool.ReleasePoolDone
			}
			close(stage)
			<-staged
			switch how {
			case "sent after":
				time.Sleep(time.Second)
				s.Sent(taskpool.ReleaseFlushed)
				at += time.Second
			case "overdue":
				want, at = taskpool.ReleaseOverdue, at+time.Minute
			case "done after":
				end()
				want = taskpool.ReleasePoolDone
			}
			time.Sleep(time.Hour)
			equal(t, how+": ran at", ran, at)
			equal(t, how+": release", release, want)
			if ended == nil {
				done(t, p)
			} else {
				<-ended
			}
		}
	})
}

// Nothing is staged, and nothing tells of the end of the response: who asks for the
// outcome has it Grace later.
func TestOutcomeIsKnownToWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Grace: time.Second / 2})
		ctx, s := begin(p, context.Background())
		var asked []string
		must(t, s.Add(func(context.Context) error {
			for range 3 {
				time.Sleep(time.Second)
				o, known := taskpool.FromContext(ctx).Outcome()
				asked = append(asked, fmt.Sprint(known, o.Status, o.Release))
			}
			return nil
		}))
		s.Returned(taskpool.Outcome{Status: 202})
		drain(t, p)
		equal(t, "answers", fmt.Sprint(asked), fmt.Sprint([]string{"false 0 not released", "true 202 overdue", "true 202 overdue"}))
	})
}
