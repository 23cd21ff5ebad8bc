package taskpool_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// A chaosTask is what is known of a task besides what the pool says.
type chaosTask struct {
	name     string
	accepted bool
	runs     atomic.Int32 // begun
	now      atomic.Int32 // executing
	ended    atomic.Int32 // the fate that its last run has, unless Done is cut
	told     atomic.Bool  // the hook was told its fate
	fates    []taskpool.Fate
}

// job makes a task of a random kind.
func (c *chaos) job(r *rand.Rand, start taskpool.Start, depth int) taskpool.Job {
	task := new(chaosTask)
	c.mu.Lock()
	task.name = fmt.Sprint("task ", len(c.made))
	c.made[task.name] = task
	c.mu.Unlock()
	j := taskpool.Job{Name: task.name, Start: start, Priority: priorities[r.IntN(3)]}
	if r.IntN(4) == 0 {
		j.Lane = []string{"one", "paced", "both", "other"}[r.IntN(4)]
	}
	if r.IntN(8) == 0 {
		j.Delay = time.Duration(r.IntN(300)) * time.Microsecond
	}
	if r.IntN(4) == 0 {
		j.Retry = taskpool.Backoff(3, 10*time.Microsecond, 100*time.Microsecond)
	}
	if r.IntN(8) == 0 {
		j.Timeout = time.Duration(1+r.IntN(1000)) * time.Microsecond
	}
	kind, seed := r.IntN(12), r.Uint64()
	j.Run = func(ctx context.Context) error {
		task.runs.Add(1)
		if task.now.Add(1) > 1 || task.told.Load() {
			c.t.Errorf("%s runs twice at once, or has ended", task.name)
		}
		end := func(f taskpool.Fate, err error) error { // a retry may follow a failure
			task.ended.Store(int32(f))
			task.now.Add(-1)
			return err
		}
		r := rand.New(rand.NewPCG(seed, 3))
		switch kind {
		case 0, 1:
			return end(taskpool.FateFailed, errTask)
		case 2:
			_ = end(taskpool.FatePanicked, nil)
			panic("the task panics")
		case 3:
			_ = end(taskpool.FateFailed, nil)
			runtime.Goexit()
		case 4:
			if depth < 3 { // adds, to its scope or to the pool
				c.add(r, adder(ctx, c.p), taskpool.StartNow, depth+1)
			}
		case 5:
			if depth < 3 && j.Lane == "" { // awaits; a lane's tasks might wait for ever for one of the same lane
				c.await(ctx, r, depth)
			}
		case 6:
			taskpool.Throttle(ctx, taskpool.RateLimit{Limit: 2, Remaining: r.IntN(3), Reset: time.Now().Add(time.Millisecond)})
		case 7:
			if c.stuck {
				<-c.release
			}
		case 8:
			for range r.IntN(20) {
				runtime.Gosched()
			}
		}
		return end(taskpool.FateSucceeded, nil)
	}
	return j
}

// adder is where a task adds.
func adder(ctx context.Context, p *taskpool.Pool) taskpool.Adder {
	if s := taskpool.FromContext(ctx); s.Pool() != nil {
		return s
	}
	return p
}

// A blockingLog is a logger's handler that now and then lets others go first.
type blockingLog struct {
	slog.Handler
	mu sync.Mutex
	n  int
}

func (*blockingLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *blockingLog) Handle(context.Context, slog.Record) error {
	l.mu.Lock() // what blocks is that all workers log through this
	defer l.mu.Unlock()
	if l.n++; l.n%50 == 0 {
		panic("the logger panics")
	}
	for range l.n % 7 {
		runtime.Gosched()
	}
	return nil
}
