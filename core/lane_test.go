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

// A paced task notes when it starts, in seconds since the clock's start, and
// takes a while.
func paced(order *trail, start time.Time, name string, takes time.Duration) taskpool.Task {
	return func(context.Context) error {
		order.add("%s@%v", name, elapsed(start).Seconds())
		time.Sleep(takes)
		return nil
	}
}

// hint is a rate limit that resets this long from now.
func hint(remaining int, reset time.Duration) taskpool.RateLimit {
	return taskpool.RateLimit{Remaining: remaining, Reset: time.Now().Add(reset)}
}

// hinting is a task that tells its lane what an API has answered, and then takes
// a while.
func hinting(remaining int, reset, takes time.Duration) taskpool.Task {
	return func(ctx context.Context) error {
		taskpool.Throttle(ctx, hint(remaining, reset))
		time.Sleep(takes)
		return nil
	}
}

func TestLaneLimitsHowManyOfItsTasksRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 4, Lanes: map[string]taskpool.Lane{"api": {Limit: 2}}})
		var order trail
		start := time.Now()
		for i := range 5 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, fmt.Sprint("api", i), time.Second)}))
		}
		synctest.Wait()
		st := balanced(t, p)
		equal(t, "running", st.Running, 2)
		equal(t, "queued", st.Queued, 3)
		// A blocked lane blocks nobody else: the two workers left run what came later.
		must(t, p.Add(paced(&order, start, "plain", 0)))
		must(t, p.Submit(taskpool.Job{Lane: "other", Run: paced(&order, start, "other", 0)}))
		synctest.Wait()
		equal(t, "oldest", p.Stats().Oldest, 0)
		time.Sleep(time.Second / 2)
		equal(t, "oldest", p.Stats().Oldest, time.Second/2)
		drain(t, p)
		equal(t, "order", order.sorted(), "api0@0 api1@0 api2@1 api3@1 api4@2 other@0 plain@0")
		equal(t, "took", elapsed(start), 3*time.Second)
	})
}

func TestLaneIsFirstInFirstOutAcrossScopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 4, QueueLimit: -1, Lanes: map[string]taskpool.Lane{"api": {Limit: 1}}})
		var order trail
		var want []string
		_, a := begin(p, context.Background())
		_, b := begin(p, context.Background())
		for i := range 200 {
			name := fmt.Sprint(i)
			want = append(want, name)
			to := []taskpool.Adder{p, a.Scope, b.Scope}[i%3]
			must(t, to.Submit(taskpool.Job{Lane: "api", Run: order.task(name)}))
		}
		drain(t, p)
		equal(t, "order", order.String(), strings.Join(want, " "))
	})
}

func TestLaneTakesTurnsLikeAScope(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	p.Pause()
	var order trail
	for i := range 3 {
		must(t, p.Submit(taskpool.Job{Lane: "x", Run: order.task(fmt.Sprint("x", i))}))
		must(t, p.Submit(taskpool.Job{Run: order.task(fmt.Sprint("p", i))}))
		must(t, p.Submit(taskpool.Job{Lane: "y", Run: order.task(fmt.Sprint("y", i))}))
	}
	p.Resume()
	drain(t, p)
	equal(t, "order", order.String(), "x0 p0 y0 x1 p1 y1 x2 p2 y2")
}

func TestPrioritiesWithinALane(t *testing.T) {
	for _, lane := range []taskpool.Lane{{Limit: 1}, {Rate: 1, Per: time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: 4, Lanes: map[string]taskpool.Lane{"api": lane}})
			p.Pause()
			var order trail
			for i := range 2 {
				for _, pr := range []taskpool.Priority{taskpool.PriorityLow, taskpool.PriorityNormal, taskpool.PriorityHigh} {
					must(t, p.Submit(taskpool.Job{Lane: "api", Priority: pr, Run: order.task(fmt.Sprint(pr, " ", i))}))
				}
			}
			p.Resume()
			drain(t, p)
			equal(t, "order", order.String(), "high 0 high 1 normal 0 normal 1 low 0 low 1")
			balanced(t, p)
		})
	}
}

