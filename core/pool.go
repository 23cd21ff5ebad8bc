package taskpool

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// A Pool is the bounded engine that runs tasks. It is made with New, shared by
// as many goroutines as like, and must not be copied. The zero Pool and a nil one
// refuse tasks and waits with an error. It has no goroutine while it has nothing
// to do, so a pool that is dropped is simply collected.
type Pool struct {
	config  Config
	plain   bool // a Task may run as it is: no timeout, no hook that has to see it
	watched bool // somebody wants the result of every task
	life    poolLife
	lives   atomic.Pointer[sync.Map] // by *job, the *life of a run whose context was asked for its end; made for the first

	source *perRequest // what made it for one request; nil if New did

	phase atomic.Uint32 // written under mu; read without it by Begin

	intake intake
	outlet outlet

	// What follows is protected by mu, and so are the ledgers of the pool's scopes.
	// What each task needs comes first and is close together: two processors that
	// take turns in here hand it to each other.
	mu      sync.Mutex
	rings   rings
	busy    int  // workers that have a task or a notice and have not lent their slot
	workers int  // the limit
	paused  bool // nothing starts
	seeking int  // workers that are about to look for work: while there is one, none need be started
	listed  bool // in the books of source: something has not ended

	running, queued, staged, delayed, retrying int

	notices  int // waiting or running
	accepted uint64
	fates    tally[uint64]
	handling scopeList // have tasks, handler not returned
	returned scopeList // have tasks, handler returned, response not yet known to be sent; oldest first
	drainer  *drainer
	recalls  atomic.Pointer[loan] // of tasks whose wait is over; written without mu
	reclaims []*loan              // of those, the ones that have no slot yet
	lent     int                  // slots of running tasks that wait
	active   workerList
	idle     *worker // for reuse
	spare    spare

	root     scope // the tasks that were added to the pool itself; has no request
	lanes    map[string]*lane
	laneList []*lane // the same, to walk through
	oldest   laneHeap
	strange  bool  // that a lane is not configured has been logged
	sweep    alarm // in the alarms of source, if there is one
	alarms   alarms
	overrun  int // of the running ones, those past their timeout
	refused  uint64
	retried  uint64
	drained  tally[uint64] // fates that a finished Drain has reported
	booked   tally[uint64] // fates that are in the books of source
	results  resultRing
	failures []failedTask // the latest, oldest first, whatever a Drain has reported
	ending   ending
}

// The phases of a pool; they only go forward.
const (
	phaseNone    = iota // not made with New
	phaseOpen           // accepts tasks
	phaseClosing        // Done was called: only scopes that are open accept
	phaseClosed         // Done has ended, or was cut: nothing accepts
)

// New makes a pool. It starts nothing: workers are started when there is work
// and end when there is none.
func New(c Config) *Pool { return newPool(c.withDefaults(), nil) }

func newPool(c Config, source *perRequest) *Pool {
	p := &Pool{config: c, source: source}
	p.plain = c.Timeout <= 0 && c.Hooks.Run == nil && c.Hooks.Ended == nil
	p.watched = c.Hooks.Ended != nil || c.Results == KeepAll
	p.workers = c.Workers
	p.root.init(p, nil)
	p.sweep.of, p.alarms.owner = p, p
	p.ending.due = endless
	p.initLanes(c.Lanes)
	p.phase.Store(phaseOpen)
	return p
}

// Default returns a pool with the zero Config that the whole process shares. It
// is made on first use. Done ends it for the whole process: there is no second.
func Default() *Pool { return defaultPool() }

var defaultPool = sync.OnceValue(func() *Pool { return New(Config{}) })

// Add accepts tasks to be run as soon as workers are free, in the order given.
// It accepts all of them or none and never blocks. Their context is the pool's
// own, with no values and no scope. An error (ErrNilTask, ErrOverloaded,
// ErrDone) means that none of them will ever run.
//
// The call of Add synchronizes before the start of its tasks, and the end of a
// task before the return of a Drain or a Done that counts it.
func (p *Pool) Add(tasks ...Task) error {
	if !p.made() {
		return ErrNoPool
	}
	if p.plain && p.source == nil { // the tasks of a pool that is gone with its request have no Done to end the pool's context
		return p.root.addNow(tasks)
	}
	return p.root.add(StartNow, tasks, nil)
}

