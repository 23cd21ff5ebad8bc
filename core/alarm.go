package taskpool

import (
	"cmp"
	"container/heap"
	"time"
)

// An alarm is a moment that a pool waits for: a delay, the wait before a retry,
// a lane's next start, the sweep. All of a pool's alarms stand in one heap and
// share one timer, which is armed only while there are any.
type alarm struct {
	at    int64 // ticks
	turn  int64 // among those of the same moment: first set, first rung
	place int   // in the heap, from 1; 0 if it is not set
	job   *job  // whose alarm it is; the pool's, for the sweep, if both are nil
	lane  *lane
}

func (a *alarm) compare(b *alarm) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.turn, b.turn))
}

type alarms struct {
	heap  alarmHeap
	timer *time.Timer
	turns int64 // how many were set
	due   int64 // ticks at which the timer will fire; 0 if it is not armed
}

// setAlarmLocked sets an alarm, or sets it anew.
func (p *Pool) setAlarmLocked(a *alarm, at int64) {
	p.alarms.turns++
	a.at, a.turn = at, p.alarms.turns
	if a.place == 0 {
		heap.Push(&p.alarms.heap, a)
	} else {
		heap.Fix(&p.alarms.heap, a.place-1)
	}
	p.armLocked()
}

// stopAlarmLocked takes an alarm back. A timer that nothing waits for any more
// is stopped: it would keep a pool alive that was dropped.
func (p *Pool) stopAlarmLocked(a *alarm) {
	if a.place == 0 {
		return
	}
	heap.Remove(&p.alarms.heap, a.place-1)
	if len(p.alarms.heap) == 0 {
		p.disarmLocked()
	}
}

func (p *Pool) disarmLocked() {
	if p.alarms.timer != nil {
		p.alarms.timer.Stop()
	}
	p.alarms.due = 0
}

// armLocked has the timer fire no later than the first alarm. One that fires too
// early is cheaper than stopping it for each alarm that is taken back.
func (p *Pool) armLocked() {
	t := &p.alarms
	if len(t.heap) == 0 || p.over || t.due != 0 && t.due <= t.heap[0].at {
		return
	}
	t.due = t.heap[0].at
	wait := max(time.Duration(t.due-ticks()), 0)
	if t.timer == nil {
		t.timer = time.AfterFunc(wait, p.ringAlarms)
	} else {
		t.timer.Reset(wait)
	}
}

// ringAlarms runs when the timer fires.
func (p *Pool) ringAlarms() {
	p.mu.Lock()
	p.alarms.due = 0
	now := ticks()
	for len(p.alarms.heap) > 0 && p.alarms.heap[0].at <= now {
		a := p.alarms.heap[0]
		heap.Pop(&p.alarms.heap)
		switch {
		case a.job != nil:
			a.job.alarmLocked()
		case a.lane != nil:
			p.wakeLaneLocked(a.lane)
		default:
			p.sweepLocked(now)
		}
	}
	p.armLocked()
	p.unlock()
}

// An alarmHeap has the earliest alarm first; it implements heap.Interface.
type alarmHeap []*alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].compare(h[j]) < 0 }

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h *alarmHeap) Push(x any) {
	a := x.(*alarm)
	*h = append(*h, a)
	a.place = len(*h)
}

func (h *alarmHeap) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	a.place = 0
	return a
}
