package bench

import (
	"sync/atomic"
	"time"
)

const (
	shortTask = 5 * time.Microsecond
	probe     = 200 * time.Microsecond // how often the wake-up delay is sampled
)

// behindQueue is the time from the beginning of a scope until the last of its
// three tasks has ended, while at least 100 000 tasks wait before it. That the
// client then has to be woken is not counted: waiterWakes shows it. A pool that
// runs first in, first out gives one sample a pass.
func behindQueue(open opener) measure {
	return scopesBehind(open, func(begun, ended, _ time.Time) time.Duration { return ended.Sub(begun) })
}

// waiterWakes is the time from the end of such a scope's last task until the
// client that waits for it goes on.
func waiterWakes(open opener) measure {
	return scopesBehind(open, func(_, ended, woken time.Time) time.Duration { return woken.Sub(ended) })
}

// scopesBehind takes a time of scopes that are waited for, one after the other,
// behind the queue: each began, its last task ended, and its client was woken.
func scopesBehind(open opener, took func(begun, ended, woken time.Time) time.Duration) measure {
	return func(r Run) (float64, error) {
		ahead := r.size(100_000)
		backlog := ahead + ahead/2
		return r.pooled(0.5, func() ([]float64, error) {
			const most = 500 // samples
			ts := make([]task, sharedLimit+backlog+most*scopeSize)
			gate := make(chan struct{})
			var ran, left atomic.Int64
			var end time.Time
			for i := range ts {
				switch {
				case i < sharedLimit:
					ts[i].work = func() { <-gate }
				case i < sharedLimit+backlog:
					ts[i].work = func() { spin(shortTask); ran.Add(1) }
				default:
					ts[i].work = func() {
						if left.Add(-1) == 0 {
							end = time.Now()
						}
					}
				}
			}
			p := open(sharedLimit, ts).(scoper)
			next := sharedLimit + backlog
			p.submit(0, next)
			close(gate)
			var seen []float64
			for len(seen) < most && (len(seen) == 0 || int(ran.Load()) < backlog-ahead) {
				left.Store(scopeSize)
				start := time.Now()
				p.scope(next, next+scopeSize, true)
				seen = append(seen, float64(took(start, end, time.Now())))
				next += scopeSize
			}
			p.wait()
			return seen, checkOnce(ts[:next])
		})
	}
}

// wakeDelay is how late a goroutine wakes that waits for a timer, while tasks
// of 5 µs run. A request that waits for the network is woken by the same loop of
// the scheduler.
func wakeDelay(open opener, q float64) measure {
	return func(r Run) (float64, error) {
		return r.pooled(q, func() ([]float64, error) {
			ts := make([]task, r.size(60_000))
			for i := range ts {
				ts[i].work = func() { spin(shortTask) }
			}
			seen, _ := sample(saturate(open, ts), probe, func() error { return nil })
			return seen, checkOnce(ts)
		})
	}
}

// sample calls f again and again, each time when the pause after the last call is
// over, until done is closed. It returns the times from when each call was due
// until it ended.
func sample(done <-chan struct{}, pause time.Duration, f func() error) (seen []float64, err error) {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		due := time.Now().Add(pause)
		t.Reset(pause)
		select {
		case <-done:
			return seen, err
		case <-t.C:
		}
		if e := f(); e != nil {
			err = e
		}
		seen = append(seen, float64(time.Since(due)))
	}
}

// saturate hands over all tasks, and closes the channel when they have run.
func saturate(open opener, ts []task) <-chan struct{} {
	done := make(chan struct{})
	p := open(sharedLimit, ts)
	go func() {
		defer close(done)
		p.submit(0, len(ts))
		p.wait()
	}()
	return done
}
