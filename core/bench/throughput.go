package bench

import (
	"fmt"
	"time"
)

// A measure takes one figure. It fails if a task was lost.
type measure func(r Run) (float64, error)

// tasks is the time of one trivial task that has been submitted and has run.
func tasks(open opener, limit, producers int) measure {
	return func(r Run) (float64, error) {
		ts := make([]task, r.size(200_000))
		return r.passes(func() (float64, error) {
			clear(ts)
			p := open(limit, ts)
			start := time.Now()
			share(len(ts), producers, p.submit)
			p.wait()
			return per(len(ts), start), checkOnce(ts)
		})
	}
}

// scopes is the time of one scope of three trivial tasks on a shared pool.
func scopes(open opener, clients int, wait bool) measure {
	return func(r Run) (float64, error) {
		ts := make([]task, r.size(60_000))
		n := len(ts) / scopeSize
		return r.passes(func() (float64, error) {
			clear(ts)
			p := open(sharedLimit, ts).(scoper)
			start := time.Now()
			share(n, clients, func(from, to int) {
				for i := from; i < to; i++ {
					p.scope(i*scopeSize, (i+1)*scopeSize, wait)
				}
			})
			p.wait()
			return per(n, start), checkOnce(ts)
		})
	}
}

// promised is the time of one trivial task whose value is awaited.
func promised(open opener) measure {
	return func(r Run) (float64, error) {
		ts := make([]task, r.size(50_000))
		return r.passes(func() (float64, error) {
			clear(ts)
			p := open(sharedLimit, ts).(futures)
			start := time.Now()
			sum := p.await(0, len(ts))
			p.wait()
			took := per(len(ts), start)
			if sum != len(ts) {
				return 0, fmt.Errorf("the values add up to %d, want %d", sum, len(ts))
			}
			return took, checkOnce(ts)
		})
	}
}

// perRequest is the time of a pool that is made, runs one task, and is done.
func perRequest(fresh func(limit int, t *task) func()) measure {
	return func(r Run) (float64, error) {
		n := r.size(10_000)
		return r.passes(func() (float64, error) {
			var t task // one pool after the other: no two run at once
			request := fresh(sharedLimit, &t)
			start := time.Now()
			for range n {
				request()
			}
			took := per(n, start)
			if int(t.ran) != n {
				return 0, fmt.Errorf("the task ran %d times, want %d", t.ran, n)
			}
			return took, nil
		})
	}
}
