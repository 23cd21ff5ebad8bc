package bench

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// A jam is a pool of one worker that is held up, so that what is submitted
// waits. It is one prepared task that is submitted over and over: the only
// worker runs it, so that it can count itself.
type jam struct {
	pool
	ts      []task
	release chan struct{}
}

func newJam(open opener) *jam {
	j := &jam{ts: make([]task, 2), release: make(chan struct{})}
	held := make(chan struct{})
	j.ts[0].work = func() { close(held); <-j.release }
	j.pool = open(1, j.ts)
	j.submit(0, 1)
	<-held
	return j
}

func (j *jam) queue(n int) {
	for range n {
		j.submit(1, 2)
	}
}

// end lets the worker go, and checks that it runs the task n times.
func (j *jam) end(n int) error {
	close(j.release)
	j.wait()
	if got := int(j.ts[1].ran); got != n {
		return fmt.Errorf("the task ran %d times, want %d", got, n)
	}
	return nil
}

// queuedBytes is the memory of a task that waits, its closure not counted.
func queuedBytes(open opener, tasks int) measure {
	return func(r Run) (float64, error) {
		n := r.size(tasks)
		return r.passes(func() (float64, error) {
			j := newJam(open)
			before := memory()
			j.queue(n)
			grown := memory() - before
			return grown / float64(n), j.end(n)
		})
	}
}

// waitingGoroutineBytes is queuedBytes for a goroutine that waits.
func waitingGoroutineBytes(tasks int) measure {
	return func(r Run) (float64, error) {
		ts := make([]task, r.size(tasks))
		return r.passes(func() (float64, error) {
			clear(ts)
			gate := make(chan struct{})
			for i := range ts {
				ts[i].work = func() { <-gate }
			}
			p := openGoroutines(0, ts)
			before := memory()
			p.submit(0, len(ts))
			grown := memory() - before
			close(gate)
			p.wait()
			return grown / float64(len(ts)), checkOnce(ts)
		})
	}
}

// memory is what lives on the heap and in stacks.
func memory() float64 {
	runtime.GC()
	runtime.GC() // the first may only have finished a cycle that had begun
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// collection is the time of a garbage collection, or its mean pause, while n
// tasks wait.
func collection(open opener, tasks int, pause bool) measure {
	return func(r Run) (float64, error) {
		n := r.size(tasks)
		j := newJam(open)
		j.queue(n)
		const cycles = 5
		v, err := r.passes(func() (float64, error) {
			var before, after debug.GCStats
			debug.ReadGCStats(&before)
			start := time.Now()
			for range cycles {
				runtime.GC()
			}
			took := per(cycles, start)
			debug.ReadGCStats(&after)
			if !pause {
				return took, nil
			}
			return float64(after.PauseTotal-before.PauseTotal) / float64(after.NumGC-before.NumGC), nil
		})
		if err != nil {
			return 0, err
		}
		return v, j.end(n)
	}
}

// longQueue is the time of one task of n that all wait before the first runs.
func longQueue(open opener, n int) measure {
	return func(r Run) (float64, error) {
		n := min(r.size(n), n)
		return r.passes(func() (float64, error) {
			j := newJam(open)
			start := time.Now()
			j.queue(n)
			err := j.end(n)
			return per(n, start), err
		})
	}
}
