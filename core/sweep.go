package taskpool

// A scopeList is a list of scopes in the order in which they were put there,
// linked through them.
type scopeList struct{ head, tail *scope }

func (l *scopeList) push(s *scope) {
	s.prev, s.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = s
	} else {
		l.head = s
	}
	l.tail = s
}

func (l *scopeList) remove(s *scope) {
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		l.head = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		l.tail = s.prev
	}
	s.prev, s.next = nil, nil
}

// The sweep releases the scopes whose response nothing tells the end of: a
// client can withhold it. It is one alarm for the pool, among those of its
// PerRequest if it has one, set while a scope waits; the scopes stand in p.returned in the order in which they are due.
func (p *Pool) armSweepLocked(s *scope) {
	s.due = later(ticks(), p.config.Grace)
	p.setSweepLocked()
}

func (p *Pool) setSweepLocked() {
	first := p.returned.head
	switch {
	case first == nil:
	case p.source != nil:
		p.source.setSweep(&p.sweep, first.due)
	case p.sweep.place == 0:
		p.alarms.set(&p.sweep, first.due)
	}
}

// alarmLocked is the sweep.
func (p *Pool) alarmLocked(now int64) {
	for p.returned.head != nil && p.returned.head.due <= now {
		p.returned.head.sentLocked(ReleaseOverdue)
	}
	p.setSweepLocked()
}
