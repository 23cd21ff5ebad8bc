package bench

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A task is one unit of work and the count of its runs. Tasks and the func
// values that the contenders take are made before the clock starts: what a
// closure costs is the same for all, and would blur the ratios. Each counts in
// memory of its own, without an atomic operation, so that counting is cheap and
// a contender that waits without synchronizing is caught by the race detector.
type task struct {
	ran  uint32
	work func()          // nil: trivial
	done *sync.WaitGroup // told by runDone
}

func (t *task) run() {
	if t.work != nil {
		t.work()
	}
	t.ran++
}

func (t *task) runContext(context.Context) error { t.run(); return nil }
func (t *task) runError() error                  { t.run(); return nil }
func (t *task) runDone()                         { t.run(); t.done.Done() }

// forms is each task as the func type that a contender takes.
func forms[F any](ts []task, form func(*task) F) []F {
	fs := make([]F, len(ts))
	for i := range ts {
		fs[i] = form(&ts[i])
	}
	return fs
}

func plain(t *task) func() { return t.run }

// checkOnce is the proof that no task was lost.
func checkOnce(ts []task) error {
	for i := range ts {
		if n := ts[i].ran; n != 1 {
			return fmt.Errorf("task %d of %d ran %d times, want once", i, len(ts), n)
		}
	}
	return nil
}

// spin computes for d.
func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
