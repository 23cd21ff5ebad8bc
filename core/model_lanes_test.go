package taskpool_test

import (
	"slices"
	"time"

	"github.com/elite-libs/taskpool/core"
)

type (
	laneModel struct {
		line
		taskpool.Lane
		configured bool
		running    int
		unanswered int // of the running ones, those that have told nothing
		retrying   int
		starts     []time.Time
		windows    []window
		quota      int
	}

	window struct {
		reset          time.Time
		lowest, budget int
	}
)

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

func (l *laneModel) paced() bool { return l.Rate > 0 && l.Per > 0 }

// blocked: nothing of the lane may start now.
func (l *laneModel) blocked(now time.Time) bool {
	until := l.heldUntil(now)
	full := l.Limit > 0 && l.running >= l.Limit || len(l.windows) == 0 && l.quota > 0 && l.running >= l.quota
	return full || until.After(now)
}

// heldUntil is until when a time keeps what waits in the lane from starting.
func (l *laneModel) heldUntil(now time.Time) (until time.Time) {
	l.forget(now)
	if n := len(l.starts) - l.Rate; l.paced() && n >= 0 {
		until = l.starts[n].Add(l.Per)
	}
	for _, w := range l.windows {
		if w.budget <= 0 && w.reset.After(until) {
			until = w.reset
		}
	}
	return until
}

// giveUpHeld gives up what waits in lanes that are held for longer than Done has
// time, while nothing of theirs runs.
func (m *model) giveUpHeld() {
	for _, l := range m.lanes {
		if l.running == 0 && m.misses(l.heldUntil(m.now)) {
			for _, e := range l.tasks {
				m.giveUp(e)
			}
		}
	}
}

// throttle is Throttle in a running task of the lane.
func (l *laneModel) throttle(e *entry, h taskpool.RateLimit, now time.Time) {
	if !h.Reset.After(now) {
		return
	}
	if !e.answered {
		e.answered = true
		l.unanswered--
	}
	if h.Limit > 0 {
		l.quota = h.Limit
	}
	l.forget(now)
	same := func(w window) bool { return w.reset.Sub(h.Reset).Abs() <= 2*time.Second }
	i := slices.IndexFunc(l.windows, same)
	if i < 0 {
		l.windows = slices.DeleteFunc(l.windows, func(w window) bool { return w.budget > 0 && w.reset.Before(h.Reset) })
		i = len(l.windows)
		l.windows = append(l.windows, window{h.Reset, h.Remaining, 0})
	}
	w := &l.windows[i]
	w.lowest = min(w.lowest, h.Remaining)
	w.budget = w.lowest - l.unanswered
	if h.Reset.After(w.reset) {
		w.reset = h.Reset
	}
}

// forget drops the windows that have passed; of a lane that nobody configured,
// with the last one everything.
func (l *laneModel) forget(now time.Time) {
	l.windows = slices.DeleteFunc(l.windows, func(w window) bool { return !w.reset.After(now) })
	if !l.configured && len(l.windows)+len(l.tasks)+l.running+l.retrying == 0 {
		l.quota = 0
	}
}
