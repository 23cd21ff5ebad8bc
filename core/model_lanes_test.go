package taskpool_test

import (
	"time"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/internal/pace"
)

// A laneModel is a lane without a pool. What it is told of an API is weighed by the
// same arithmetic, which has tests of its own: here it is that a pool heeds it.
type laneModel struct {
	line
	taskpool.Lane
	configured bool
	running    int
	starts     []time.Time
	pace       *pace.Pace
}

// lane is the lane that the task waits and runs in, or nil.
func (m *model) lane(e *entry) *laneModel {
	if e.job.Lane == "" {
		return nil
	}
	l := m.lanes[e.job.Lane]
	if l == nil {
		l = new(laneModel)
		m.lanes[e.job.Lane] = l
	}
	return l
}

// inLane is how many tasks count in the lane's share of the queue limit.
func (m *model) inLane(name string) (n int) {
	for _, e := range m.tasks {
		if e.job.Lane == name && (e.state == isQueued || e.state == isStaged || e.state == isDelayed || e.state == isRetrying) {
			n++
		}
	}
	return n
}

func (l *laneModel) paced() bool { return l.Rate > 0 && l.Per > 0 }

// blocked: nothing of the lane may start now.
func (l *laneModel) blocked(now time.Time) bool {
	n := len(l.starts) - l.Rate
	switch {
	case l.Limit > 0 && l.running >= l.Limit:
		return true
	case l.paced() && n >= 0 && now.Before(l.starts[n].Add(l.Per)):
		return true
	case l.pace == nil:
		return false
	}
	at, _ := l.pace.Next(now.UnixNano())
	return at > now.UnixNano()
}

// free is when the lane is not blocked any more, if time alone does that.
func (l *laneModel) free(now time.Time) (at time.Time) {
	if n := len(l.starts) - l.Rate; l.paced() && n >= 0 {
		at = l.starts[n].Add(l.Per)
	}
	if l.pace != nil {
		if tick, _ := l.pace.Next(now.UnixNano()); tick != pace.Never && tick > at.UnixNano() {
			at = time.Unix(0, tick)
		}
	}
	return at
}

// waits has the lane take in that tasks wait for its pace.
func (l *laneModel) waits(now time.Time) {
	if len(l.tasks) > 0 && l.pace != nil && l.blocked(now) && (l.Limit == 0 || l.running < l.Limit) {
		l.pace.Waits(now.UnixNano())
	}
}

// start is that of a task of the lane.
func (l *laneModel) start(e *entry, now time.Time) {
	l.blocked(now)
	l.running++
	e.told, e.refused = time.Time{}, false
	l.starts = append(l.starts, now)
	e.beside = l.running
	if l.pace != nil {
		e.beside = l.pace.Started(now.UnixNano())
	}
}

// end is that of a run.
func (l *laneModel) end(e *entry, now time.Time) {
	l.running--
	if l.pace != nil {
		l.pace.Ended(now.UnixNano(), e.started.UnixNano(), e.beside, !e.told.IsZero())
	}
}

// giveUpHeld gives up what waits in lanes that are held for longer than Done has
// time, while nothing of theirs runs.
func (m *model) giveUpHeld() {
	for _, l := range m.lanes {
		if l.running == 0 && m.misses(l.free(m.now)) {
			for _, e := range l.tasks {
				m.giveUp(e)
			}
		}
	}
}

// throttle is Throttle in a running task of the lane.
func (l *laneModel) throttle(e *entry, r taskpool.RateLimit, now time.Time) {
	if l.pace == nil {
		l.pace = pace.Begin(now.UnixNano(), l.running)
	}
	h := pace.Hint{Limit: r.Limit, Remaining: r.Remaining, Told: !r.Refused, Reset: r.Reset.UnixNano(), Refused: r.Refused, Asked: e.started.UnixNano()}
	if !e.told.IsZero() {
		h.Asked = e.told.UnixNano() + 1
	}
	if l.pace.Answered(now.UnixNano(), e.beside, e.told.IsZero(), h) {
		e.refused = true
	}
	e.told = now
}

// forget has a lane that nobody configured forget what no longer holds, once nothing
// is left of it.
func (m *model) forget(name string, l *laneModel) {
	if l.configured || l.pace == nil || l.running+m.inLane(name) > 0 || l.pace.Until() > m.now.UnixNano() {
		return
	}
	l.pace = nil
}
