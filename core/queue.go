package taskpool

import "iter"

const (
	inlineSlots = 4  // what a scope holds without a further allocation
	chunkSlots  = 61 // makes a chunk, and the header that the allocator adds, fill its class of 1024 bytes
	spareChunks = 64 // what a pool keeps for reuse
)

// A fifo is a first-in-first-out queue of slots: a few inline, then chunks.
// Slots are zeroed when they are popped, so that a queue keeps nothing alive.
type fifo struct {
	inline     [inlineSlots]slot
	read, held uint8    // of inline: where the oldest is, and how many
	from, to   uint8    // where the oldest is in head, and the first free slot in tail
	size       int      // all slots
	since      [2]int64 // ticks at which the first that waits came in this round of inline, and in the one before; 0 if none does
	head, tail *chunk
}

type chunk struct {
	next   *chunk
	since  int64 // ticks at which its first slot was filled
	claims claims
	mixed  bool // not all that came into it are plain tasks
	used   bool // at an outlet: a slot of it may be claimed and not yet read
	slots  [chunkSlots]slot
}

// A spare is the free list of a pool's chunks.
type spare struct {
	list  *chunk
	count int
}

func (s *spare) get() *chunk {
	c := s.list
	if c == nil {
		c = new(chunk)
	} else {
		s.list = c.next
		s.count--
		c.next, c.mixed = nil, false
	}
	c.since = ticks()
	return c
}

func (s *spare) put(c *chunk) {
	if s.count == spareChunks || c.used {
		return
	}
	c.next = s.list
	s.list = c
	s.count++
}

// push appends a slot. If it will have to wait, the clock is read, but only once
// for a round of the inline slots, and once for a chunk.
func (q *fifo) push(s slot, free *spare, waits bool) {
	q.size++
	if q.tail == nil {
		if q.held < inlineSlots {
			i := (q.read + q.held) % inlineSlots
			if i == 0 {
				q.since[1], q.since[0] = q.since[0], 0
			}
			if waits && q.since[0] == 0 {
				q.since[0] = ticks()
			}
			q.inline[i] = s
			q.held++
			return
		}
		q.tail = free.get()
		q.head = q.tail
	} else if q.to == chunkSlots {
		c := free.get()
		q.tail.next = c
		q.tail, q.to = c, 0
	}
	q.tail.slots[q.to] = s
	q.to++
	if _, plain := s.(Task); !plain {
		q.tail.mixed = true
	}
}

// pop takes the oldest slot of a queue that is not empty. What is inline is
// older than what is in chunks: push goes inline only when there are none.
func (q *fifo) pop(free *spare) slot {
	q.size--
	if q.held > 0 {
		s := q.inline[q.read]
		q.inline[q.read] = nil
		q.held--
		if q.read++; q.read == inlineSlots || q.held == 0 {
			q.read = 0
		}
		return s
	}
	c := q.head
	s := c.slots[q.from]
	c.slots[q.from] = nil
	q.from++
	if q.skipped() {
		free.put(c)
	}
	return s
}

// skipped leaves the first chunk behind if nothing is left in it.
func (q *fifo) skipped() bool {
	switch {
	case q.size == 0:
		q.head, q.tail, q.from, q.to = nil, nil, 0, 0
	case q.from == chunkSlots:
		q.head, q.from = q.head.next, 0
	default:
		return false
	}
	return true
}

// oldest is the tick at which the head of the queue began to wait, about; 0 if
// that is not known because it hardly waits.
func (q *fifo) oldest() int64 {
	switch {
	case q.held == 0 && q.head != nil:
		return q.head.since
	case q.read+q.held > inlineSlots:
		return q.since[1] // it is of the round before
	}
	return q.since[0]
}

func (q *fifo) all() iter.Seq[slot] {
	return func(yield func(slot) bool) {
		for i := range q.held {
			if !yield(q.inline[(q.read+i)%inlineSlots]) {
				return
			}
		}
		from := q.from
		for c := q.head; c != nil; c = c.next {
			to := uint8(chunkSlots)
			if c == q.tail {
				to = q.to
			}
			for _, s := range c.slots[from:to] {
				if !yield(s) {
					return
				}
			}
			from = 0
		}
	}
}

// A line is a queue that takes turns in a ring: that of a scope, or of a lane,
// for one priority.
type line struct {
	scope  *scope // nil for a lane's
	lane   *lane  // nil for a scope's
	tasks  fifo
	next   *line
	level  level
	queued bool // in the ring
}

// A level is a Priority as an index, the highest first.
type level uint8

const (
	high level = iota
	normal
	low
	levels = 3
)

// A ring is the lines of one priority that have something to run. Each gets one
// task per turn, so that a small scope does not wait behind a large one.
type ring struct{ head, tail *line }

func (r *ring) push(l *line) {
	if r.tail == nil {
		r.head = l
	} else {
		r.tail.next = l
	}
	r.tail = l
}

func (r *ring) pop() *line {
	l := r.head
	r.head = l.next
	if r.head == nil {
		r.tail = nil
	} else {
		l.next = nil
	}
	return l
}

// Rings are the rings of all priorities. A higher one goes first, but of every
// 16 turns one starts at Normal, and of every 64 one at Low, so that nothing
// starves.
type rings struct {
	of   [levels]ring
	used uint8 // a bit for each of them that is not empty
	turn uint8
}

func (r *rings) empty() bool { return r.used == 0 }

// only reports whether there is no other line than one of Normal.
func (r *rings) only(l *line) bool {
	of := &r.of[normal]
	return r.used == 1<<normal && of.head == l && of.tail == l
}

func (r *rings) push(l *line) {
	l.queued = true
	r.of[l.level].push(l)
	r.used |= 1 << l.level
}

// remove takes the first line out of a ring.
func (r *rings) remove(from level) {
	r.of[from].pop().queued = false
	if r.of[from].head == nil {
		r.used &^= 1 << from
	}
}

// choose is the ring whose turn it is. They are not all empty.
func (r *rings) choose() level {
	r.turn++
	if r.used == 1<<normal {
		return normal
	}
	first := high
	switch {
	case r.turn%64 == 0:
		first = low
	case r.turn%16 == 0:
		first = normal
	}
	for r.used&(1<<first) == 0 {
		first = (first + 1) % levels
	}
	return first
}

// pop takes one slot from the line whose turn it is; nil if what is there is in
// lanes that may start nothing now.
func (r *rings) pop(free *spare) (*scope, slot) {
	for !r.empty() {
		level := r.choose()
		from := &r.of[level]
		l := from.head
		if l.lane != nil && l.lane.blockedLocked() {
			r.remove(level) // the lane puts it back
			continue
		}
		s := l.tasks.pop(free)
		if l.tasks.size == 0 {
			r.remove(level)
		} else if from.head != from.tail { // alone it stays: it is its turn again
			from.push(from.pop())
		}
		if l.lane == nil {
			return l.scope, s
		}
		return s.(*job).scope, s
	}
	return nil, nil
}