// Never more than Rate starts within any Per, whatever the tasks take.
func TestLaneStartsNoMoreThanRateWithinPer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 8, Lanes: map[string]taskpool.Lane{"api": {Rate: 3, Per: 10 * time.Second}}})
		var order trail
		start := time.Now()
		submit := func(names ...string) {
			for _, n := range names {
				must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, n, time.Millisecond)}))
			}
		}
		submit("a")
		time.Sleep(4 * time.Second)
		submit("b")
		time.Sleep(5 * time.Second)
		submit("c", "d", "e", "f", "g")
		drain(t, p)
		equal(t, "order", order.String(), "a@0 b@4 c@9 d@10 e@14 f@19 g@20")
	})
}

func TestLaneWithRateAndLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 8, Lanes: map[string]taskpool.Lane{"api": {Limit: 1, Rate: 2, Per: 10 * time.Second}}})
		var order trail
		start := time.Now()
		for i := range 5 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, fmt.Sprint(i), 7*time.Second)}))
		}
		drain(t, p)
		equal(t, "order", order.String(), "0@0 1@7 2@14 3@21 4@28")
		for i := range 3 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, fmt.Sprint("short", i), 0)}))
		}
		drain(t, p)
		// 28 and 35 are two; 38 is the first moment with one of them 10 s away.
		equal(t, "order", strings.Join(order.all()[5:], " "), "short0@35 short1@38 short2@45")
	})
}

// A lane that a task leaves by a panic or a Goexit, too.
func TestLaneGoesOnAfterAnyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 2, Lanes: map[string]taskpool.Lane{"api": {Limit: 1}}})
		for range 3 {
			for _, run := range []taskpool.Task{panicking, exiting, failing, nop} {
				must(t, p.Submit(taskpool.Job{Lane: "api", Run: run}))
			}
		}
		r := drain(t, p)
		equal(t, "fates", countsOf(r), counts{Succeeded: 3, Failed: 6, Panicked: 3})
	})
}

func TestLaneWithoutLimitsLimitsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, l := range []taskpool.Lane{{}, {Limit: -1, Rate: -1, Per: time.Hour}, {Rate: 1}, {Rate: 1, Per: -1}, {Per: time.Hour}} {
			p := newPool(taskpool.Config{Workers: 4, Lanes: map[string]taskpool.Lane{"api": l}})
			start := time.Now()
			for range 8 {
				must(t, p.Submit(taskpool.Job{Lane: "api", Run: func(context.Context) error { time.Sleep(time.Second); return nil }}))
			}
			drain(t, p)
			equal(t, fmt.Sprint(l), elapsed(start), 2*time.Second)
		}
	})
}

func TestLaneWithAnEndlessPerStartsRateTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Lanes: map[string]taskpool.Lane{"api": {Rate: 2, Per: 1<<63 - 1}}})
		for range 3 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: nop}))
		}
		time.Sleep(time.Hour)
		st := balanced(t, p)
		equal(t, "succeeded", st.Succeeded, 2)
		equal(t, "queued", st.Queued, 1)
	})
}

func TestPoolTakesACopyOfItsLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lanes := map[string]taskpool.Lane{"api": {Limit: 1}}
		p := newPool(taskpool.Config{Lanes: lanes})
		lanes["api"] = taskpool.Lane{Limit: 4}
		delete(lanes, "api")
		start := time.Now()
		for range 2 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: func(context.Context) error { time.Sleep(time.Second); return nil }}))
		}
		drain(t, p)
		equal(t, "took", elapsed(start), 2*time.Second)
	})
}

