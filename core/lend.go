package taskpool

import (
	"context"
	"sync/atomic"
)

// A loan is the worker slot of a task that waits for others meanwhile: they may
// need it. A nil loan lends nothing.
//
// When the wait is over the loan is recalled: it is put into a list of the task's
// pool, without the pool's lock, by whatever ends the wait and in the same moment.
// Whoever next hands out a slot under the lock looks there first. So a task whose
// wait is over goes ahead of all that is queued, also into the slot that the awaited
// task has just left, and whichever pool that was in.
type loan struct {
	scope    *scope
	recalled atomic.Bool
	next     *loan         // in pool.recalls
	granted  chan struct{} // closed when the task has a slot again, or needs none
	forget   func()        // takes it off the latch that it waits for
}

// lend gives up the slot of the task that ctx was given to, if there is one, until
// the latch opens or end is called. Where there is nothing to wait for, because it is
// open or ctx has ended, it lends nothing. It
// is the goroutine of that task that should call it. If a goroutine that the
// task started does, the task goes on without a slot: one task more than Workers
// runs then, and never more than one for each slot lent. If the task has even
// ended, nothing may be left to lend.
//
// The plain tasks of a scope have one context, so it is not known which of them a loan
// is for. What counts is that a task that waits holds no slot: a slot is taken
// back only when fewer wait than have lent.
func lend(ctx context.Context, l *latch) *loan {
	if s := taskOf(ctx); s != nil && !hasEnded(ctx) {
		return s.lend(l)
	}
	return nil
}

// lend is lend for a task of the scope whose context, if it has ended, does not end
// the wait.
func (s *scope) lend(l *latch) *loan {
	if l.isOpen() {
		return nil
	}
	n := &loan{scope: s, granted: make(chan struct{})}
	p := s.pool
	p.lock()
	s.loans++
	if s.lent < s.running {
		s.lent++
		p.lent++
		p.busy--
	}
	n.forget = l.onOpen(n.recall) // under the lock: the slot must not be given away if it opens
	p.grantLocked()
	p.unlock()
	return n
}

// recall puts the loan into its pool's list, the first time that it is called.
func (n *loan) recall() {
	if n.recalled.Swap(true) {
		return
	}
	head := &n.scope.pool.recalls
	for {
		n.next = head.Load()
		if head.CompareAndSwap(n.next, n) {
			return
		}
	}
}

// end takes a slot back, ahead of all queued tasks. It waits for one to become
// free: no longer than the shortest of the running tasks.
func (n *loan) end() {
	if n == nil {
		return
	}
	n.forget() // a recall that is under way has been made when it returns
	n.recall()
	p := n.scope.pool
	p.lock()
	p.grantLocked()
	p.unlock()
	<-n.granted
}

// grantLocked gives free slots to those who lent theirs. It is called before any
// slot is given to what is queued, and stands apart from what it does so that the
// question can be inlined where a worker takes each task.
func (p *Pool) grantLocked() {
	if p.recalls.Load() != nil || len(p.reclaims) > 0 {
		p.giveBackLocked()
	}
}

func (p *Pool) giveBackLocked() {
	p.takeRecallsLocked()
	for len(p.reclaims) > 0 {
		n := p.reclaims[0]
		s := n.scope
		switch {
		case s.lent <= s.loans: // its task ended without it
		case p.busy < p.limitLocked():
			s.lent--
			p.lent--
			p.busy++
		default:
			return
		}
		p.reclaims[0] = nil
		p.reclaims = p.reclaims[1:]
		close(n.granted)
	}
}

// takeRecallsLocked moves what was recalled to those who want a slot, in the order
// in which their waits ended.
func (p *Pool) takeRecallsLocked() {
	var first *loan
	for n := p.recalls.Swap(nil); n != nil; {
		n, n.next, first = n.next, first, n
	}
	for n := first; n != nil; n = n.next {
		n.scope.loans--
		if n.scope.lent <= n.scope.loans { // its task ended without it, or it was never the one that lent
			close(n.granted)
		} else {
			p.reclaims = append(p.reclaims, n)
		}
	}
}
