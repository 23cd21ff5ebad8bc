package taskpool

import "iter"

const (
	smallSlots = 4   // the room in a line, and in a small chunk: what most scopes need
	largeSlots = 124 // makes a large chunk, and the header that the allocator adds, fill its class of 2048 bytes

	// Small chunks are allocated several at once, so that a scope that stages costs
	// no allocation but its own. Each of the spare ones may keep its whole batch. The
	// first comes alone: a pool that is made for a request may need no other.
	smallBatch  = 8
	spareChunks = 64 // of each size, what a pool keeps for reuse
)

// A fifo is a first-in-first-out queue of slots, in chunks that it borrows from
// the pool: it has none while it is empty. Slots are zeroed when they are popped,
// so that a queue keeps nothing alive.
type fifo struct {
	head, tail *chunk
	size       int32
	from, to   uint8 // where the oldest is in head, and the first free slot in tail
}

type chunk struct {
	next   *chunk
	since  int64 // ticks at which the first that had to wait came into it, about; 0 if none had to
	claims claims
	mixed  bool   // not all that came into it are plain tasks
	used   bool   // at an outlet: a slot of it may be claimed and not yet read
	slots  []slot // the room behind it
}

type smallChunk struct {
	chunk
	room [smallSlots]slot
}

type largeChunk struct {
	chunk
	room [largeSlots]slot
}

// A spare has the free lists of a pool's chunks.
type spare struct {
	small, large chunkList
	batched      bool // the first small chunk was made
}

type chunkList struct {
	head  *chunk
	count int
}

func (l *chunkList) push(c *chunk) {
	c.next = l.head
	l.head = c
	l.count++
}

func (l *chunkList) pop() *chunk {
	c := l.head
	l.head = c.next
	l.count--
	c.next, c.since, c.mixed = nil, 0, false
	return c
}

// get is a chunk with room for a few slots, or for many.
func (s *spare) get(small bool) *chunk {
	switch {
	case small && s.small.head == nil:
		if !s.batched {
			s.batched = true
			s.add(new(smallChunk))
		} else {
			batch := new([smallBatch]smallChunk)
			for i := range batch {
				s.add(&batch[i])
			}
		}
		fallthrough
	case small:
		return s.small.pop()
	case s.large.head == nil:
		c := new(largeChunk)
		c.slots = c.room[:]
		return &c.chunk
	}
	return s.large.pop()
}

func (s *spare) add(c *smallChunk) {
	c.slots = c.room[:]
	s.small.push(&c.chunk)
}

func (s *spare) put(c *chunk) {
	l := &s.large
	if len(c.slots) == smallSlots {
		l = &s.small
	}
	if l.count < spareChunks && !c.used {
		l.push(c)
	}
}

// push appends a slot. If it will have to wait, the clock is read, but only once
// for a chunk.
func (q *fifo) push(s slot, free *spare, waits bool) {
	c := q.tail
	if c == nil || int(q.to) == len(c.slots) {
		c = free.get(q.size < smallSlots)
		if q.tail == nil {
			q.head = c
		} else {
			q.tail.next = c
		}
		q.tail, q.to = c, 0
	}
	if waits && c.since == 0 {
		c.since = ticks()
	}
	c.slots[q.to] = s
	q.to++
	q.size++
	if _, plain := s.(Task); !plain {
		c.mixed = true
	}
}

// pop takes the oldest slot of a queue that is not empty.
func (q *fifo) pop(free *spare) slot {
	c := q.head
	s := c.slots[q.from]
	c.slots[q.from] = nil
	q.from++
	q.size--
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
	case int(q.from) == len(q.head.slots):
		c := q.head
		q.head, q.from = c.next, 0
		c.next = nil // who still holds c, as a spare one of its batch does, must not hold all that came after it
	default:
		return false
	}
	return true
}

