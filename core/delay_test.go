package taskpool_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// stamped is a task that notes its name and when it starts.
func stamped(order *trail, start time.Time, name string) taskpool.Task {
	return func(context.Context) error {
		order.add("%s@%v", name, elapsed(start))
		return nil
	}
}

func TestDelayedJobStartsExactlyThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		_, s := begin(p, context.Background())
		var order trail
		start := time.Now()
		before := runtime.NumGoroutine()
		must(t, s.Submit(taskpool.Job{Name: "c", Delay: 3 * time.Minute, Run: stamped(&order, start, "c")},
			taskpool.Job{Name: "a", Delay: time.Second, Run: stamped(&order, start, "a")},
			taskpool.Job{Name: "b", Delay: time.Minute, Run: stamped(&order, start, "b")}))
		must(t, p.Add(stamped(&order, start, "now"))) // no worker is held
		synctest.Wait()
		if after := runtime.NumGoroutine(); after > before {
			t.Errorf("%d goroutines wait", after-before)
		}
		st := balanced(t, p)
		equal(t, "delayed", st.Delayed, 3)
		equal(t, "queued", st.Queued, 0)
		names := map[string]bool{}
		for _, j := range s.Pending() {
			names[j.Name] = true
		}
		equal(t, "pending", fmt.Sprint(names), "map[a:true b:true c:true]")
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		equal(t, "order", order.String(), "now@0s a@1s")
		equal(t, "delayed", balanced(t, p).Delayed, 2)
		r, err := s.Drain(context.Background()) // waits for them
		must(t, err)
		equal(t, "succeeded", r.Succeeded, 3)
		equal(t, "order", order.String(), "now@0s a@1s b@1m0s c@3m0s")
		equal(t, "delayed", balanced(t, p).Delayed, 0)
	})
}

func TestPoolDrainWaitsForDelayedJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		start := time.Now()
		must(t, p.Submit(taskpool.Job{Run: nop, Delay: time.Hour}))
		equal(t, "succeeded", drain(t, p).Succeeded, 1)
		equal(t, "took", elapsed(start), time.Hour)
	})
}

func TestJobsOfOneDelayKeepTheirOrder(t *testing.T) {
	for _, finalize := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: 1})
			var order trail
			var want []string
			for i := range 50 {
				want = append(want, fmt.Sprint(i))
				must(t, p.Submit(taskpool.Job{Delay: time.Second, Run: order.task(fmt.Sprint(i))}))
			}
			if finalize {
				done(t, p)
			} else {
				drain(t, p)
			}
			equal(t, "order", order.String(), strings.Join(want, " "))
		})
	}
}

func TestDelayedJobsCountInTheQueueLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1, QueueLimit: 2})
		for range 3 { // two, and the idle worker's
			must(t, p.Submit(taskpool.Job{Run: nop, Delay: time.Minute}))
		}
		wantErr(t, "Add", p.Add(nop), taskpool.ErrOverloaded)
		equal(t, "refused", balanced(t, p).Refused, 1)
		drain(t, p)
		must(t, p.Add(nop, nop, nop))
		drain(t, p)
	})
}

func TestDelayOfAStagedJobCountsFromItsRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		var order trail
		start := time.Now()
		for _, at := range []taskpool.Start{taskpool.StartAfterResponse, taskpool.StartOnSuccess, taskpool.StartOnFailure} {
			must(t, s.Submit(taskpool.Job{Start: at, Delay: time.Minute, Run: stamped(&order, start, strings.ReplaceAll(at.String(), " ", "-"))}))
		}
		time.Sleep(time.Second)
		st := balanced(t, p)
		equal(t, "staged", st.Staged, 3)
		equal(t, "delayed", st.Delayed, 0)
		finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
		st = balanced(t, p)
		equal(t, "delayed", st.Delayed, 2)
		equal(t, "discarded", st.Discarded, 1) // it does not wait for that
		_, err := s.Drain(context.Background())
		must(t, err)
		equal(t, "order", order.sorted(), "after-response@1m1s on-success@1m1s")
	})
}

func TestDelayedJobGoesThroughItsLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Lanes: map[string]taskpool.Lane{"api": {Rate: 1, Per: time.Minute}}})
		var order trail
		start := time.Now()
		must(t, p.Submit(taskpool.Job{Lane: "api", Delay: time.Second, Run: stamped(&order, start, "later")},
			taskpool.Job{Lane: "api", Run: stamped(&order, start, "now")}))
		drain(t, p)
		equal(t, "order", order.String(), "now@0s later@1m0s")
	})
}

func TestDoneThatIsCutCancelsDelayedJobs(t *testing.T) {
	for _, hooked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var e endings
			c := taskpool.Config{Workers: 1}
			if hooked {
				c.Hooks.Ended = e.hook
			}
			p := newPool(c)
			_, s := begin(p, context.Background())
			must(t, p.Add(untilCanceled))
			must(t, s.Submit(taskpool.Job{Run: nop, Delay: time.Hour}, taskpool.Job{Run: nop, Delay: time.Hour, Start: taskpool.StartAfterResponse}))
			synctest.Wait()
			r, err := p.Done(canceled())
			wantErr(t, "Done", err, context.Canceled)
			equal(t, "fates", countsOf(r), counts{Canceled: 3})
			balanced(t, p)
		})
	}
}

func TestNegativeDelayIsRefused(t *testing.T) {
	p := newPool(taskpool.Config{})
	err := p.Submit(taskpool.Job{Run: nop}, taskpool.Job{Run: nop, Delay: -1})
	if err == nil || !strings.Contains(err.Error(), "negative Delay") {
		t.Errorf("got %v", err)
	}
	equal(t, "accepted", balanced(t, p).Accepted, 0)
}

func TestEndlessDelayIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		must(t, p.Submit(taskpool.Job{Run: nop, Delay: math.MaxInt64}))
		time.Sleep(24 * time.Hour)
		equal(t, "delayed", balanced(t, p).Delayed, 1)
		r, err := p.Done(within(t, 1000*time.Hour))
		wantErr(t, "Done", err, context.DeadlineExceeded)
		equal(t, "fates", countsOf(r), counts{Canceled: 1})
	})
}

// A task that adds the next one through its own context, for ever.
func TestTaskThatAddsTheNextBuildsNoChainOfContexts(t *testing.T) {
	const generations = 20_000
	for name, timeout := range map[string]time.Duration{"none": 0, "an hour": time.Hour} {
		for _, submit := range []bool{false, true} {
			t.Run(fmt.Sprintf("timeout=%s/submit=%v", name, submit), func(t *testing.T) {
				p := newPool(taskpool.Config{Workers: 1})
				_, s := begin(p, withUser(context.Background(), "ann"))
				var heap [2]uint64
				n := 0
				var next taskpool.Task
				next = func(ctx context.Context) error {
					n++
					switch n {
					case 1000, generations:
						runtime.GC()
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						heap[n/generations] = m.HeapAlloc
					}
					if n == generations {
						return nil
					}
					sc := taskpool.FromContext(ctx)
					if submit || timeout > 0 {
						return sc.Submit(taskpool.Job{Run: next, Timeout: timeout})
					}
					return sc.Add(next)
				}
				must(t, s.Submit(taskpool.Job{Run: next, Timeout: timeout}))
				r := drain(t, p)
				equal(t, "succeeded", r.Succeeded, generations)
				if heap[1] > heap[0]+1<<20 { // a chain would hold a job of a few hundred bytes for each
					t.Errorf("the heap grew by %d bytes", heap[1]-heap[0])
				}
			})
		}
	}
}
