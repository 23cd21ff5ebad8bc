package taskpool

import (
	"sync"
	"sync/atomic"
)

// An intake is the open end of the queue of a pool's own tasks: the free slots of
// its last chunk, with a lock of their own, so that those who add many tasks do
// not meet the workers that take them. It is open only while a task is known to
// wait there: then one more behind it calls for nothing, no worker, no turn in a
// ring, no drain, and may as well be counted later. Tasks in it are accepted but
// in none of the pool's counts until takeInLocked.
//
// It is opened under both locks, the pool's first. What needs the exact counts,
// or changes how much more may wait, shuts it.
type intake struct {
	_      [64]byte              // keeps what every Add writes apart from what every worker writes
	chunk  atomic.Pointer[chunk] // nil if it is shut; written under both locks
	mu     sync.Mutex            // protects what follows
	first  int                   // of the slots that the pool does not know of
	next   int
	credit int // how many more are sure to be within the queue limit and the chunk
	_      [64]byte
}

func (in *intake) isOpen() bool { return in.chunk.Load() != nil }

// add accepts plain tasks, all or none. If it does not, they may still be
// acceptable to the pool.
func (in *intake) add(tasks []Task) bool {
	if in.chunk.Load() == nil {
		return false
	}
	for _, t := range tasks {
		if t == nil {
			return false
		}
	}
	in.mu.Lock()
	c := in.chunk.Load()
	if c == nil || len(tasks) > in.credit {
		in.mu.Unlock()
		return false
	}
	for _, t := range tasks {
		c.slots[in.next] = t
		in.next++
	}
	in.credit -= len(tasks)
	in.mu.Unlock()
	return true
}

// openIntakeLocked opens the intake, if tasks of the pool itself wait, and will
// when the next is taken, and there is room.
func (p *Pool) openIntakeLocked() {
	q := &p.root.line.tasks
	if q.tail == nil || q.size < 2 || !p.plain {
		return
	}
	credit := chunkSlots - int(q.to)
	if limit := p.config.QueueLimit; limit > 0 {
		credit = min(credit, limit-p.waitingLocked())
	}
	if credit <= 0 {
		return
	}
	in := &p.intake
	in.mu.Lock()
	in.first, in.next, in.credit = int(q.to), int(q.to), credit
	in.chunk.Store(q.tail)
	in.mu.Unlock()
}

// takeInLocked counts what has come through the intake, and shuts it.
func (p *Pool) takeInLocked() {
	in := &p.intake
	if in.chunk.Load() == nil {
		return
	}
	in.mu.Lock()
	n := in.next - in.first
	in.chunk.Store(nil)
	in.mu.Unlock()
	if n == 0 {
		return
	}
	q := &p.root.line.tasks
	q.to += uint8(n)
	q.size += n
	p.queued += n
	p.accepted += uint64(n)
	p.root.accepted += n
	p.root.live += int32(n)
}
