package taskpool

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/elite-libs/taskpool/core/internal/pace"
)

// Block is what keeps the next task of a lane from starting.
type Block uint8

// What keeps a lane's next task from starting.
const (
	BlockNone     Block = iota // nothing but that no worker is free
	BlockLimit                 // as many run as Lane.Limit allows
	BlockRate                  // as many have started as Lane.Rate allows
	BlockHint                  // nothing remains of what an API allows
	BlockRefusal               // an API has refused a call
	BlockProbe                 // the answer to a call that goes first is awaited
	BlockLearned               // the pace that was learned from refusals
	BlockParallel              // as many run as was learned from refusals
)

var blockNames = [...]string{"none", "limit", "rate", "hint", "refusal", "probe", "learned", "parallel"}

var blockOf = [...]Block{
	pace.Nothing: BlockNone, pace.Quota: BlockHint, pace.Refused: BlockRefusal,
	pace.Probe: BlockProbe, pace.Learned: BlockLearned, pace.AtOnce: BlockParallel,
}

// String names it, such as "limit".
func (b Block) String() string { return enumName("Block", blockNames[:], int(b)) }

// MarshalText gives the same text as String; an unknown value is an error.
func (b Block) MarshalText() ([]byte, error) { return enumText("Block", blockNames[:], int(b)) }

// LaneStats are a lane's numbers at one moment.
type LaneStats struct {
	Name    string
	Lane    Lane      // its limits, as configured; Queue is what it comes to
	Waiting int       // tasks that wait for room in it; not those that are staged, delayed, or wait for another run
	Running int       // tasks that run
	Refused uint64    // calls, of which Throttle was told since the lane was made
	Block   Block     // what keeps the next one from starting
	Until   time.Time // when that ends; zero if nothing does, or the end or the answer of a running task is what it waits for

	Hints  []RateLimit // what Throttle was told and still holds
	PerSec float64     // starts in a second, as learned from refusals; 0 is any number
	AtOnce int         // tasks that run at once, as learned from refusals; 0 is any number
}

// Lanes returns the numbers of all lanes that there are, by name. Those in
// Config.Lanes are always there; another is while something of it waits or runs,
// or something is known that would hold it. Each lane's numbers are of one moment,
// and not all of the same: with many lanes the pool is unlocked now and then.
func (p *Pool) Lanes() []LaneStats {
	if !p.made() {
		return nil
	}
	const atOnce = 256
	var all []LaneStats
	p.lock()
	// From the end, so that a lane that leaves meanwhile has one that was seen take
	// its place: that is then there twice, and none is missed.
	for i := len(p.laneList) - 1; i >= 0; i-- {
		if len(all)%atOnce == atOnce-1 {
			p.mu.Unlock()
			p.lock()
			i = min(i, len(p.laneList)-1)
			if i < 0 {
				break
			}
		}
		all = append(all, p.laneList[i].statsLocked())
	}
	p.mu.Unlock()
	slices.SortStableFunc(all, func(a, b LaneStats) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b LaneStats) bool { return a.Name == b.Name })
}

func (l *lane) statsLocked() LaneStats {
	s := LaneStats{Name: l.name, Lane: l.Lane, Waiting: l.waiting, Running: l.running, Refused: l.refused}
	now, at := ticks(), time.Now()
	when := func(tick int64) time.Time {
		if tick == 0 || tick == pace.Never {
			return time.Time{}
		}
		return at.Add(time.Duration(tick - now))
	}
	b, until := l.blockLocked()
	if s.Block = b; b != BlockNone {
		s.Until = when(until)
	}
	if l.pace == nil {
		return s
	}
	for _, q := range l.pace.Quotas(now) {
		s.Hints = append(s.Hints, RateLimit{Name: q.Name, Limit: q.Limit, Remaining: q.Remaining, Reset: when(q.Reset), Per: time.Duration(q.Per)})
	}
	s.PerSec, s.AtOnce = l.pace.Learned()
	return s
}

// agedLocked notes that the oldest waiting task of a lane may be another one, so
// that Stats need not look at all lanes.
func (p *Pool) agedLocked(l *lane) {
	var since int64
	for i := range l.lines {
		if line := &l.lines[i]; line.size() > 0 {
			if t := line.oldest(); since == 0 || t < since {
				since = t
			}
		}
	}
	switch {
	case since == l.since:
	case since == 0:
		heap.Remove(&p.oldest, l.place)
		l.since = 0
	case l.since == 0:
		l.since = since
		heap.Push(&p.oldest, l)
	default:
		l.since = since
		heap.Fix(&p.oldest, l.place)
	}
}

// oldestInLanesLocked is when the oldest task that waits in a lane began to, about; 0
// if none waits.
func (p *Pool) oldestInLanesLocked() int64 {
	if len(p.oldest) == 0 {
		return 0
	}
	return p.oldest[0].since
}

// A laneHeap has the lane first whose task waits longest; it implements heap.Interface.
type laneHeap []*lane

func (h laneHeap) Len() int           { return len(h) }
func (h laneHeap) Less(i, j int) bool { return h[i].since < h[j].since }

func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.place = len(*h)
	*h = append(*h, l)
}

func (h *laneHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}
