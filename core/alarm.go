package taskpool

import (
	"cmp"
	"container/heap"
	"time"
)

// An alarm is a moment that is waited for: the end of a delay, the next run of a
// job, a lane's next start, the sweep.
type alarm struct {
	at    int64 // ticks
	turn  int64 // among those of the same moment: first set, first rung
	place int   // in the heap, from 1; 0 if it is not set
	of    interface{ alarmLocked(now int64) }
}

func (a *alarm) compare(b *alarm) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.turn, b.turn))
}

// Alarms are all of one owner's, a pool's or those of the sweeps of the pools of a
// PerRequest: they stand in one heap and share one timer, which is armed only
// while there are any. The owner's lock protects them.
type alarms struct {
	owner interface{ ringAlarms() } // called when the timer fires
	heap  alarmHeap
	timer *time.Timer
	turns int64 // how many were set
	due   int64 // ticks at which the timer will fire; 0 if it is not armed
	ended bool  // nothing is to ring any more
}

// set sets an alarm, or sets it anew.
func (t *alarms) set(a *alarm, at int64) {
	t.turns++
	a.at, a.turn = at, t.turns
	if a.place == 0 {
		heap.Push(&t.heap, a)
	} else {
		heap.Fix(&t.heap, a.place-1)
	}
	t.arm()
}

// stop takes an alarm back. A timer that nothing waits for any more is stopped:
// it would keep a pool alive that was dropped.
func (t *alarms) stop(a *alarm) {
	if a.place == 0 {
		return
	}
	heap.Remove(&t.heap, a.place-1)
	if len(t.heap) == 0 {
		t.disarm()
	}
}

// pop takes the first alarm out that is due, if there is one.
func (t *alarms) pop(now int64) *alarm {
	if len(t.heap) == 0 || t.heap[0].at > now {
		return nil
	}
	return heap.Pop(&t.heap).(*alarm)
}

// arm has the timer fire no later than the first alarm. One that fires too
// early is cheaper than stopping it for each alarm that is taken back.
func (t *alarms) arm() {
	if len(t.heap) == 0 || t.ended || t.due != 0 && t.due <= t.heap[0].at {
		return
	}
	t.due = t.heap[0].at
	wait := max(time.Duration(t.due-ticks()), 0)
	if t.timer == nil {
		t.timer = time.AfterFunc(wait, t.owner.ringAlarms)
	} else {
		t.timer.Reset(wait)
	}
}

func (t *alarms) disarm() {
	if t.timer != nil {
		t.timer.Stop()
	}
	t.due = 0
}

// end silences the alarms for good.
func (t *alarms) end() {
	t.ended = true
	t.disarm()
}

// ringAlarms runs when the timer fires.
func (p *Pool) ringAlarms() {
	p.lock()
	p.alarms.due = 0
	now := ticks()
	for a := p.alarms.pop(now); a != nil; a = p.alarms.pop(now) {
		a.of.alarmLocked(now)
	}
	p.alarms.arm()
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
