package taskpool_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/elite-libs/taskpool/core"
)

// What a queue keeps is what waits in it, and so many chunks for reuse: of two
// sizes 64 each, and a small one may keep the allocation it came with.
const keptChunks = 2 * 64

// chunksKept is how many allocations of a queue's chunks are reachable: exactly,
// while every one is sampled.
func chunksKept() (n int64) {
	for range 2 {
		runtime.GC() // a profile is what the last but one has found
	}
	var all []runtime.MemProfileRecord
	for size, ok := 0, false; !ok; {
		size, _ = runtime.MemProfile(nil, false)
		all = make([]runtime.MemProfileRecord, size+50)
		size, ok = runtime.MemProfile(all, false)
		all = all[:min(size, len(all))]
	}
	for _, r := range all {
		frames := runtime.CallersFrames(r.Stack())
		for {
			f, more := frames.Next()
			if strings.HasSuffix(f.Function, ".(*spare).get") {
				n += r.InUseObjects()
				break
			}
			if !more {
				break
			}
		}
	}
	return n
}

// sampled has every allocation of the test in the profile.
func sampled(t *testing.T) {
	rate := runtime.MemProfileRate
	runtime.MemProfileRate = 1
	t.Cleanup(func() { runtime.MemProfileRate = rate })
}

// However many tasks pass, and in whatever bursts, nothing is kept of them.
func TestWhatHasPassedAQueueKeepsNoChunk(t *testing.T) {
	sampled(t)
	scoped := func(p *taskpool.Pool, tasks []taskpool.Task) {
		_, s := begin(p, context.Background())
		_ = s.Add(tasks...)
		_ = s.AfterResponse(tasks...)
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	}
	ways := []struct {
		name string
		add  func(p *taskpool.Pool, n int)
	}{
		{"one by one", func(p *taskpool.Pool, n int) { stream(t, p, n, nops) }},
		{"at once", func(p *taskpool.Pool, n int) { must(t, p.Add(repeat(n, nop)...)) }},
		{"of a request", func(p *taskpool.Pool, n int) { scoped(p, repeat(n, nop)) }},
		{"of many requests", func(p *taskpool.Pool, n int) {
			for range n / 7 {
				scoped(p, repeat(7, nop))
			}
		}},
		{"of a lane", func(p *taskpool.Pool, n int) {
			for range n {
				must(t, p.Submit(taskpool.Job{Run: nop, Lane: "api", Priority: taskpool.PriorityLow}))
			}
		}},
	}
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			before := chunksKept()
			p := newPool(taskpool.Config{Workers: workers, QueueLimit: -1, Lanes: map[string]taskpool.Lane{"api": {Limit: 1}}})
			for round := range 9 {
				for _, way := range ways {
					p.Pause()
					way.add(p, 3000+97*round) // not a multiple of what a chunk holds
					p.Resume()
					drain(t, p)
				}
				if kept := chunksKept() - before; kept > keptChunks {
					t.Fatalf("after %d rounds, nothing waiting, %d chunks are kept", round+1, kept)
				}
			}
			runtime.KeepAlive(p)
		})
	}
}

// The same of a queue that is never empty: a task that ends adds another.
func TestBacklogThatNeverEndsKeepsNoChunkOfWhatHasPassed(t *testing.T) {
	const backlog, passing = 3000, 100_000
	sampled(t)
	for _, workers := range []int{1, 2, 5} {
		before := chunksKept()
		for again := chunksKept(); again != before; again = chunksKept() {
			before = again // what earlier tests have left is still being collected
		}
		synctest.Test(t, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: workers, QueueLimit: -1})
			var passed atomic.Int64
			var next taskpool.Task
			next = func(context.Context) error {
				if n := passed.Add(1); n == passing {
					p.Pause()
				} else if n > passing+backlog {
					return nil
				}
				return p.Add(next)
			}
			p.Pause()
			must(t, p.Add(repeat(backlog, next)...))
			p.Resume()
			synctest.Wait()
			queued := balanced(t, p).Queued
			equal(t, "queued", queued, backlog)
			if kept := chunksKept() - before; kept > int64(keptChunks+queued/60+2) {
				t.Errorf("%d workers: %d wait, and %d chunks are kept", workers, queued, kept)
			}
			p.Resume()
			drain(t, p)
			equal(t, "left", fmt.Sprint(balanced(t, p).Queued), "0")
			if kept := chunksKept() - before; kept > keptChunks {
				t.Errorf("%d workers: none waits, and %d chunks are kept", workers, kept)
			}
		})
	}
}