// Names may be many, as where each customer has a lane: nothing is left of them.
func TestUnconfiguredLanesLeaveNothingBehind(t *testing.T) {
	const names = 20_000
	p := newPool(taskpool.Config{Workers: 2, QueueLimit: -1, Lanes: map[string]taskpool.Lane{"api": {Limit: 1}}})
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	round := func(from int) {
		for i := range names {
			must(t, p.Submit(taskpool.Job{Lane: fmt.Sprintf("a customer with a rather long name, so that it would be seen %d", from+i), Run: nop}))
			if i%100 == 0 {
				drain(t, p)
			}
		}
		drain(t, p)
	}
	round(0) // what a pool keeps for reuse
	before := heap()
	round(names)
	if after := heap(); after > before+1<<20 { // lanes are a few hundred bytes each
		t.Errorf("%d lanes left %d bytes", names, after-before)
	}
	runtime.KeepAlive(p)
}

func TestThrottledLanesLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const names = 20_000
		p := newPool(taskpool.Config{Workers: 2, QueueLimit: -1})
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		for i := range names {
			must(t, p.Submit(taskpool.Job{Lane: fmt.Sprint("customer ", i), Run: func(ctx context.Context) error {
				taskpool.Throttle(ctx, hint(4, 2*time.Minute))
				taskpool.Throttle(ctx, hint(0, time.Minute)) // the last to be told is not the last to pass
				return nil
			}}))
		}
		drain(t, p)
		time.Sleep(time.Hour)
		if after := heap(); after > before+5<<20 { // with their lanes it would be over 10 MB
			t.Errorf("%d lanes left %d bytes", names, after-before)
		}
		runtime.KeepAlive(p)
	})
}

func TestThrottledUnconfiguredLaneIsForgottenAfterItsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		var order trail
		start := time.Now()
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: hinting(0, time.Minute, 0)}))
		drain(t, p)
		time.Sleep(30 * time.Second) // the lane is empty, and still held
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, "a", 0)}))
		drain(t, p)
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, "b", 0)}))
		drain(t, p)
		equal(t, "order", order.String(), "a@60 b@60")
	})
}

func TestRemainingZeroHoldsTheLaneUntilReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 2})
		var order trail
		start := time.Now()
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: hinting(0, 30*time.Second, time.Second)}))
		synctest.Wait()
		for i := range 3 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, fmt.Sprint("api", i), 0)}))
		}
		must(t, p.Submit(taskpool.Job{Lane: "other", Run: paced(&order, start, "other", 0)}, taskpool.Job{Run: paced(&order, start, "plain", 0)}))
		time.Sleep(30*time.Second - time.Nanosecond)
		st := balanced(t, p)
		equal(t, "queued", st.Queued, 3)
		equal(t, "running", st.Running, 0)
		drain(t, p)
		equal(t, "order", order.sorted(), "api0@30 api1@30 api2@30 other@0 plain@0")
	})
}

// An answer lifts what holds the lane, unless it is surely about another limit: GitHub answers calls of its API while it
// refuses those of its search, and names which of the two it speaks of.
func TestAnswerLiftsTheHoldOfItsOwnLimitOnly(t *testing.T) {
	for answered, want := range map[string]string{"search": "next@3", "": "next@3", "core": "next@61", "several": "next@61"} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: 2})
			var order trail
			start := time.Now()
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: func(ctx context.Context) error {
				time.Sleep(time.Second)
				if answered == "several" {
					taskpool.Throttle(ctx, taskpool.RateLimit{Name: "graphql", Refused: true, Reset: time.Now().Add(time.Second)})
				}
				taskpool.Throttle(ctx, taskpool.RateLimit{Name: "search", Refused: true, Reset: time.Now().Add(time.Minute)})
				return nil
			}}, taskpool.Job{Lane: "api", Run: func(ctx context.Context) error {
				time.Sleep(2 * time.Second)
				asked := time.Now()
				time.Sleep(time.Second)
				taskpool.Throttle(ctx, taskpool.RateLimit{Name: strings.Replace(answered, "several", "search", 1), Limit: 5, Remaining: 4, Reset: time.Now().Add(time.Second), Asked: asked})
				return nil
			}}, taskpool.Job{Lane: "api", Run: paced(&order, start, "next", 0)}))
			drain(t, p)
			equal(t, "after an answer about "+answered, order.sorted(), want)
		})
	}
}

