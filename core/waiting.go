package taskpool

import (
	"iter"
	"slices"
	"strings"
)

// A place is one task that waits, and what for.
type place struct {
	slot  slot
	scope *scope
	line  *line // that it is queued in; nil if it is not queued
	state State
	due   int64 // ticks at which a time ends its wait; 0 if none does
}

// placesLocked yields what waits, of one scope or, if that is nil, of all of the
// pool: first what is queued, in the order in which workers will take it; what is in
// a lane that may start nothing until one of its tasks ends; then what a time will
// let go, the earliest first; last what is staged. It takes nothing out.
func (p *Pool) placesLocked(of *scope) iter.Seq[place] {
	return func(yield func(place) bool) {
		v := &view{pool: p, of: of, yield: yield, closed: map[*lane]bool{}}
		_ = v.turns() && v.held() && v.timed() && v.staged()
	}
}

// A view is one walk over what waits. Its methods report whether to go on.
type view struct {
	pool   *Pool
	of     *scope
	yield  func(place) bool
	closed map[*lane]bool // of those that were looked at, whether they may start nothing now
}

// isClosed reports whether a lane may start nothing now; nil may. Lanes are asked when
// the walk comes to them: there may be many, and it ends early.
func (v *view) isClosed(l *lane) bool {
	if l == nil {
		return false
	}
	closed, known := v.closed[l]
	if !known {
		closed = l.blockedLocked()
		v.closed[l] = closed
	}
	return closed
}

// Turns are what one line of a ring has, as it gets its turns.
type turns struct {
	line *line
	left int
	next func() (slot, bool)
	stop func()
}

func (v *view) give(slot slot, l *line, state State, due int64) bool {
	at := place{slot, nil, l, state, due}
	switch j, ok := slot.(*job); {
	case ok && j.fate == FateDiscarded: // all that it waits for is that the hook is told
		return true
	case ok:
		at.scope = j.scope
	case l != nil:
		at.scope = l.scope
	default:
		at.scope = v.of
	}
	if _, ok := slot.(notice); ok || v.of != nil && at.scope != v.of {
		return true
	}
	return v.yield(at)
}

// turns does what rings.pop does, on lines that stay as they are. The lines of other
// scopes change nothing of the order among those of one.
func (v *view) turns() bool {
	var open []*turns
	defer func() {
		for _, t := range open {
			t.stop()
		}
	}()
	sim := rings{passed: v.pool.rings.passed}
	var fresh [levels]*line // from here on they have had no turn
	var again [levels][]*turns
	for i := range fresh {
		if fresh[i] = v.ours(v.pool.rings.of[i].head); fresh[i] != nil {
			sim.used |= 1 << i
		}
	}
	for !sim.empty() {
		at := sim.choose()
		var t *turns
		if l := fresh[at]; l != nil {
			t = &turns{line: l, left: l.size()}
			t.next, t.stop = iter.Pull(l.all())
			open, fresh[at] = append(open, t), v.ours(l.next)
		} else {
			t, again[at] = again[at][0], again[at][1:]
		}
		slot, _ := t.next()
		if t.left--; t.left > 0 {
			again[at] = append(again[at], t)
		}
		if !v.give(slot, t.line, StateQueued, 0) {
			return false
		}
		sim.started(at)
		if fresh[at] == nil && len(again[at]) == 0 {
			sim.used &^= 1 << at
		}
	}
	return true
}

// ours is the first line, from l on, that will have its turn and may have something
// of what is looked for.
func (v *view) ours(l *line) *line {
	for l != nil && (v.isClosed(l.lane) || v.of != nil && l.lane == nil && l.scope != v.of) {
		l = l.next
	}
	return l
}

// held gives what is in the lanes that no time opens again.
func (v *view) held() bool {
	var held []*lane
	for _, l := range v.pool.laneList {
		if l.alarm.place == 0 && l.waiting > 0 {
			held = append(held, l)
		}
	}
	slices.SortFunc(held, func(a, b *lane) int { return strings.Compare(a.name, b.name) })
	for _, l := range held {
		if !v.lane(l, 0) {
			return false
		}
	}
	return true
}

// lane gives what waits in a lane and has no turn.
func (v *view) lane(l *lane, due int64) bool {
	for i := range l.lines {
		if l.lines[i].queued && !v.isClosed(l) {
			continue
		}
		for slot := range l.lines[i].all() {
			if !v.give(slot, &l.lines[i], StateQueued, due) {
				return false
			}
		}
	}
	return true
}

// timed gives what an alarm will let go, in the order of the alarms. Of a heap it
// takes the first ones without looking at the rest.
func (v *view) timed() bool {
	heap := v.pool.alarms.heap
	next := []int{0} // places in the heap, the earliest alarm first
	if len(heap) == 0 {
		return true
	}
	for len(next) > 0 {
		i := next[0]
		next = next[1:]
		for child := 2*i + 1; child <= 2*i+2 && child < len(heap); child++ {
			at, _ := slices.BinarySearchFunc(next, heap[child], func(i int, a *alarm) int { return heap[i].compare(a) })
			next = slices.Insert(next, at, child)
		}
		on := true
		switch of := heap[i].of.(type) {
		case *lane:
			on = v.lane(of, heap[i].at)
		case *fullJob:
			switch of.waits {
			case waitsDelay:
				on = v.give(&of.job, nil, StateDelayed, heap[i].at)
			case waitsRetry:
				on = v.give(&of.job, nil, StateRetrying, heap[i].at)
			}
		}
		if !on {
			return false
		}
	}
	return true
}

// staged gives what waits for a response, of all requests those first whose handler
// has returned.
func (v *view) staged() bool {
	if v.of != nil {
		return v.stagedBy(v.of)
	}
	for _, l := range []*scopeList{&v.pool.returned, &v.pool.handling} {
		for s := l.head; s != nil; s = s.next {
			if !v.stagedBy(s) {
				return false
			}
		}
	}
	return true
}

func (v *view) stagedBy(s *scope) bool {
	for slot := range s.staged.all() {
		if !v.yield(place{slot: slot, scope: s, state: StateStaged}) {
			return false
		}
	}
	return true
}
