package taskpool

import "time"

// Stats are a pool's numbers at one moment. At every moment
//
//	Accepted = Running + Queued + Staged + Delayed + Retrying +
//		Succeeded + Failed + Panicked + Discarded + Canceled + Abandoned
type Stats struct {
	Workers  int // how many tasks may run at once
	Running  int // tasks that run, those included that wait for others while their worker runs these
	Queued   int // tasks that wait for a worker, or for room in their lane
	Staged   int // tasks that wait for a response to be sent
	Delayed  int // tasks that wait for their delay
	Retrying int // tasks that wait for their next run

	Overrun int // of the running ones, those that have run for a second longer than their timeout

	// Counts since the pool was made.
	Accepted, Succeeded, Failed, Panicked, Discarded, Canceled, Abandoned uint64
	Refused                                                               uint64 // tasks that were not accepted; in no other number
	Retried                                                               uint64 // runs that failed and were to be followed by another; in no other number

	// Oldest is about how long the oldest queued task has waited; 0 if none does.
	Oldest time.Duration
}

// Stats returns the pool's numbers, all of the same moment. It locks the pool
// while it looks at the scopes and lanes that have tasks for a free worker.
func (p *Pool) Stats() Stats {
	if !p.made() {
		return Stats{}
	}
	p.lock()
	defer p.mu.Unlock()
	return p.statsLocked()
}

func (p *Pool) statsLocked() Stats {
	p.takeInLocked()
	var since int64
	look := func(l *line) {
		if t := l.oldest(); t != 0 && l.size() > 0 && (since == 0 || t < since) {
			since = t
		}
	}
	for i := range p.rings.of {
		for l := p.rings.of[i].head; l != nil; l = l.next {
			look(l)
		}
	}
	if t := p.oldestInLanesLocked(); t != 0 && (since == 0 || t < since) { // a blocked lane is in no ring
		since = t
	}
	s := Stats{
		Workers: p.workers, Running: p.running, Queued: p.queued, Staged: p.staged,
		Delayed: p.delayed, Retrying: p.retrying, Overrun: p.overrun,
		Accepted: p.accepted, Refused: p.refused, Retried: p.retried,
		Succeeded: p.fates[FateSucceeded], Failed: p.fates[FateFailed], Panicked: p.fates[FatePanicked],
		Discarded: p.fates[FateDiscarded], Canceled: p.fates[FateCanceled], Abandoned: p.fates[FateAbandoned],
	}
	if since != 0 {
		s.Oldest = time.Duration(ticks() - since)
	}
	return s
}
