package taskpool

import (
	"sync"
	"sync/atomic"
)

// An intake is the open end of the queue of a pool's own tasks: the free slots of
// its last chunk, with a lock of their own, so that those who add many tasks do
// not meet the workers that take them. It is open only while a task is known to
// wait there: then one more behind it calls for nothing, no worker, no turn in a
// ring, no drain, and may as well be counted later. What is in it is accepted, but
// in none of the pool's counts until takeInLocked.
//
// It is opened under both locks, the pool's first. What needs the exact counts,
// or changes how much more may wait, shuts it.
type intake struct {
	_      [64]byte              // keeps what every Add writes apart from what every worker writes
	chunk  atomic.Pointer[chunk] // nil if it is shut; written under both locks
	mu     sync.Mutex            // protects what follows
	next   int                   // the first free slot of the chunk; where the queue ends if the pool knew of all
	mixed  bool                  // jobs are among them
	credit int                   // how many more are sure to be within the queue limit and the chunk
	_      [64]byte
}

func (in *intake) isOpen() bool { return in.chunk.Load() != nil }

// takeIn accepts tasks or slots, all or none. If it does not, they may still be
// acceptable to the pool.
func takeIn[T Task | slot](in *intake, all []T, mixed bool) bool {
	if !in.isOpen() { // most are not, and then their lock is not worth taking
		return false
	}
	in.mu.Lock()
	c := in.chunk.Load()
	if c == nil || len(all) > in.credit {
		in.mu.Unlock()
		return false
	}
	for _, t := range all {
		c.slots[in.next] = t
		in.next++
	}
	in.credit -= len(all)
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
	in.next, in.mixed, in.credit = int(q.to), false, credit
	in.chunk.Store(q.tail)
	in.mu.Unlock()
}

// takeInLocked counts what has come through the intake, and shuts it.
func (p *Pool) takeInLocked() {
	in := &p.intake
	if in.chunk.Load() == nil {
		return
	}
	q := &p.root.line.overflow
	in.mu.Lock()
	n, mixed := in.next-int(q.to), in.mixed
	in.chunk.Store(nil)
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