// What remained when each was answered is free once all that run have been
// answered: nothing of it is to stand unused until Reset.
func TestLaneUsesWhatRemainsWhenAllHaveBeenAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 3})
		start := time.Now()
		var order trail
		answered := func(after time.Duration) taskpool.Job {
			return taskpool.Job{Lane: "api", Run: func(ctx context.Context) error {
				time.Sleep(after)
				taskpool.Throttle(ctx, taskpool.RateLimit{Remaining: 1, Reset: start.Add(time.Hour)})
				time.Sleep(10*time.Second - after)
				return nil
			}}
		}
		must(t, p.Submit(answered(time.Second), answered(2*time.Second)))
		time.Sleep(time.Second + time.Nanosecond)
		for i := range 2 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, fmt.Sprint("next", i), 0)}))
		}
		synctest.Wait()
		equal(t, "queued while one is to be answered", p.Stats().Queued, 2)
		drain(t, p)
		equal(t, "order", order.String(), "next0@2 next1@3600")
	})
}

// Those that were refused come back when the window passes, one first and then not
// all at once: nothing of the lane waits or runs then, and yet its limit must not be
// forgotten.
func TestLaneRemembersTheLimitForTasksThatComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 8})
		start := time.Now()
		var order trail
		for range 4 {
			runs := 0
			must(t, p.Submit(taskpool.Job{Lane: "api", Retry: taskpool.Backoff(2, 0, 0), Run: func(ctx context.Context) error {
				if runs++; runs == 1 {
					time.Sleep(time.Second) // so that all have begun
					taskpool.Throttle(ctx, taskpool.RateLimit{Limit: 2, Reset: start.Add(time.Minute)})
					return taskpool.RetryAfter(errTask, 59*time.Second)
				}
				order.add("%v", elapsed(start))
				time.Sleep(time.Second)
				return nil
			}}))
		}
		equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 4})
		equal(t, "runs", order.String(), "1m0s 1m1s 1m1s 1m2s")
	})
}

func TestNegativeRemainingIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 2})
		start := time.Now()
		var order trail
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: hinting(-5, time.Minute, 0)}))
		drain(t, p)
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, "a", 0)}))
		drain(t, p)
		equal(t, "order", order.String(), "a@60")
	})
}

// throttled submits n tasks to a lane that was told something, and returns how
// many of them have started at once.
func throttled(t *testing.T, p *taskpool.Pool, n int) (started int) {
	t.Helper()
	var order trail
	for range n {
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: order.task("x")}))
	}
	synctest.Wait()
	return len(order.all())
}

// at runs a task of the lane that tells it each of the hints.
func tell(t *testing.T, p *taskpool.Pool, hints ...taskpool.RateLimit) {
	t.Helper()
	must(t, p.Submit(taskpool.Job{Lane: "api", Run: func(ctx context.Context) error {
		for _, h := range hints {
			taskpool.Throttle(ctx, h)
		}
		return nil
	}}))
	synctest.Wait()
}

func TestThrottle(t *testing.T) {
	const s = time.Second
	type rl = taskpool.RateLimit
	tests := []struct {
		name  string
		hints func() []rl
		start int           // of ten tasks, how many start at once
		reset time.Duration // when the others do
	}{
		{"one hint", func() []rl { return []rl{hint(3, 60*s)} }, 3, 60 * s},
		{"what a task tells later", func() []rl { return []rl{hint(5, 60*s), hint(2, 60*s), hint(4, 60*s)} }, 4, 60 * s},
		{"of resets within two seconds the earlier", func() []rl { return []rl{hint(2, 60*s), hint(7, 62*s)} }, 7, 60 * s},
		{"before, too", func() []rl { return []rl{hint(7, 62*s), hint(2, 60*s)} }, 2, 60 * s},
		{"a later window replaces", func() []rl { return []rl{hint(2, 60*s), hint(4, 62*s+1)} }, 4, 62*s + 1},
		{"also if nothing remains of the one before: a call was accepted", func() []rl { return []rl{hint(0, 60*s), hint(4, 90*s)} }, 4, 90 * s},
		{"but not if that is another limit", func() []rl {
			return []rl{{Name: "search", Reset: time.Now().Add(60 * s)}, {Name: "core", Remaining: 4, Reset: time.Now().Add(90 * s)}}
		}, 0, 90 * s},
		{"a hold within a longer window", func() []rl { return []rl{hint(4, 90*s), hint(0, 60*s)} }, 0, 90 * s},
		{"room within a longer window", func() []rl { return []rl{hint(2, 90*s), hint(4, 60*s)} }, 2, 90 * s},
		{"a reset that is past says nothing", func() []rl { return []rl{hint(0, 0), hint(0, -s)} }, 10, 0},
		{"no reset says nothing", func() []rl { return []rl{{Limit: 10}} }, 10, 0},
		{"a lot remains", func() []rl { return []rl{hint(1<<62, 60*s)} }, 10, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(taskpool.Config{Workers: 20})
				start := time.Now()
				tell(t, p, tt.hints()...)
				equal(t, "started at once", throttled(t, p, 10), tt.start)
				drain(t, p)
				equal(t, "the others at", elapsed(start), tt.reset)
			})
		})
	}
}

