package taskpool

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// PerRequest returns a Source that makes a fresh pool for each request, with the
// given Config: its Workers and its QueueLimit are for each request alone, and
// requests do not wait for each other's tasks. A pool is gone when its last task
// has ended; Scope.Pool is how a handler finds it.
//
// Use it where a request's own work is to be bounded and requests are few or
// bounded elsewhere. Nothing bounds the tasks of all requests together: a shared
// pool does that. Lanes are each request's own too: a Rate, or what Throttle was
// told, paces that request and no other.
//
// Done is what Pool.Done is, for all requests at once: the report covers every
// task since the Source was made. The pool of a request that is still open is
// finished as soon as all that was added to it has ended, and refuses then.
func PerRequest(c Config) Source {
	s := &perRequest{
		config: c.withDefaults(),
		live:   make(map[*Pool]struct{}),
	}
	s.ending.due = endless
	s.ending.finished.init()
	s.config.Lanes = maps.Clone(c.Lanes)
	s.sweeps.owner = s
	s.phase.Store(phaseOpen)
	return s
}

// A perRequest is the books of the pools that it made. Its lock is taken with
// that of one of its pools held, never the other way round.
type perRequest struct {
	config Config
	phase  atomic.Uint32 // written under mu

	mu      sync.Mutex // protects what follows
	live    map[*Pool]struct{}
	sweeps  alarms        // of the pools
	fates   tally[uint64] // of pools that were live
	results resultRing
	ending  ending
}

// Begin implements Source.
func (s *perRequest) Begin(ctx context.Context) (context.Context, Exchange) {
	if x, joins := joinScope(ctx, func(of *Pool) bool { return of.source == s }); joins {
		return x.joined, x
	}
	return newPool(s.config, s).Begin(ctx)
}

// closing reports whether Done was called.
func (s *perRequest) closing() bool { return s != nil && s.phase.Load() != phaseOpen }

// listLocked puts a pool into the books, if it is not there, because it is about
// to accept a task.
func (p *Pool) listLocked(toRoot bool) error {
	s := p.source
	if p.listed {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch phase := s.phase.Load(); {
	case phase == phaseClosed, phase == phaseClosing && toRoot:
		return ErrDone
	case phase == phaseClosing:
		if p.phase.Load() == phaseOpen {
			p.closingLocked()
		}
		p.ending.due = min(p.ending.due, s.ending.due) // nothing waits in it
	}
	s.live[p] = struct{}{}
	p.listed = true
	return nil
}

// unlistLocked takes a pool out of the books: everything in it has ended.
func (p *Pool) unlistLocked() {
	s := p.source
	s.mu.Lock()
	defer s.mu.Unlock()
	p.listed = false
	delete(s.live, p)
	s.sweeps.stop(&p.sweep)
	p.alarms.disarm() // only lanes' are left, and would keep the pool alive
	for f := range p.fates {
		s.fates[f] += p.fates[f] - p.booked[f]
	}
	p.booked = p.fates
	if s.phase.Load() != phaseOpen && len(s.live) == 0 {
		s.overLocked()
	}
}

// keep has the report of Done name a result.
func (s *perRequest) keep(r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results.put(r, s.config.ResultLimit)
}

func (s *perRequest) setSweep(a *alarm, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.place == 0 {
		s.sweeps.set(a, at)
	}
}

// ringAlarms runs when the timer of the sweeps fires.
func (s *perRequest) ringAlarms() {
	s.mu.Lock()
	s.sweeps.due = 0
	now := ticks()
	var due []*Pool
	for a := s.sweeps.pop(now); a != nil; a = s.sweeps.pop(now) {
		due = append(due, a.of.(*Pool))
	}
	s.sweeps.arm()
	s.mu.Unlock()
	for _, p := range due {
		p.lock()
		p.alarmLocked(now)
		p.unlock()
	}
}

// Done implements Source.
func (s *perRequest) Done(ctx context.Context) (Report, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	if t := taskOf(ctx); t != nil && t.pool.source == s {
		return Report{}, ErrSelfWait
	}
	s.close(dueOf(ctx))
	return s.ending.wait(ctx, &s.config, s.cut)
}

// close begins the end, unless it has begun, and has it come by the tick due.
func (s *perRequest) close(due int64) {
	s.mu.Lock()
	first := s.phase.Load() == phaseOpen
	if first {
		s.phase.Store(phaseClosing)
		if len(s.live) == 0 {
			s.overLocked()
		}
	}
	var pools []*Pool
	if first || due < s.ending.due {
		s.ending.due = due
		pools = s.liveLocked()
	}
	s.mu.Unlock()
	for _, p := range pools {
		p.close(due)
	}
}

// cut ends a Done whose time is up. The first caller does it.
func (s *perRequest) cut(cause error) {
	s.mu.Lock()
	if s.phase.Load() != phaseClosing {
		s.mu.Unlock()
		return
	}
	s.phase.Store(phaseClosed)
	s.ending.cause = cause
	pools := s.liveLocked()
	s.mu.Unlock()
	var cuts sync.WaitGroup
	for _, p := range pools {
		cuts.Go(func() {
			p.close(endless) // if its turn has not come yet
			p.cut(cause)
		})
	}
	cuts.Wait()
}

func (s *perRequest) liveLocked() []*Pool { return slices.Collect(maps.Keys(s.live)) }

func (s *perRequest) overLocked() {
	s.phase.Store(phaseClosed)
	s.results.report(&s.ending.report, &s.fates, new(tally[uint64]))
	s.sweeps.end()
	s.ending.concludeLocked()
}
