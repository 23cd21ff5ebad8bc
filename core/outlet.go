package taskpool

import "sync/atomic"

// An outlet is the front of the queue of a pool's own tasks while nothing else is
// to be considered: no other line waits, nobody wants a slot back, and the slots
// of its first chunk are plain tasks. Then a worker whose task has succeeded goes
// on to the next without the pool's lock, by one atomic addition: that is the
// end of the one and the start of the other. The counts follow when the lock is
// taken: Pool.lock shuts the outlet, so that whoever holds the lock finds the counts
// exact, and Pool.unlock opens it again.
type outlet struct {
	_     [64]byte              // keeps what every worker writes apart from what every Add writes
	chunk atomic.Pointer[chunk] // nil if it is shut; written under the pool's lock
	_     [64]byte
}

func (o *outlet) isOpen() bool { return o.chunk.Load() != nil }

// minClaims is how many tasks have to be in the first chunk for an outlet to be opened.
const minClaims = 4

// A claims is what the workers add to: the next slot of a chunk in the lower half,
// and in the upper one where they have to stop, 0 if the chunk is not, or no longer,
// at the outlet.
type claims struct{ atomic.Uint64 }

func (c *claims) open(from, to uint8) { c.Store(uint64(to)<<32 | uint64(from)) }

// next claims a slot.
func (c *claims) next() (i uint32, ok bool) {
	v := c.Add(1)
	i = uint32(v) - 1
	return i, i < uint32(v>>32)
}

// shut tells the first slot that was not claimed.
func (c *claims) shut() uint8 {
	v := c.Swap(0)
	return uint8(min(v&(1<<32-1), v>>32))
}

// next takes the next task; nil if the outlet is shut or has no more. Only who has
// just ended a plain task of the pool itself, with success, may call it.
func (o *outlet) next() Task {
	c := o.chunk.Load()
	if c == nil {
		return nil
	}
	i, ok := c.claims.next()
	if !ok {
		return nil
	}
	t := c.slots[i].(Task)
	c.slots[i] = nil
	return t
}

// lock takes the pool's lock and makes its counts exact.
func (p *Pool) lock() {
	p.mu.Lock()
	if p.outlet.isOpen() {
		p.shutOutletLocked()
	}
}

// openOutletLocked opens the outlet if a worker may go on from there, and if enough
// wait to pay for that. Where results are kept each end has more to it than to be
// counted, and where a slot was lent, its task goes first when its wait is over.
func (p *Pool) openOutletLocked() {
	q := &p.root.line.overflow
	if c := q.head; c != nil && p.root.line.count == 0 && !c.mixed && p.rings.only(&p.root.line) &&
		p.root.running > 0 && p.busy <= p.limitLocked() && !p.paused && !p.watched && p.lent == 0 {
		to := uint8(min(int(q.from)+int(q.size), len(c.slots)))
		if to-q.from >= minClaims {
			c.claims.open(q.from, to)
			p.outlet.chunk.Store(c)
		}
	}
}

// shutOutletLocked counts what was claimed.
func (p *Pool) shutOutletLocked() {
	c := p.outlet.chunk.Load()
	p.outlet.chunk.Store(nil)
	q := &p.root.line.overflow
	n := int32(c.claims.shut() - q.from)
	if n == 0 {
		return
	}
	p.queued -= int(n)
	p.root.live -= n
	p.fates[FateSucceeded] += uint64(n)
	if q.size == n {
		p.takeInLocked()
	}
	c.used = true
	q.size -= n
	q.from += uint8(n)
	q.skipped()
	if q.size == 0 {
		p.rings.remove(normal)
	}
}
