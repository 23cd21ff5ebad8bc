package taskpool

import "context"

// A loan is the worker slot of a task that waits for others meanwhile: they may
// need it. The zero loan lends nothing.
type loan struct{ scope *scope }

// A reclaim is a task whose wait is over and that has no slot to go on with.
type reclaim struct {
	scope   *scope
	granted chan struct{}
}

// lend gives up the slot of the task that ctx was given to, if there is one. It
// is the goroutine of that task that should call it. If a goroutine that the
// task started does, the task goes on without a slot: one task more than Workers
// runs then, and never more than one for each slot lent. If the task has even
// ended, nothing may be left to lend.
//
// The tasks of a scope have one context, so it is not known which of them a loan
// is for. What counts is that a task that waits holds no slot: a slot is taken
// back only when fewer wait than have lent.
func lend(ctx context.Context) loan {
	s := taskOf(ctx)
	if s == nil {
		return loan{}
	}
	p := s.pool
	p.lock()
	s.loans++
	if s.lent < s.running {
		s.lent++
		p.busy--
		p.grantLocked()
	}
	p.unlock()
	return loan{s}
}

// end takes a slot back, ahead of all queued tasks. It waits for one to become
// free: no longer than the shortest of the running tasks.
func (l loan) end() {
	if l.scope == nil {
		return
	}
	p := l.scope.pool
	p.lock()
	l.scope.loans--
	if l.scope.lent <= l.scope.loans { // its task ended without it, or it was never the one that lent
		p.mu.Unlock()
		return
	}
	r := &reclaim{l.scope, make(chan struct{})}
	p.reclaims = append(p.reclaims, r)
	p.grantLocked()
	p.unlock()
	<-r.granted
}

// grantLocked gives free slots to those who lent theirs.
func (p *Pool) grantLocked() {
	for len(p.reclaims) > 0 {
		r := p.reclaims[0]
		switch {
		case r.scope.lent <= r.scope.loans: // its task ended without it
		case p.busy < p.workers+p.ending.extra:
			r.scope.lent--
			p.busy++
		default:
			return
		}
		p.reclaims[0] = nil
		p.reclaims = p.reclaims[1:]
		close(r.granted)
	}
}
