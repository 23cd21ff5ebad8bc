package taskpool

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/elite-libs/taskpool/core/internal/pace"
)

// A Lane limits the tasks that share it, such as those that call one API. Every
// value is valid; the zero Lane limits nothing by itself, and may be paced by
// Throttle. A task that awaits others keeps its place in its lane: if all of a
// lane that has a Limit await tasks of the same lane, they wait for ever.
//
// A job is in one lane. In two, a tenant's and a processor's, it would have to wait
// for both, and hold up what is behind it in the one while the other has no room. A
// limit for each tenant beside that of the processor is made of two jobs: the
// tenant's, in the tenant's lane, submits what calls the processor, and awaits it.
type Lane struct {
	Limit int           // tasks of the lane that run at once; 0 or less means no limit
	Rate  int           // starts within any period of Per; 0 or less means no limit
	Per   time.Duration // 0 or less means that Rate limits nothing
	Queue int           // tasks of the lane that wait, for whatever reason, beside one for each idle worker; 0 means half of Config.QueueLimit, negative means no limit but that
}

// A lane is a Lane at work. Everything in it is protected by the pool's lock.
type lane struct {
	Lane
	name       string
	configured bool
	unread     bool // that something was not understood has been logged
	pool       *Pool
	index      int // in pool.laneList
	lines      [levels]line
	waiting    int // in the lines
	jobs       int // accepted and not ended: while there are any, the lane is not forgotten
	running    int
	refused    uint64 // calls
	starts     *pace.Starts
	pace       *pace.Pace // made when something is told
	since      int64      // ticks at which the oldest began to wait, about; 0 if none waits
	place      int        // in pool.waiting

	alarm alarm
}

// A stay is that of a job in its lane.
type stay struct {
	lane     *lane
	answered int64 // ticks at which the job's run has told of an answer; 0 if it has not
	beside   int32 // how many of the lane ran when it started, itself included
	excused  int32 // runs that count as no attempt
	running  bool
	refused  bool // in this run an API has refused a call
}

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
	if limit := p.config.QueueLimit; l.Queue == 0 && limit > 0 {
		l.Queue = (limit + 1) / 2
	}
	l.Queue = min(l.Queue, maxQueue)
	if p.lanes == nil {
		p.lanes = make(map[string]*lane)
	}
	p.lanes[name] = l
	l.index = len(p.laneList)
	p.laneList = append(p.laneList, l)
	return l
}

// makeLanes asks Config.NewLane for the lanes of jobs that are about to be
// accepted. It does so without the lock, and the jobs belong to their lanes at
// once, so that these are not forgotten meanwhile.
func (p *Pool) makeLanes(slots []slot) {
	if p.config.NewLane == nil {
		return
	}
	made := false
	defer func() {
		if !made { // NewLane has panicked
			p.lock()
			p.leaveLanesLocked(slots)
			p.mu.Unlock()
		}
	}()
	for _, s := range slots {
		f := laneJob(s)
		if f == nil {
			continue
		}
		p.lock()
		l := p.lanes[f.Lane]
		if l == nil {
			p.mu.Unlock()
			c := p.config.NewLane(f.Lane)
			p.lock()
			if l = p.lanes[f.Lane]; l == nil {
				l = p.newLane(f.Lane, c)
			}
		}
		f.stay = &stay{lane: l}
		l.jobs++
		p.mu.Unlock()
	}
	made = true
}

// laneJob is the job in a slot, if it has a lane; else nil.
func laneJob(s slot) *fullJob {
	if j, ok := s.(*job); ok {
		if f := j.full(); f != nil && f.Lane != "" {
			return f
		}
	}
	return nil
}

// enterLanesLocked has jobs that are about to be accepted belong to their lanes,
// and gives an error if one has no room for them: then they do not.
func (p *Pool) enterLanesLocked(slots []slot) error {
	var full *lane
	for _, s := range slots {
		f := laneJob(s)
		if f == nil {
			continue
		}
		if f.stay == nil {
			l := p.lanes[f.Lane]
			if l == nil {
				l = p.newLane(f.Lane, Lane{})
				if len(p.config.Lanes) > 0 && !p.strange {
					p.strange = true
					go p.logStrangeLane(f.Lane)
				}
			}
			f.stay = &stay{lane: l}
			l.jobs++
		}
		if l := f.stay.lane; l.Queue > 0 && l.jobs-l.running > l.Queue+p.idleLocked() {
			full = l
		}
	}
	if full == nil {
		return nil
	}
	err := fmt.Errorf("lane %q: %w", full.name, ErrOverloaded)
	p.leaveLanesLocked(slots)
	return err
}

// leaveLanesLocked has jobs that are not accepted leave their lanes.
func (p *Pool) leaveLanesLocked(slots []slot) {
	for _, s := range slots {
		if f := laneJob(s); f != nil {
			f.leaveLaneLocked()
		}
	}
}

