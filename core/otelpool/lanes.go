package otelpool

import (
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	maxLanes  = 100 // beyond, they are other: there may be one for each tenant
	lanesRest = 20  // reading them takes one part of so many of the time at most
)

// lanes are a pool's, as they were last read.
type lanes struct {
	of   func() []taskpool.LaneStats
	with func(...attribute.KeyValue) metric.ObserveOption

	tasks, refused metric.Int64Observable
	held           metric.Float64Observable

	mu     sync.Mutex // protects what follows
	read   time.Time
	took   time.Duration
	named  map[string]*lane
	others *lane
}

// A lane is what is reported of one, or of all that are other.
type lane struct {
	all, running, queued  metric.ObserveOption
	there                 bool
	runningNow, queuedNow int64
	until                 time.Time // nothing starts before; of several lanes, the latest
	refused, refusedLast  int64     // since it was first seen; since the lane was made, which may have been forgotten meanwhile
}

func (l *lanes) lane(name string) *lane {
	attr := attribute.String("taskpool.lane", name)
	state := func(s taskpool.State) metric.ObserveOption {
		return l.with(attr, attribute.String("taskpool.state", s.String()))
	}
	return &lane{all: l.with(attr), running: state(taskpool.StateRunning), queued: state(taskpool.StateQueued)}
}

// readLocked reads the lanes, unless that would take too much of the time.
func (l *lanes) readLocked() {
	begun := time.Now()
	if begun.Sub(l.read) < lanesRest*l.took {
		return
	}
	for _, of := range l.named {
		of.there = false
	}
	if l.others != nil {
		l.others.there = false
	}
	for _, s := range l.of() {
		of := l.named[s.Name]
		if of == nil && len(l.named) < maxLanes {
			of = l.lane(s.Name)
			l.named[s.Name] = of
		}
		if of == nil {
			if l.others == nil {
				l.others = l.lane(other)
			}
			of = l.others
		}
		if !of.there {
			of.there, of.runningNow, of.queuedNow, of.until = true, 0, 0, time.Time{}
		}
		of.runningNow += int64(s.Running)
		of.queuedNow += int64(s.Waiting)
		if s.Until.After(of.until) {
			of.until = s.Until
		}
		now := int64(s.Refused)   //nolint:gosec // nobody calls so often
		if now < of.refusedLast { // the lane had been forgotten
			of.refusedLast = 0
		}
		of.refused += now - of.refusedLast
		of.refusedLast = now
	}
	l.read = time.Now()
	l.took = l.read.Sub(begun)
}

// observe reports the lanes.
func (l *lanes) observe(out metric.Observer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readLocked()
	now := time.Now()
	for _, of := range l.named {
		l.observeLocked(out, of, now)
	}
	if l.others != nil {
		l.observeLocked(out, l.others, now)
	}
}

func (l *lanes) observeLocked(out metric.Observer, of *lane, now time.Time) {
	if !of.there {
		return
	}
	out.ObserveInt64(l.tasks, of.runningNow, of.running)
	out.ObserveInt64(l.tasks, of.queuedNow, of.queued)
	out.ObserveFloat64(l.held, max(of.until.Sub(now), 0).Seconds(), of.all)
	if of != l.others { // whose sum would fall when lanes are forgotten
		out.ObserveInt64(l.refused, of.refused, of.all)
	}
}