// Submit is the long form of Add: each job has its options. It accepts all of
// them or none, blocks as little, and has Add's errors and those of a bad Job. A
// job whose Start is not StartNow is refused with an error that wraps ErrNoScope:
// the pool has no response to wait for.
func (p *Pool) Submit(jobs ...Job) error {
	if !p.made() {
		return ErrNoPool
	}
	for i := range jobs {
		if err := unstaged(&jobs[i]); err != nil {
			return p.root.refuse(len(jobs), nthTask(i, len(jobs), jobs[i].Name, err))
		}
	}
	return p.root.submit(jobs, nil)
}

func (p *Pool) submitAsync(j *Job, timed bool, work any, of promise) error {
	if !p.made() {
		return ErrNoPool
	}
	if err := unstaged(j); err != nil {
		return p.root.refuse(1, nthTask(0, 1, j.Name, err))
	}
	return p.root.submitAsync(j, timed, work, of, nil)
}

// unstaged refuses a job that has to be staged.
func unstaged(j *Job) error {
	if s := j.Start; s != StartNow && int(s) < len(startNames) {
		return fmt.Errorf("taskpool: a job that starts %v cannot be submitted to a Pool: %w", s, ErrNoScope)
	}
	return nil
}

// Resize changes how many tasks run at once; below 1 is 1. It does not block:
// tasks that run go on, and a smaller pool is reached as they end.
func (p *Pool) Resize(workers int) {
	if !p.made() {
		return
	}
	p.lock()
	if p.phase.Load() != phaseClosed {
		p.workers = min(max(workers, 1), maxWorkers)
		p.grantLocked()
	}
	p.unlock()
}

// Pause lets no further task start until Resume or Done. It does not block:
// running tasks go on. Tasks are accepted within the queue limit, and a Drain
// waits for them. After Done it does nothing.
func (p *Pool) Pause() {
	if !p.made() {
		return
	}
	p.lock()
	p.paused = p.phase.Load() == phaseOpen
	p.mu.Unlock()
}

// Resume ends a Pause, however often Pause was called.
func (p *Pool) Resume() {
	if !p.made() {
		return
	}
	p.lock()
	p.paused = false
	p.unlock()
}

func (p *Pool) made() bool { return p != nil && p.phase.Load() != phaseNone }

// unlock ends a critical section after which there may be work: it starts a
// worker if one is wanted. At most one is being started at a time; that one
// starts the next if work remains.
//
// What the engine rests on is that whenever nobody holds the lock, if a ring is not
// empty and a task may start, a worker is seeking: it will take the lock and look. So
// whoever fills a ring, frees a slot or lifts a limit has to end with unlock.
func (p *Pool) unlock() {
	if p.rings.only(&p.root.line) && !p.outlet.isOpen() { // asked here, too, so that others are spared the call
		p.openOutletLocked()
	}
	if p.seeking > 0 || p.rings.empty() || !p.mayStartLocked() {
		p.mu.Unlock()
		return
	}
	p.seeking++
	w := p.idle
	if w == nil {
		w = &worker{pool: p}
	} else {
		p.idle, w.next = w.next, nil
	}
	p.mu.Unlock()
	go w.run()
}

// mayStartLocked reports whether a worker may take something from the ring.
func (p *Pool) mayStartLocked() bool { return p.busy < p.limitLocked() && !p.paused }

// limitLocked is how many workers may be busy.
func (p *Pool) limitLocked() int { return p.workers + p.ending.extra }

// refusalLocked is why the scope s cannot accept n tasks now, or nil.
func (p *Pool) refusalLocked(s *scope, n int) error {
	phase := p.phase.Load()
	switch {
	case phase == phaseClosed, s.refused, phase == phaseClosing && s.isRoot():
		return ErrDone
	case s.closedLocked():
		return ErrScopeClosed
	case p.config.QueueLimit > 0 && n > max(p.config.QueueLimit-p.waitingLocked()+p.idleLocked(), 0): // retries and Resize may have exceeded it
		return ErrOverloaded
	}
	return nil
}

// waitingLocked is how many tasks wait, for whatever reason.
func (p *Pool) waitingLocked() int { return p.queued + p.staged + p.delayed + p.retrying }

// idleLocked is how many workers have nothing to do.
func (p *Pool) idleLocked() int { return max(p.workers-p.busy, 0) }
