package taskpool

import (
	"context"
	"time"
)

// A Lane limits the tasks that share it, such as those that call one API. Every
// value is valid; the zero Lane limits nothing by itself, and may be paced by
// Throttle.
type Lane struct {
	Limit int           // tasks of the lane that run at once; 0 or less means no limit
	Rate  int           // starts within any period of Per; 0 or less means no limit
	Per   time.Duration // 0 or less means that Rate limits nothing
}

// oneWindow is how far apart the resets that several answers of an API tell may
// be and still mean the same window.
const oneWindow = 2 * time.Second

// A lane is a Lane at work. Everything in it is protected by the pool's lock.
type lane struct {
	Lane
	name       string
	configured bool
	pool       *Pool
	lines      [levels]line
	waiting    int
	running    int
	starts     []int64 // ticks of the last Rate starts, the oldest at next
	next       int

	// What Throttle was told, until reset.
	reset  int64 // ticks; 0 if there is no hint
	lowest int   // of what the API said remains
	budget int   // how many tasks may still start

	alarm alarm
}

func (p *Pool) initLanes(lanes map[string]Lane) {
	p.lanes = make(map[string]*lane, len(lanes))
	for name, l := range lanes {
		p.newLane(name, l).configured = true
	}
}

func (p *Pool) newLane(name string, c Lane) *lane {
	l := &lane{Lane: c, name: name, pool: p}
	l.alarm.lane = l
	for i := range l.lines {
		l.lines[i].lane, l.lines[i].level = l, level(i)
	}
	p.lanes[name] = l
	return l
}

// queueInLaneLocked has a job wait in its lane.
func (p *Pool) queueInLaneLocked(j *job) {
	l := p.lanes[j.Lane]
	if l == nil {
		l = p.newLane(j.Lane, Lane{})
	}
	l.waiting++
	l.lines[j.Priority.level()].tasks.push(j, &p.spare, true)
	p.wakeLaneLocked(l)
}

// blockedLocked reports whether no task of the lane may start now, and if a time
// ends that, sets the alarm.
func (l *lane) blockedLocked() bool {
	p := l.pool
	if p.phase.Load() == phaseClosed { // what is left only ends
		return false
	}
	if l.Limit > 0 && l.running >= l.Limit {
		return true
	}
	if l.reset == 0 && (l.Rate <= 0 || l.Per <= 0) {
		return false
	}
	now := ticks()
	var until int64
	if l.reset != 0 {
		if now >= l.reset {
			l.reset = 0
		} else if l.budget <= 0 {
			until = l.reset
		}
	}
	if l.Rate > 0 && len(l.starts) == l.Rate {
		until = max(until, later(l.starts[l.next], l.Per))
	}
	if until <= now {
		return false
	}
	p.setAlarmLocked(&l.alarm, until)
	return true
}

// startLocked notes that a job of the lane starts.
func (l *lane) startLocked(j *job) {
	j.lane = l
	l.waiting--
	l.running++
	l.budget--
	if l.Rate <= 0 || l.Per <= 0 {
		return
	}
	if len(l.starts) < l.Rate {
		l.starts = append(l.starts, j.started)
	} else {
		l.starts[l.next] = j.started
		l.next = (l.next + 1) % l.Rate
	}
}

// endLocked notes that a job of the lane has ended.
func (l *lane) endLocked(p *Pool, j *job) {
	j.lane = nil
	l.running--
	p.wakeLaneLocked(l)
}

// wakeLaneLocked lets the lane take its turns, if it may start something.
func (p *Pool) wakeLaneLocked(l *lane) {
	if l.waiting == 0 {
		p.dropLaneLocked(l)
		return
	}
	if l.blockedLocked() {
		return
	}
	for i := range l.lines {
		if line := &l.lines[i]; line.tasks.size > 0 && !line.queued {
			p.rings.push(line)
		}
	}
}

// dropLaneLocked forgets a lane that nobody configured, once nothing is left of
// it: names may be many.
func (p *Pool) dropLaneLocked(l *lane) {
	if l.configured || l.running > 0 || l.reset > ticks() {
		return
	}
	p.stopAlarmLocked(&l.alarm)
	delete(p.lanes, l.name)
}

// freeLanesLocked lifts the limits of all lanes: what waits in them only ends.
func (p *Pool) freeLanesLocked() {
	for _, l := range p.lanes {
		p.wakeLaneLocked(l)
	}
}

// Throttle tells the lane of the task whose context is given what an API has
// answered: at most r.Remaining further tasks of the lane start before r.Reset,
// less those that run beside the caller and whose answers are still to come. Of
// several hints for one window, whose resets lie within two seconds of each
// other, the lowest Remaining counts. Other lanes and tasks without one go on,
// and no worker is held.
//
// It does nothing outside of a task, in a task without a lane, after the task
// has ended, and if r.Reset is not in the future. It does not block.
func Throttle(ctx context.Context, r RateLimit) {
	j := jobOf(ctx)
	if j == nil {
		return
	}
	wait := time.Until(r.Reset)
	if wait <= 0 {
		return
	}
	p := j.ctx.scope.pool
	p.mu.Lock()
	if j.lane != nil {
		j.lane.hintLocked(max(r.Remaining, 0), later(ticks(), wait))
	}
	p.unlock()
}

func (l *lane) hintLocked(remaining int, reset int64) {
	switch {
	case l.reset <= ticks() || reset > l.reset+int64(oneWindow):
		l.lowest, l.reset = remaining, reset
	case reset < l.reset-int64(oneWindow):
		return // of a window that is over for those who know better
	default:
		l.lowest, l.reset = min(l.lowest, remaining), max(l.reset, reset)
	}
	l.budget = l.lowest - (l.running - 1)
	l.pool.setAlarmLocked(&l.alarm, l.reset)
	l.pool.wakeLaneLocked(l)
}
