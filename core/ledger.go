package taskpool

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
)

// A scope is what Scope stands for. It is one allocation, so its size counts.
type scope struct {
	pool      *Pool
	request   context.Context      // what Begin was given
	shared    atomic.Pointer[life] // of its plain tasks; nil as long as nobody has asked
	stage     stage
	framework framework // which uses its contexts again; none for most
	valueless bool      // request is the framework's to use again: tasks do not see its values
	refused   bool      // begun after Done

	// What follows is protected by pool.mu.
	hadTasks   bool
	hijacked   bool         // its handler is not waited for
	fates      tally[uint8] // what these have no room for is in extras
	live       int32        // started and not ended: queued or running
	running    int32
	lent       int32 // of the running ones, how many have lent their slot
	loans      int32 // waits in the name of one of them, a finished one's included
	told       told  // written without the lock while the stage is stageLeaving
	line       line
	staged     fifo
	extras     *extras // made when used
	settled    *latch  // opened when live becomes 0; nil if nobody waits
	prev, next *scope  // in pool.handling, then pool.returned
	due        int64   // ticks at which the sweep releases it
}

// told is the outcome of a request as its adapter tells it.
type told struct {
	err                             error
	status                          int32
	panicked, disconnected, expired bool
}

// An extras is what few scopes need.
type extras struct {
	vetoed  error          // what Fail was given
	fates   *tally[uint64] // what the scope's own counts have no room for
	side    *[levels]line  // for other priorities than Normal
	results []Result
	omitted int
}

func (s *scope) init(p *Pool, ctx context.Context) {
	s.pool = p
	s.request = ctx
	s.line.scope, s.line.level = s, normal
}

func (s *scope) isRoot() bool { return s == &s.pool.root }

// add accepts plain tasks. What needs nothing but its func becomes a slot
// without an allocation. Here and below, inner is the context whose values the
// tasks get, nil for the scope's own.
func (s *scope) add(start Start, tasks []Task, inner context.Context) error {
	plain := s.pool.plain && inner == nil && !s.isRoot() // see Pool.Add
	if plain && start == StartNow {
		return s.addNow(tasks)
	}
	var room [smallSlots]slot
	slots := room[:0]
	for i, t := range tasks {
		switch {
		case t == nil:
			return s.refuse(len(tasks), nthTask(i, len(tasks), "", ErrNilTask))
		case plain:
			slots = append(slots, plainSlot(t, start))
		default:
			slots = append(slots, s.newJob(&Job{Run: t, Start: start}, t, nil, inner, !s.pool.plain))
		}
	}
	return s.accept(slots)
}

// addNow is add for plain tasks that start at once: nothing is to be made for them.
func (s *scope) addNow(tasks []Task) error {
	for i, t := range tasks {
		if t == nil {
			return s.refuse(len(tasks), nthTask(i, len(tasks), "", ErrNilTask))
		}
	}
	p := s.pool
	if s.isRoot() && takeIn(&p.intake, tasks, false) {
		return nil
	}
	p.lock()
	err := s.admitLocked(len(tasks))
	if err == nil {
		for _, t := range tasks {
			s.startPlainLocked(t)
		}
		s.openIntakeLocked()
	}
	p.unlock()
	if err != nil {
		s.callRefusedTasks(tasks, err)
	}
	return err
}

func (s *scope) submit(jobs []Job, inner context.Context) error {
	var room [smallSlots]slot
	slots := room[:0]
	for i := range jobs {
		if err := jobs[i].check(); err != nil {
			return s.refuse(len(jobs), nthTask(i, len(jobs), jobs[i].Name, err))
		}
		var of promise
		if a := jobs[i].async; a != nil {
			of = a.promise
		}
		slots = append(slots, s.newJob(&jobs[i], jobs[i].Run, of, inner, true))
	}
	return s.accept(slots)
}

// submitAsync is submit for one job of Async, whose func is work, or of AsyncJob, which is timed.
func (s *scope) submitAsync(j *Job, timed bool, work any, of promise, inner context.Context) error {
	err := j.checkOptions()
	if work == nil {
		err = ErrNilTask
	}
	if err != nil {
		return s.refuse(1, nthTask(0, 1, j.Name, err))
	}
	one := [1]slot{s.newJob(j, work, of, inner, timed || !s.pool.plain)}
	return s.accept(one[:])
}

// accept takes all of the slots or none.
func (s *scope) accept(slots []slot) error {
	p := s.pool
	if s.isRoot() && p.intake.isOpen() && behindOthers(slots) && takeIn(&p.intake, slots, true) {
		return nil
	}
	p.makeLanes(slots)
	p.lock()
	err := p.enterLanesLocked(slots)
	if err != nil {
		if closed := p.refusalLocked(s, len(slots)); closed != nil {
			err = closed
		}
		p.refused += uint64(len(slots))
	} else if err = s.admitLocked(len(slots)); err != nil {
		p.leaveLanesLocked(slots)
	} else {
		for _, slot := range slots {
			if _, _, start := unpack(slot); start != StartNow && s.awaitsSentLocked() {
				s.staged.push(slot, &p.spare, false)
				p.staged++
			} else {
				s.startLocked(slot)
			}
		}
		s.openIntakeLocked()
	}
	p.unlock()
	if err != nil {
		s.callRefused(slots, err)
	}
	return err
}

