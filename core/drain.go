package taskpool

import "context"

// A drainer is a caller of Pool.Drain that waits. There is at most one.
type drainer struct {
	over   latch
	report Report
	err    error
}

// Drain waits until nothing is running, queued, delayed or waiting for a retry,
// and leaves the pool open. What is staged is not waited for: the response that it
// waits for may be the caller's own.
//
// A later call takes over: the earlier caller returns at once with
// ErrSuperseded and an empty report, so that however many callers drain, one
// waits. So it is when Done is called. If ctx ends first Drain returns what has
// ended so far and the cause of ctx. Inside a task of this pool, with that task's
// context, it returns ErrSelfWait and does nothing. If there is nothing to wait
// for it returns nil, even if ctx has ended.
//
// The report covers what ended since the last Drain that finished.
func (p *Pool) Drain(ctx context.Context) (r Report, err error) {
	if !p.made() {
		return Report{}, ErrNoPool
	}
	if s := taskOf(ctx); s != nil && s.pool == p {
		return Report{}, ErrSelfWait
	}
	if ctx == nil {
		ctx = context.Background()
	}
	// ctx is the caller's code, and so asked before the lock is taken.
	var ended error
	if ctx.Err() != nil {
		ended = context.Cause(ctx)
	}
	p.lock()
	switch {
	case p.phase.Load() != phaseOpen && !p.ending.over:
		p.mu.Unlock()
		return Report{}, ErrSuperseded
	case p.quietLocked():
		defer p.mu.Unlock()
		p.takeReportLocked(&r)
		return r, nil
	case ended != nil:
		defer p.mu.Unlock()
		p.reportLocked(&r)
		return r, ended
	}
	p.supersedeLocked()
	d := new(drainer)
	d.over.init()
	p.drainer = d
	p.mu.Unlock()

	defer lend(ctx, &d.over).end()
	if d.over.wait(ctx) {
		return d.report, d.err
	}
	ended = context.Cause(ctx)
	p.lock()
	defer p.mu.Unlock()
	if p.drainer != d { // it ended at the same moment, and the report was taken for us
		return d.report, d.err
	}
	p.drainer = nil
	p.reportLocked(&r)
	return r, ended
}

// Drain waits until what this scope has started has ended, and what that has
// added. Before the response is sent, staged tasks are not waited for. Every caller waits
// for its own, and the report is cumulative.
//
// If ctx ends first it returns what has ended so far and the cause of ctx.
// Inside a task of this scope, with that task's context, it returns ErrSelfWait
// and does nothing. If there is nothing to wait for it returns nil, even if ctx
// has ended. The zero Scope answers ErrNoScope.
func (s Scope) Drain(ctx context.Context) (Report, error) {
	if s.scope == nil {
		return Report{}, ErrNoScope
	}
	if taskOf(ctx) == s.scope {
		return Report{}, ErrSelfWait
	}
	p := s.scope.pool
	p.lock()
	settled := s.scope.settledLocked()
	if settled == nil {
		defer p.mu.Unlock()
		return s.scope.reportLocked(), nil
	}
	p.mu.Unlock()

	if ctx == nil {
		ctx = context.Background()
	}
	defer lend(ctx, settled).end()
	var err error
	if !settled.wait(ctx) {
		err = context.Cause(ctx)
	}
	p.lock()
	defer p.mu.Unlock()
	if settled.isOpen() { // it may have opened at the same moment
		err = nil
	}
	return s.scope.reportLocked(), err
}

// settledLocked opens when what the scope has started has ended; nil if it has.
func (s *scope) settledLocked() *latch {
	if s.live > 0 && s.settled == nil {
		s.settled = newLatch()
	}
	return s.settled
}

// quietLocked reports whether nothing is running and nothing can start by itself.
func (p *Pool) quietLocked() bool {
	return p.running+p.queued+p.notices+p.delayed+p.retrying == 0
}

// settleLocked is told whenever something has ended: it ends the waits that
// nothing is left for. That is seldom, and stands apart so that the question can
// be inlined where each task ends.
func (p *Pool) settleLocked() {
	if p.quietLocked() {
		p.quietedLocked()
	}
}

func (p *Pool) quietedLocked() {
	switch {
	case p.drainer != nil:
		p.takeReportLocked(&p.drainer.report)
		p.drainer.over.open()
		p.drainer = nil
	case p.phase.Load() == phaseOpen || p.ending.over:
	case p.phase.Load() == phaseClosed, !p.awaitedLocked() && p.returned.head == nil:
		p.overLocked()
	}
	if p.listed && p.handling.head == nil && p.returned.head == nil {
		p.unlistLocked()
	}
}

// awaitedLocked reports whether Done waits for a handler.
func (p *Pool) awaitedLocked() bool {
	for s := p.handling.head; s != nil; s = s.next {
		if !s.hijacked || s.live > 0 || s.staged.size > 0 {
			return true
		}
	}
	return false
}

// supersedeLocked sends the waiting drainer away.
func (p *Pool) supersedeLocked() {
	if d := p.drainer; d != nil {
		d.err = ErrSuperseded
		d.over.open()
		p.drainer = nil
	}
}

// reportLocked fills in what has ended since the last Drain that finished.
func (p *Pool) reportLocked(r *Report) { p.results.report(r, &p.fates, &p.drained) }

func (p *Pool) takeReportLocked(r *Report) {
	p.reportLocked(r)
	p.drained = p.fates
	p.results = resultRing{}
}