// What runs beside the caller has its answer still to come.
func TestThrottleCountsTheLanesOtherRunningTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 20})
		start := time.Now()
		job := func(run taskpool.Task) {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: run}))
			synctest.Wait()
		}
		for range 3 {
			job(func(context.Context) error { time.Sleep(10 * time.Second); return nil })
		}
		must(t, p.Add(func(context.Context) error { time.Sleep(10 * time.Second); return nil })) // not of the lane
		job(hinting(5, time.Minute, 0))                                                          // less three
		equal(t, "started at once", throttled(t, p, 1), 1)
		job(hinting(5, time.Minute, 0)) // the second, and a new hint: again 5 less 3
		equal(t, "started at once", throttled(t, p, 10), 2)
		time.Sleep(10 * time.Second) // they end, which alone tells nothing
		equal(t, "queued", p.Stats().Queued, 8)
		drain(t, p)
		equal(t, "took", elapsed(start), time.Minute)
	})
}

// A hint that gives room wakes what waits.
func TestHintThatGivesRoomWakesTheLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 20})
		var order trail
		start := time.Now()
		hint := taskpool.RateLimit{Remaining: 1, Reset: start.Add(time.Hour)}
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: func(ctx context.Context) error {
			taskpool.Throttle(ctx, hint) // what remains is for the one beside
			time.Sleep(time.Minute)
			taskpool.Throttle(ctx, hint) // that one has ended, and has not called
			time.Sleep(time.Minute)      // it is the hint that wakes the lane, not the end of the task
			return nil
		}}, taskpool.Job{Lane: "api", Run: func(context.Context) error { time.Sleep(time.Second); return nil }}))
		synctest.Wait()
		for i := range 2 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, fmt.Sprint(i), 0)}))
		}
		drain(t, p)
		equal(t, "order", order.sorted(), "0@60 1@3600")
	})
}

// After a window nobody knows yet what the next one allows.
func TestNoMoreThanTheQuotaRunsAtOnceBeforeTheFirstHintOfAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 20})
		tell(t, p, taskpool.RateLimit{Limit: 3, Remaining: 0, Reset: time.Now().Add(time.Minute)})
		var now, most int
		var mu sync.Mutex
		for range 10 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: func(context.Context) error {
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				now--
				mu.Unlock()
				return nil
			}}))
		}
		start := time.Now()
		drain(t, p)
		equal(t, "at once", most, 3)
		equal(t, "took", elapsed(start), time.Minute+4*time.Second)
	})
}

func TestThrottleOfARatedLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 20, Lanes: map[string]taskpool.Lane{"api": {Rate: 1, Per: 10 * time.Second}}})
		var order trail
		start := time.Now()
		tell(t, p, hint(2, 35*time.Second))
		for i := range 4 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, fmt.Sprint(i), 0)}))
		}
		drain(t, p)
		equal(t, "order", order.String(), "0@10 1@20 2@35 3@45")
	})
}