func (q *fifo) all() iter.Seq[slot] {
	return func(yield func(slot) bool) {
		from := q.from
		for c := q.head; c != nil; c = c.next {
			to := uint8(len(c.slots))
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
// for one priority. A few slots have their place in it: what is written by who
// adds and read by a worker had better not be reused by others at once, as chunks
// are, for it then goes from one processor's cache to another's each time.
type line struct {
	scope       *scope // nil for a lane's
	lane        *lane  // nil for a scope's
	next        *line
	inline      [smallSlots]slot // a ring; they are older than the overflow
	since       [2]int64         // ticks at which the first that waits came in this round of inline and in the one before; 0 if none
	read, count uint8            // of inline: where the oldest is, and how many
	level       level
	queued      bool // in the ring
	overflow    fifo
}

func (l *line) size() int { return int(l.count) + int(l.overflow.size) }

// push appends a slot. If it will have to wait, the clock is read, but only once
// for a round of inline, or for a chunk.
func (l *line) push(s slot, free *spare, waits bool) {
	if l.overflow.size > 0 || l.count == smallSlots {
		l.overflow.push(s, free, waits)
		return
	}
	i := (l.read + l.count) % smallSlots
	if i == 0 {
		l.since[1], l.since[0] = l.since[0], 0
	}
	if waits && l.since[0] == 0 {
		l.since[0] = ticks()
	}
	l.inline[i] = s
	l.count++
}

// pop takes the oldest slot of a line that is not empty.
func (l *line) pop(free *spare) slot {
	if l.count == 0 {
		return l.overflow.pop(free)
	}
	s := l.inline[l.read]
	l.inline[l.read] = nil
	l.count--
	if l.read++; l.read == smallSlots || l.count == 0 {
		l.read = 0
	}
	return s
}

// oldest is the tick at which the head of the line began to wait, about; 0 if
// that is not known because it hardly waits.
func (l *line) oldest() int64 {
	switch {
	case l.count == 0 && l.overflow.size > 0:
		return l.overflow.head.since
	case l.read+l.count > smallSlots:
		return l.since[1] // it is of the round before
	}
	return l.since[0]
}

func (l *line) all() iter.Seq[slot] {
	return func(yield func(slot) bool) {
		for i := range l.count {
			if !yield(l.inline[(l.read+i)%smallSlots]) {
				return
			}
		}
		l.overflow.all()(yield)
	}
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

// Rings are the rings of all priorities. A higher one goes first, but after so many
// starts of others the turn is that of a lower one in which something waits. It
// keeps its turn until something of it starts: what waits in a lane that has no room
// at that moment would else be passed over for ever, if the lane never has room when
// the turn comes.
type rings struct {
	of     [levels]ring
	passed [levels]uint8 // how many others have started since the last one of it did
	used   uint8         // a bit for each of them that is not empty
}

// mostPassed is how many starts pass over a priority in which something waits.
var mostPassed = [levels]uint8{high: 255, normal: 15, low: 63}

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
	if r.due(low, 0) || r.due(normal, 0) && r.due(low, 1) { // one turn: two in a row would pass over High twice
		return low
	}
	if r.due(normal, 0) {
		return normal
	}
	first := high
	for r.used&(1<<first) == 0 {
		first++
	}
	return first
}

// due reports whether it is the turn of a priority when so many more have started.
func (r *rings) due(of level, more uint8) bool {
	return r.used&(1<<of) != 0 && r.passed[of]+more >= mostPassed[of]
}

// started counts a start; that a priority was looked at is none. The turn of a low
// one is that of those above it, too, unless all that waits there has no room.
func (r *rings) started(one level) {
	r.passed[one] = 0
	if others := r.used &^ (1 << one); others != 0 {
		r.passOver(one, others)
	}
}

func (r *rings) passOver(one level, others uint8) {
	for of := range level(levels) {
		switch {
		case others&(1<<of) == 0:
		case of < one:
			r.passed[of] = 0
		case r.passed[of] < mostPassed[of]:
			r.passed[of]++
		}
	}
}

// pop takes one slot from the line whose turn it is; nil if what is there is in
// lanes that may start nothing now.
func (r *rings) pop(free *spare) (*scope, slot) {
	for !r.empty() {
		level := normal
		if r.used != 1<<normal { // as it mostly is
			level = r.choose()
		}
		from := &r.of[level]
		l := from.head
		if l.lane != nil && l.lane.blockedLocked() {
			r.remove(level) // the lane puts it back
			continue
		}
		s := l.pop(free)
		if l.size() == 0 {
			r.remove(level)
		} else if from.head != from.tail { // alone it stays: it is its turn again
			from.push(from.pop())
		}
		r.started(level)
		if l.lane == nil {
			return l.scope, s
		}
		return s.(*job).scope, s
	}
	return nil, nil
}