// refuse counts n tasks as refused, for what is wrong with one of them.
func (s *scope) refuse(n int, err error) error {
	s.pool.lock()
	defer s.pool.mu.Unlock()
	s.pool.refused += uint64(n)
	return err
}

// admitLocked counts n tasks as accepted, or as refused and says why.
func (s *scope) admitLocked(n int) error {
	p := s.pool
	p.takeInLocked()
	s.stage.useLocked() // or it is closed
	err := p.refusalLocked(s, n)
	if err == nil && p.source != nil && n > 0 {
		err = p.listLocked(s.isRoot())
	}
	if err != nil {
		p.refused += uint64(n)
		return err
	}
	if n > 0 && !s.hadTasks && !s.isRoot() {
		s.hadTasks = true
		p.handling.push(s)
	}
	p.accepted += uint64(n)
	return nil
}

// startLocked queues a slot, or discards it if the outcome says so.
func (s *scope) startLocked(slot slot) {
	p := s.pool
	t, j, start := unpack(slot)
	if start != StartNow && !s.toldLocked().starts(start) {
		if p.config.Hooks.Ended == nil {
			if s.countLocked(FateDiscarded) {
				s.keepLocked(describeUnrun(slot, FateDiscarded, nil))
			}
			if j != nil {
				j.settle(FateDiscarded, nil)
			}
			return
		}
		j.fate = FateDiscarded // the hook has to be called, and not here: a worker will
	}
	if j == nil {
		s.startPlainLocked(t)
		return
	}
	s.live++
	if f := j.full(); f != nil && f.Delay > 0 && j.fate == 0 {
		if at := later(ticks(), f.Delay); !p.ending.misses(at) {
			f.waits = waitsDelay
			p.delayed++
			p.alarms.set(&f.alarm, at)
			return
		}
		j.giveUpLocked()
	}
	p.queued++
	s.queueJobLocked(j)
}

func (s *scope) startPlainLocked(t Task) {
	s.live++
	s.pool.queued++
	s.queueLocked(&s.line, t)
}

// queueJobLocked has a job wait for a worker, in its lane if it has one.
func (s *scope) queueJobLocked(j *job) {
	if f := j.full(); f != nil && f.Lane != "" && j.fate == 0 {
		s.pool.queueInLaneLocked(f)
		return
	}
	s.queueLocked(s.lineLocked(j.priority.level()), j)
}

func (s *scope) queueLocked(l *line, slot slot) {
	p := s.pool
	if l == &p.root.line {
		p.takeInLocked() // it comes behind what has come in
	}
	l.push(slot, &p.spare, p.paused || p.queued > p.idleLocked())
	if !l.queued {
		p.rings.push(l)
	}
}

// lineLocked is the scope's line of a priority.
func (s *scope) lineLocked(of level) *line {
	if of == normal {
		return &s.line
	}
	r := s.extrasLocked()
	if r.side == nil {
		r.side = new([levels]line)
		for i := range r.side {
			r.side[i].scope, r.side[i].level = s, level(i)
		}
	}
	return &r.side[of]
}

func (s *scope) extrasLocked() *extras {
	if s.extras == nil {
		s.extras = new(extras)
	}
	return s.extras
}

// countLocked counts one fate, in the scope and the pool, and reports whether
// its result is to be kept.
func (s *scope) countLocked(f Fate) (keep bool) {
	if s.fates[f]++; s.fates[f] == math.MaxUint8 {
		s.carryLocked(f)
	}
	s.pool.fates[f]++
	return s.pool.config.Results.keeps(f)
}

// carryLocked keeps a count that has become as large as a scope has room for.
func (s *scope) carryLocked(f Fate) {
	of := s.extrasLocked()
	if of.fates == nil {
		of.fates = new(tally[uint64])
	}
	of.fates[f] += uint64(s.fates[f])
	s.fates[f] = 0
}

func (s *scope) keepLocked(r Result) {
	limit := s.pool.config.ResultLimit
	s.pool.results.put(r, limit)
	s.pool.rememberLocked(r)
	if from := s.pool.source; from != nil {
		from.keep(r)
	}
	if s.isRoot() {
		return
	}
	if of := s.extrasLocked(); len(of.results) < limit {
		of.results = append(of.results, r)
	} else {
		of.omitted++
	}
}

// liveEndedLocked is told whenever a started task has ended or the response has
// been sent: it does what waits for the last one, apart as in settleLocked.
func (s *scope) liveEndedLocked() {
	if s.live == 0 {
		s.lastEndedLocked()
	}
}

func (s *scope) lastEndedLocked() {
	if s.settled != nil {
		s.settled.open()
		s.settled = nil
	}
	p := s.pool
	if s.stage.Load() >= stageSent && s.closedLocked() && p.config.Hooks.Drained != nil {
		p.notices++
		s.queueLocked(&s.line, notice{})
	}
}

func (s *scope) reportLocked() Report {
	var r Report
	if of := s.extras; of != nil {
		r.Results, r.Omitted = slices.Clone(of.results), of.omitted
	}
	for f, n := range s.fates {
		total := int(n)
		if of := s.extras; of != nil && of.fates != nil {
			total += int(of.fates[f])
		}
		r.count(Fate(f), total)
	}
	if s.stage.Load() >= stageSent {
		r.Outcome = s.outcomeLocked()
	}
	return r
}
