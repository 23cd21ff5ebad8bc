package taskpool

import (
	"math"
	"sync/atomic"
)

// A stage is how far a request has come. It only goes forward, and under the
// pool's lock but for two steps: most requests add nothing, and their handlers
// return without meeting at that lock; and where nothing is staged, nothing need
// happen when the response is sent.
type stage struct{ atomic.Uint32 }

// The stages of a request. It has started in the first two of them.
const (
	stageNew      = iota // its handler runs, and has not used the scope
	stageUsed            // its handler runs
	stageLeaving         // its handler returns without the lock: the outcome is not yet written
	stageQuiet           // its handler has returned, and nothing waits for the response: it is in no list
	stageReturned        // its handler has returned
	stageSent            // its response is sent; what tells how, a Release, is added to it
)

// useLocked reports whether the handler runs, and if so has its return take the lock.
func (s *stage) useLocked() bool {
	return s.Load() == stageUsed || s.CompareAndSwap(stageNew, stageUsed)
}

// leave begins the handler's return without the lock, if the scope was not used.
func (s *stage) leave() bool { return s.CompareAndSwap(stageNew, stageLeaving) }

// closedLocked: its handler has returned and nothing is left to end. Nothing can
// be added then, so it stays closed.
func (s *scope) closedLocked() bool {
	return s.stage.Load() >= stageLeaving && s.live == 0 && s.staged.size == 0
}

// open reports whether the handler has not returned.
func (s *scope) open() bool { return s.stage.Load() < stageLeaving }

// returnedLocked notes that the handler of a scope with tasks has returned.
func (s *scope) returnedLocked() {
	p := s.pool
	p.handling.remove(s)
	if s.staged.size > 0 || p.config.Hooks.Drained != nil {
		s.stage.Store(stageReturned)
		s.listLocked()
	} else {
		s.stage.Store(stageQuiet)
	}
	p.settleLocked()
}

// awaitsSentLocked is for what has to wait until the response is sent, and reports
// whether it has to: if the handler has returned, the scope is in the list from now on.
func (s *scope) awaitsSentLocked() bool {
	if s.stage.CompareAndSwap(stageQuiet, stageReturned) {
		s.listLocked()
	}
	return s.stage.Load() < stageSent
}

// listLocked has the sweep, or Done, release a scope that has returned, if nothing
// tells of the end of its response.
func (s *scope) listLocked() {
	p := s.pool
	p.returned.push(s)
	if p.phase.Load() == phaseOpen {
		p.armSweepLocked(s)
	} else {
		s.sentLocked(ReleasePoolDone)
	}
}

// outcomeLocked is the outcome of a request whose response is sent.
func (s *scope) outcomeLocked() Outcome {
	o := s.toldLocked()
	o.Release = Release(s.stage.Load() - stageSent)
	return o
}

// toldLocked is what is known of the outcome so far.
func (s *scope) toldLocked() Outcome {
	o := Outcome{
		Status: int(s.told.status), Err: s.told.err,
		Panicked: s.told.panicked, Disconnected: s.told.disconnected, Expired: s.told.expired,
	}
	if s.extras != nil {
		o.Vetoed = s.extras.vetoed
	}
	return o
}

// tell notes what an adapter tells. There is room for a status of 32 bits: one beyond
// them, which none is, becomes the nearest.
func (s *scope) tell(o Outcome) {
	status := int32(min(max(o.Status, math.MinInt32), math.MaxInt32))
	s.told = told{o.Err, status, o.Panicked, o.Disconnected, o.Expired}
}

func (s *scope) sentLocked(r Release) {
	p := s.pool
	s.stage.Store(stageSent + uint32(r))
	if !s.hadTasks {
		return
	}
	p.returned.remove(s)
	for s.staged.size > 0 {
		p.staged--
		s.startLocked(s.staged.pop(&p.spare))
	}
	s.liveEndedLocked()
	p.settleLocked()
}