func TestThrottleDoesNothingWhereThereIsNoLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 2})
		start := time.Now()
		taskpool.Throttle(context.Background(), hint(0, time.Hour))
		ctx, s := begin(p, context.Background())
		taskpool.Throttle(ctx, hint(0, time.Hour)) // a handler is no task
		must(t, p.Add(hinting(0, time.Hour, 0)))
		must(t, s.Submit(taskpool.Job{Run: hinting(0, time.Hour, 0)}))
		drain(t, p)

		var ended context.Context
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: func(ctx context.Context) error { ended = ctx; return nil }}))
		drain(t, p)
		taskpool.Throttle(ended, hint(0, time.Hour)) // after the task has ended
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: nop}))
		must(t, s.Submit(taskpool.Job{Lane: "api", Run: nop}))
		drain(t, p)
		equal(t, "took", elapsed(start), 0)
	})
}

func TestThrottleFindsTheTaskThroughDerivedContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Run: func(ctx context.Context, _ string, next taskpool.Task) error {
			return next(withUser(ctx, "ann"))
		}}})
		start := time.Now()
		must(t, p.Submit(taskpool.Job{Lane: "api", Timeout: time.Hour, Run: func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			taskpool.Throttle(ctx, hint(0, time.Minute))
			return nil
		}}))
		drain(t, p)
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: nop}))
		drain(t, p)
		equal(t, "took", elapsed(start), time.Minute)
	})
}

func TestDoneWaitsForAHeldLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		start := time.Now()
		tell(t, p, hint(0, time.Minute))
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: nop}))
		equal(t, "fates", countsOf(done(t, p)), counts{Succeeded: 2})
		equal(t, "took", elapsed(start), time.Minute)
	})
}

func TestDoneThatIsCutGivesWhatWaitsInLanesItsFate(t *testing.T) {
	for _, hooked := range []bool{false, true} {
		t.Run(fmt.Sprintf("hooked=%v", hooked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var e endings
				c := taskpool.Config{Workers: 3, Lanes: map[string]taskpool.Lane{"one": {Limit: 1}, "slow": {Rate: 1, Per: time.Hour}}}
				if hooked {
					c.Hooks.Ended = e.hook
				}
				p := newPool(c)
				start := time.Now()
				_, s := begin(p, context.Background())
				must(t, p.Submit(
					taskpool.Job{Name: "hint", Lane: "api", Run: hinting(0, time.Hour, 0)},
					taskpool.Job{Name: "runs", Lane: "one", Run: untilCanceled},
					taskpool.Job{Name: "first", Lane: "slow", Run: nop}))
				synctest.Wait()
				for _, lane := range []string{"api", "one", "slow"} {
					must(t, p.Submit(taskpool.Job{Name: lane + " pool", Lane: lane, Run: nop}))
					must(t, s.Submit(taskpool.Job{Name: lane + " scope", Lane: lane, Run: nop, Priority: taskpool.PriorityHigh},
						taskpool.Job{Name: lane + " staged", Lane: lane, Run: nop, Start: taskpool.StartAfterResponse, Delay: time.Minute}))
				}
				synctest.Wait()
				equal(t, "queued", balanced(t, p).Queued, 6)
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				r, err := p.Done(ctx)
				wantErr(t, "Done", err, context.DeadlineExceeded)
				equal(t, "took", elapsed(start), time.Second)
				equal(t, "fates", countsOf(r), counts{Succeeded: 2, Canceled: 10})
				balanced(t, p)
				for _, l := range p.Lanes() {
					equal(t, "waiting in "+l.Name, l.Waiting, 0)
				}
				equal(t, "the oldest that waits", p.Stats().Oldest, 0)
				if hooked {
					equal(t, "endings", len(e.once(t)), 12)
				}
			})
		})
	}
}

func TestScopeDrainCountsItsTasksInLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		start := time.Now()
		tell(t, p, hint(0, time.Minute))
		must(t, s.Submit(taskpool.Job{Name: "in the lane", Lane: "api", Run: nop}))
		promise, err := taskpool.AsyncJob(s.Scope, taskpool.Job{Name: "async", Lane: "api"}, func(context.Context) (int, error) { return 7, nil })
		must(t, err)
		synctest.Wait()
		var names []string
		for _, j := range s.Pending() {
			names = append(names, j.Name)
		}
		equal(t, "pending", strings.Join(names, ", "), "in the lane, async")
		r, err := s.Drain(context.Background())
		must(t, err)
		equal(t, "succeeded", r.Succeeded, 2)
		equal(t, "took", elapsed(start), time.Minute)
		v, err := promise.Await(context.Background())
		must(t, err)
		equal(t, "value", v, 7)
	})
}

var errRefused = errors.New("429 Too Many Requests")

// An api is a fake that allows so many calls in each window and says so.
type api struct {
	t               *testing.T
	limit           int
	window          time.Duration
	ends            time.Time
	used            int
	called, refused int
	forbidden       time.Time // an answer said that nothing remains until then
}

func (a *api) call() (taskpool.RateLimit, bool) {
	now := time.Now()
	if !now.Before(a.ends) {
		a.used, a.ends = 0, now.Add(a.window)
	}
	a.called++
	ok := a.used < a.limit
	if ok {
		a.used++
	} else {
		a.refused++
	}
	return taskpool.RateLimit{Limit: a.limit, Remaining: a.limit - a.used, Reset: a.ends}, ok
}

// A lane meets an API that nobody has told it the limits of: it learns them from
// the answers, and starts no call that one has forbidden.
func TestLaneUnderRefusalsFinishesInTheWindowsThatItNeeds(t *testing.T) {
	for _, workers := range []int{1, 10, 16, 40} {
		t.Run(fmt.Sprintf("workers=%d", workers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const calls, perWindow = 100, 10
				p := newPool(taskpool.Config{Workers: workers})
				a := &api{t: t, limit: perWindow, window: time.Minute}
				turn := make(chan struct{}, 1) // the server handles one at a time
				start := time.Now()
				call := func(ctx context.Context) error {
					if time.Now().Before(a.forbiddenUntil(turn)) {
						t.Errorf("a call starts at %v that an answer has forbidden", elapsed(start))
					}
					turn <- struct{}{}
					limit, ok := a.call()
					<-turn
					time.Sleep(time.Second) // the answer's way
					taskpool.Throttle(ctx, limit)
					turn <- struct{}{}
					if limit.Remaining == 0 {
						a.forbidden = limit.Reset
					}
					<-turn
					if !ok {
						return taskpool.RetryAfter(errRefused, time.Until(limit.Reset))
					}
					return nil
				}
				for i := range calls {
					must(t, p.Submit(taskpool.Job{Name: fmt.Sprint(i), Lane: "api", Run: call, Retry: taskpool.Backoff(20, 0, 0)}))
				}
				var other trail
				for range 20 {
					time.Sleep(time.Second + time.Millisecond)
					if workers > 1 {
						must(t, p.Add(paced(&other, start, "x", 0)))
					}
					synctest.Wait()
					balanced(t, p)
				}
				if workers > 1 { // no task without a lane has waited
					equal(t, "others", len(other.all()), 20)
				}
				r := drain(t, p)
				equal(t, "fates", countsOf(r).Failed, 0)
				// Only what starts at once before the very first answer can be refused,
				// and the refused ones use nothing up.
				windows := (calls + perWindow - 1) / perWindow
				burst := max(0, workers-perWindow)
				equal(t, "refused", a.refused, burst)
				equal(t, "calls", a.called, calls+a.refused)
				last := start.Add(time.Duration(windows-1) * time.Minute)
				if end := time.Now(); !end.After(last) || !end.Before(last.Add(time.Minute)) {
					t.Errorf("took %v, want to end in window %d", elapsed(start), windows)
				}
			})
		})
	}
}

func (a *api) forbiddenUntil(turn chan struct{}) time.Time {
	turn <- struct{}{}
	defer func() { <-turn }()
	return a.forbidden
}
