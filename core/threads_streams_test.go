package taskpool_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/elite-libs/taskpool/core"
)

// On real threads, streams of plain tasks, over which those who add and those who take
// meet least: what is counted late has to be counted once, and a task that
// was taken without the lock has run once.
func TestChaosStreamsOnRealThreads(t *testing.T) {
	rounds := 2
	if inFull() {
		rounds = 100
	}
	for _, procs := range []int{1, 2, 4, 8} {
		for _, limit := range []int{-1, 300} {
			t.Run(fmt.Sprintf("GOMAXPROCS=%d/limit=%d", procs, limit), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				for range rounds {
					streams(t, limit)
				}
			})
		}
	}
}

func streams(t *testing.T, limit int) {
	const producers, each = 4, 3000
	p := newPool(taskpool.Config{Workers: 3, QueueLimit: limit, Results: taskpool.KeepNone, Logger: slog.New(slog.DiscardHandler)})
	ran := make([]atomic.Int32, producers*each)
	want := make([]int32, len(ran))
	var accepted, refused atomic.Uint64
	var adding, disturbing sync.WaitGroup
	for n := range producers {
		adding.Go(func() {
			for i := n * each; i < (n+1)*each; i++ {
				err := p.Add(func(context.Context) error {
					ran[i].Add(1)
					if i%100 == 0 {
						return errTask
					}
					return nil
				})
				if err != nil {
					refused.Add(1)
					runtime.Gosched()
					continue
				}
				accepted.Add(1)
				want[i] = 1
			}
		})
	}
	over := make(chan struct{})
	disturbing.Go(func() { sample(t, p, over) })
	for n := range 2 {
		disturbing.Go(func() {
			for r := rand.New(rand.NewPCG(uint64(n), 1)); ; {
				select {
				case <-over:
					return
				default:
				}
				switch r.IntN(6) {
				case 0:
					p.Pause()
				case 1:
					p.Resize(1 + r.IntN(4))
				case 2:
					_, s := begin(p, context.Background())
					_ = s.Add(nop, nop, nop, nop, nop, nop, nop, nop) // into a chunk, too
					finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
				default:
					p.Resume()
				}
				runtime.Gosched()
			}
		})
	}
	adding.Wait()
	close(over)
	disturbing.Wait()
	if _, err := p.Done(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i := range ran {
		if got := ran[i].Load(); got != want[i] {
			t.Fatalf("task %d ran %d times, want %d", i, got, want[i])
		}
	}
	if limit < 0 && refused.Load() > 0 {
		t.Errorf("%d tasks were refused without a limit", refused.Load())
	}
	balanced(t, p)
}
