// Package stint is the arithmetic of when a worker that has much to do lets others run. It knows nothing of pools, and has
// no clock: it says when the clock is to be read, and is told what it was, in nanoseconds.
//
// A worker that is busy for a slice pauses, since the scheduler would let other goroutines run only after 10 ms, which is
// what a request would then wait while short tasks drain. Where goroutines compute, and take their 10 ms, a worker would
// starve so: then its slice comes to be as long as it was away. Who waited for what a worker has ended is to run sooner.
package stint

import "time"

const (
	// MinSlice and MaxSlice are how long a worker works at least, and at most, before it pauses.
	MinSlice = int64(100 * time.Microsecond)
	MaxSlice = int64(10 * time.Millisecond)

	// Woken is the share of a slice after which it pauses if it has woken somebody, who stands next in line on its
	// processor and would be the last to see an idle one.
	Woken = 8

	// The clock is read for every 4th task, and for every 16th while so many take no time to speak of: where long ones
	// follow, the first pause is so much later.
	minCheck = 4
	maxCheck = 16
)

// A Stint is how long a worker has worked since it last paused. It has to be begun.
type Stint struct {
	check uint8 // after how many tasks the clock is to be read
	runs  uint8 // tasks since it was
	woke  bool  // somebody, since the last pause
	read  int64 // what the clock was
	since int64 // … at the end of the last pause; 0 if it is not known
	slice int64 // how long to work before the next one
}

// Begin begins it: the worker was idle.
func (s *Stint) Begin() { *s = Stint{check: minCheck, slice: MinSlice} }

// Due counts a task that is about to run, and reports whether the clock is to be read for Pauses.
func (s *Stint) Due() bool {
	s.runs++
	return s.runs >= s.check
}

// Woke notes that the worker has ended what somebody waited for: the clock is read next, and more often for a while.
func (s *Stint) Woke() { s.woke, s.check = true, 1 }

// Pauses reports whether the worker is to let others run now.
func (s *Stint) Pauses(now int64) bool {
	switch {
	case now-s.read < MinSlice/maxCheck:
		s.check = min(2*s.check, maxCheck)
	case s.woke:
		s.check = 1
	default:
		s.check = minCheck
	}
	s.runs, s.read = 0, now
	if s.since == 0 {
		s.since = now // many a worker has no more to do than this
	}
	slice := s.slice
	if s.woke {
		slice /= Woken
	}
	return now-s.since >= slice
}

// Paused tells how long a pause was, and how many workers of the pool may have worked in it, this one included.
func (s *Stint) Paused(from, to int64, peers int) {
	s.woke, s.since = false, to
	s.slice = min(max((to-from)/int64(peers), MinSlice), 2*s.slice, MaxSlice)
}
