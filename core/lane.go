package taskpool

import (
	"context"
	"slices"
	"time"
)

// A Lane limits the tasks that share it, such as those that call one API. Every
// value is valid; the zero Lane limits nothing by itself, and may be paced by
// Throttle. A task that awaits others keeps its place in its lane: if all of a
// lane that has a Limit await tasks of the same lane, they wait for ever.
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
	unanswered int     // of the running ones, those of which no hint has come
	retrying   int     // they come back: what is known of the API must not be forgotten
	starts     []int64 // ticks of the last Rate starts, the oldest at next
	next       int

	windows []window // what Throttle was told, as long as it holds
	quota   int      // of a window, as last told; 0 if it never was

	alarm alarm
}

// A window is what an API has said of a time that ends at reset.
type window struct {
	reset  int64 // ticks
	lowest int   // of what it said remains
	budget int   // how many tasks may still start
}

// maxWindows bounds what an API that tells of ever new windows can make a lane
// remember.
const maxWindows = 8

func (p *Pool) initLanes(lanes map[string]Lane) {
	for name, l := range lanes {
		p.newLane(name, l).configured = true
	}
}

func (p *Pool) newLane(name string, c Lane) *lane {
	l := &lane{Lane: c, name: name, pool: p}
	l.alarm.of = l
	for i := range l.lines {
		l.lines[i].lane, l.lines[i].level = l, level(i)
	}
	if p.lanes == nil {
		p.lanes = make(map[string]*lane)
	}
	p.lanes[name] = l
	return l
}

// queueInLaneLocked has a job wait in its lane.
func (p *Pool) queueInLaneLocked(j *fullJob) {
	l := p.lanes[j.Lane]
	if l == nil {
		l = p.newLane(j.Lane, Lane{})
	}
	l.waiting++
	l.lines[j.priority.level()].push(&j.job, &p.spare, true)
	p.wakeLaneLocked(l)
}

// blockedLocked reports whether no task of the lane may start now, and if a time
// ends that, sets the alarm. What is left only ends once Done was cut, and so does
// what is held beyond its time.
func (l *lane) blockedLocked() bool {
	p := l.pool
	if p.phase.Load() == phaseClosed {
		return false
	}
	if l.Limit > 0 && l.running >= l.Limit {
		return true
	}
	if l.quota == 0 && len(l.windows) == 0 && (l.Rate <= 0 || l.Per <= 0) {
		return false
	}
	now := ticks()
	until := l.heldLocked(now)
	if len(l.windows) == 0 && l.quota > 0 && l.running >= l.quota {
		return true // a new window, of which no answer has come yet
	}
	if until <= now || l.missesLocked(now) {
		return false
	}
	p.alarms.set(&l.alarm, until)
	return true
}

// missesLocked reports whether the lane is held for longer than Done has time. While
// a task of it runs, what that is answered may still end the hold.
func (l *lane) missesLocked(now int64) bool {
	e := &l.pool.ending
	return e.due != endless && l.running == 0 && e.misses(l.heldLocked(now))
}

// heldLocked is until when a time keeps the lane's next task from starting.
func (l *lane) heldLocked(now int64) (until int64) {
	l.forgetLocked(now)
	for _, w := range l.windows {
		if w.budget <= 0 {
			until = max(until, w.reset)
		}
	}
	if l.Rate > 0 && len(l.starts) == l.Rate {
		until = max(until, later(l.starts[l.next], l.Per))
	}
	return until
}

// startLocked notes that a job of the lane starts.
func (l *lane) startLocked(j *fullJob) {
	j.lane, j.answered = l, false
	l.waiting--
	l.running++
	l.unanswered++
	for i := range l.windows {
		l.windows[i].budget--
	}
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
func (l *lane) endLocked(p *Pool, j *fullJob) {
	j.lane = nil
	l.running--
	if !j.answered {
		l.unanswered--
	}
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
		if line := &l.lines[i]; line.size() > 0 && !line.queued {
			p.rings.push(line)
		}
	}
}

// alarmLocked is told when the lane's alarm rings.
func (l *lane) alarmLocked(int64) { l.pool.wakeLaneLocked(l) }

// dropLaneLocked forgets a lane that nobody configured, once nothing is left of
// it: names may be many.
func (p *Pool) dropLaneLocked(l *lane) {
	if l.configured || l.running+l.retrying > 0 {
		return
	}
	l.forgetLocked(ticks())
	if len(l.windows) > 0 { // they hold for a task to come, until the first passes at least
		p.alarms.set(&l.alarm, l.windows[0].reset)
		return
	}
	p.alarms.stop(&l.alarm)
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
// less those that run beside the caller and have not called Throttle in this run:
// their answers are still to come. Of
// several hints for one window, whose resets lie within two seconds of each
// other, the lowest Remaining counts. A hint for a later window replaces those for
// earlier ones, unless nothing remains of them: then both hold. When a window has
// passed, no more than r.Limit tasks of the lane run at once until the next hint.
// Other lanes and tasks without one go on, and no worker is held.
//
// It does nothing outside of a task, in a task without a lane, after the task
// has ended, and if r.Reset is not in the future. It does not block.
func Throttle(ctx context.Context, r RateLimit) {
	task := jobOf(ctx)
	if task == nil {
		return
	}
	j := task.full()
	if j == nil {
		return
	}
	wait := time.Until(r.Reset)
	if wait <= 0 {
		return
	}
	p := j.scope.pool
	p.lock()
	if j.lane != nil {
		if !j.answered {
			j.answered = true
			j.lane.unanswered--
		}
		j.lane.hintLocked(max(r.Remaining, 0), max(r.Limit, 0), later(ticks(), wait))
	}
	p.unlock()
}

func (l *lane) hintLocked(remaining, quota int, reset int64) {
	if quota > 0 {
		l.quota = quota
	}
	l.forgetLocked(ticks())
	w := l.windowLocked(reset)
	if w == nil {
		l.windows = slices.DeleteFunc(l.windows, func(w window) bool { return w.budget > 0 && w.reset < reset })
		if len(l.windows) == maxWindows {
			l.windows = slices.Delete(l.windows, 0, 1)
		}
		l.windows = append(l.windows, window{reset: reset, lowest: remaining})
		w = &l.windows[len(l.windows)-1]
	}
	w.lowest, w.reset = min(w.lowest, remaining), max(w.reset, reset)
	w.budget = w.lowest - l.unanswered
	l.pool.wakeLaneLocked(l)
}

// windowLocked is the window that ends at reset, or nil.
func (l *lane) windowLocked(reset int64) *window {
	for i := range l.windows {
		if d := l.windows[i].reset - reset; -int64(oneWindow) <= d && d <= int64(oneWindow) {
			return &l.windows[i]
		}
	}
	return nil
}

// forgetLocked drops the windows that have passed.
func (l *lane) forgetLocked(now int64) {
	l.windows = slices.DeleteFunc(l.windows, func(w window) bool { return w.reset <= now })
}
