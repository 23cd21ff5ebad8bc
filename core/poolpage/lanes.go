package poolpage

import (
	"cmp"
	"slices"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// lane is what is shown of a lane.
type lane struct {
	Name    string         `json:"name"`
	Running int            `json:"running"`
	Waiting int            `json:"waiting"`
	Block   taskpool.Block `json:"block"`           // why its next task does not start
	Until   *time.Time     `json:"until,omitempty"` // when that ends
	Limit   int            `json:"limit,omitempty"` // tasks at once, as configured
	Rate    int            `json:"rate,omitempty"`  // starts in per seconds, as configured
	Per     float64        `json:"per,omitempty"`
	Queue   int            `json:"queue,omitempty"`   // tasks that may wait
	Refused uint64         `json:"refused"`           // calls, by the API
	Said    []said         `json:"said,omitempty"`    // what of the API's answers still holds
	AtOnce  int            `json:"at_once,omitempty"` // tasks at once, as learned from refusals
	PerSec  float64        `json:"per_sec,omitempty"` // starts in a second, as learned
}

// said is what an API said of one of its limits.
type said struct {
	Name      string     `json:"name,omitempty"`
	Limit     int        `json:"limit,omitempty"`
	Remaining int        `json:"remaining"`
	Reset     *time.Time `json:"reset,omitempty"`
	Per       float64    `json:"per,omitempty"`
}

const lanesWithin = 100 * time.Millisecond // how long a picture waits for its lanes

// lanes are those of a pool as they were last read. There may be a lane for each tenant, and reading hundreds of thousands
// takes a second or two: it is done on a goroutine of its own, only while somebody looks, and then not again until it
// was left alone for much longer than it had taken.
type lanes struct {
	of func() []taskpool.LaneStats

	mu      sync.Mutex    // protects what follows
	reading chan struct{} // closed when they are read; nil if they are not being read
	took    time.Duration
	read    time.Time // zero if they were not yet
	busiest []lane
	all     int
}

// refresh has the lanes read, unless they were left alone for too short a time, and waits for that, but not for long: then
// what was read before is shown again.
func (l *lanes) refresh(now time.Time) {
	l.mu.Lock()
	if l.reading == nil {
		if now.Sub(l.read) < rest*l.took {
			l.mu.Unlock()
			return
		}
		l.reading = make(chan struct{})
		go l.readNow(l.reading)
	}
	read := l.reading
	l.mu.Unlock()
	t := time.NewTimer(lanesWithin)
	defer t.Stop()
	select {
	case <-read:
	case <-t.C:
	}
}

func (l *lanes) readNow(read chan struct{}) {
	defer close(read)
	begun := time.Now()
	stats := l.of()
	slices.SortFunc(stats, func(a, b taskpool.LaneStats) int {
		return cmp.Or(cmp.Compare(b.Waiting, a.Waiting), cmp.Compare(b.Running, a.Running), cmp.Compare(b.Refused, a.Refused), cmp.Compare(a.Name, b.Name))
	})
	busiest := []lane{}
	for _, s := range stats[:min(len(stats), listed)] {
		busiest = append(busiest, laneOf(s))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busiest, l.all, l.read = busiest, len(stats), time.Now()
	l.reading, l.took = nil, l.read.Sub(begun)
}

// view gives those lanes of which most waits, how many there are, and when they were read.
func (l *lanes) view() (busiest []lane, all int, read time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busiest, l.all, l.read
}

func laneOf(s taskpool.LaneStats) lane {
	l := lane{
		Name: s.Name, Running: s.Running, Waiting: s.Waiting, Block: s.Block, Until: at(s.Until), Limit: max(s.Lane.Limit, 0), Queue: max(s.Lane.Queue, 0),
		Refused: s.Refused, AtOnce: s.AtOnce, PerSec: s.PerSec,
	}
	if s.Lane.Rate > 0 && s.Lane.Per > 0 {
		l.Rate, l.Per = s.Lane.Rate, s.Lane.Per.Seconds()
	}
	for _, h := range s.Hints {
		l.Said = append(l.Said, said{h.Name, h.Limit, h.Remaining, at(h.Reset), h.Per.Seconds()})
	}
	return l
}

// at is a time as JSON has it, which leaves a zero one out.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