// leaveLaneLocked is the end of a job, as far as its lane goes.
func (j *fullJob) leaveLaneLocked() {
	if s := j.stay; s != nil {
		j.stay = nil
		s.lane.jobs--
		s.lane.pool.dropLaneLocked(s.lane)
	}
}

func (p *Pool) logStrangeLane(name string) {
	p.log(context.Background(), slog.LevelWarn, "lane is not in Config.Lanes: it has no limit of its own", slog.String("lane", name))
}

// queueInLaneLocked has a job wait in its lane.
func (p *Pool) queueInLaneLocked(j *fullJob) {
	l := j.stay.lane
	l.waiting++
	l.lines[j.priority.level()].push(&j.job, &p.spare, true)
	p.agedLocked(l)
	p.wakeLaneLocked(l)
}

// blockedLocked reports whether no task of the lane, in which some wait, may start
// now, and if a time ends that, sets the alarm. What is left only ends once Done was
// cut, and so does what is held beyond its time.
func (l *lane) blockedLocked() bool {
	b, until := l.blockLocked()
	if b == BlockNone || l.missesLocked(ticks()) {
		return false
	}
	if until != pace.Never {
		if l.pace != nil {
			l.pace.Waits(ticks())
		}
		l.pool.alarms.set(&l.alarm, until)
	}
	return true
}

// missesLocked reports whether the lane is held for longer than Done has time. While
// a task of it runs, what that is answered may still end the hold.
func (l *lane) missesLocked(now int64) bool {
	e := &l.pool.ending
	return e.due != endless && l.running == 0 && e.misses(l.heldLocked(now))
}

// heldLocked is until when a time keeps the lane's next task from starting.
func (l *lane) heldLocked(now int64) int64 {
	if _, until := l.blockLocked(); until != pace.Never {
		return until
	}
	return 0
}

// blockLocked is what keeps the lane's next task from starting now, and until
// when: pace.Never if that ends as a running task ends or is answered.
func (l *lane) blockLocked() (b Block, until int64) {
	if l.pool.phase.Load() == phaseClosed {
		return BlockNone, 0
	}
	if l.Limit > 0 && l.running >= l.Limit {
		return BlockLimit, pace.Never
	}
	if l.pace == nil && !l.rated() {
		return BlockNone, 0
	}
	now := ticks()
	if l.rated() && l.starts != nil {
		if until = l.starts.Next(now, l.per(), l.Rate); until > now {
			b = BlockRate
		}
	}
	if l.pace != nil {
		if at, why := l.pace.Next(now); at > now && at > until {
			b, until = blockOf[why], at
		}
	}
	return b, until
}

func (l *lane) rated() bool { return l.Rate > 0 && l.Per > 0 }

// per is Per, but so that a tick and it have a sum.
func (l *lane) per() int64 { return later(0, l.Per) }

// startLocked notes that a job of the lane starts.
func (l *lane) startLocked(j *fullJob) {
	s := j.stay
	s.running, s.answered, s.refused = true, 0, false
	l.waiting--
	l.running++
	l.pool.agedLocked(l)
	if l.pace != nil {
		s.beside = int32(l.pace.Started(j.started))
	} else {
		s.beside = int32(l.running)
	}
	if l.rated() {
		if l.starts == nil {
			l.starts = new(pace.Starts)
		}
		l.starts.Add(j.started, l.per(), l.Rate)
	}
}

// endLocked notes that a run of a job of the lane has ended.
func (l *lane) endLocked(p *Pool, j *fullJob) {
	j.stay.running = false
	l.running--
	if l.pace != nil {
		l.pace.Ended(ticks(), j.started, int(j.stay.beside), j.stay.answered != 0)
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

// dropLaneLocked forgets a lane that is not in Config.Lanes, once nothing is left
// of it: names may be many.
func (p *Pool) dropLaneLocked(l *lane) {
	if l.configured || l.jobs > 0 {
		return
	}
	now, until := ticks(), int64(0)
	if l.starts != nil && l.rated() {
		until = l.starts.Until(l.per())
	}
	if l.pace != nil {
		until = max(until, l.pace.Until())
	}
	if until > now { // it holds for a task to come
		p.alarms.set(&l.alarm, until)
		return
	}
	p.alarms.stop(&l.alarm)
	delete(p.lanes, l.name)
	last := p.laneList[len(p.laneList)-1]
	p.laneList[l.index], last.index = last, l.index
	p.laneList[len(p.laneList)-1] = nil
	p.laneList = p.laneList[:len(p.laneList)-1]
}

// freeLanesLocked lifts the limits of all lanes: what waits in them only ends.
func (p *Pool) freeLanesLocked() {
	for _, l := range p.laneList {
		if l.waiting > 0 {
			p.wakeLaneLocked(l)
		}
	}
}
