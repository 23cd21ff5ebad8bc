package taskpool

import (
	"sync"
	"sync/atomic"
)

// An intake is the open end of the queue of a pool's own tasks: the free slots of
// its last chunk, with a lock of their own, so that those who add many tasks do
// not meet the workers that take them, not even at the chunk's head. It is open only
// while a task is known to wait there: then one more behind it calls for nothing, no
// worker, no turn in a ring, no drain, and may as well be counted later. What is in it
// is accepted, but in none of the pool's counts until takeInLocked.
//
// It is opened under both locks, the pool's first. What needs the exact counts,
// or changes how much more may wait, shuts it.
type intake struct {
	_      [64]byte    // keeps what every Add writes apart from what every worker writes
	opened atomic.Bool // written under both locks
	mu     sync.Mutex  // protects what follows
	free   []slot      // of the last chunk, as many as are sure to be within the queue limit
	taken  int         // of those
	mixed  bool        // jobs are among them
	_      [64]byte
}

func (in *intake) isOpen() bool { return in.opened.Load() }

// takeIn accepts tasks or slots, all or none. If it does not, they may still be
// acceptable to the pool.
func takeIn[T Task | slot](in *intake, all []T, mixed bool) bool {
	if !in.isOpen() { // most are not, and then their lock is not worth taking
		return false
	}
	in.mu.Lock()
	if !in.isOpen() || len(all) > len(in.free)-in.taken {
		in.mu.Unlock()
		return false
	}
	for _, t := range all {
		in.free[in.taken] = t
		in.taken++
	}
	in.mixed = in.mixed || mixed
	in.mu.Unlock()
	return true
}

// behindOthers reports whether jobs may come in: each queues at once, and where
// plain tasks do.
func behindOthers(jobs []slot) bool {
	for _, s := range jobs {
		j := s.(*job)
		if f := j.full(); j.priority != PriorityNormal || f != nil && (f.Lane != "" || f.Delay > 0) {
			return false
		}
	}
	return true
}

// openIntakeLocked opens the intake behind tasks of the pool itself, if some will
// still wait when the next is taken, and there is room.
func (s *scope) openIntakeLocked() {
	p, q := s.pool, &s.line.overflow
	if !s.isRoot() || q.size == 0 || s.line.size() < 2 || len(q.tail.slots) == smallSlots {
		return
	}
	credit := len(q.tail.slots) - int(q.to)
	if limit := p.config.QueueLimit; limit > 0 {
		credit = min(credit, limit-p.waitingLocked())
	}
	if credit <= 0 {
		return
	}
	if q.tail.since == 0 {
		q.tail.since = ticks() // who comes in reads no clock
	}
	in := &p.intake
	in.mu.Lock()
	in.free, in.taken, in.mixed = q.tail.slots[q.to:][:credit], 0, false
	in.opened.Store(true)
	in.mu.Unlock()
}

// takeInLocked counts what has come through the intake, and shuts it.
func (p *Pool) takeInLocked() {
	in := &p.intake
	if !in.isOpen() {
		return
	}
	q := &p.root.line.overflow
	in.mu.Lock()
	n, mixed := in.taken, in.mixed
	in.opened.Store(false)
	in.mu.Unlock()
	if n == 0 {
		return
	}
	q.tail.mixed = q.tail.mixed || mixed
	q.to += uint8(n)
	q.size += int32(n)
	p.queued += n
	p.accepted += uint64(n)
	p.root.live += int32(n)
}
