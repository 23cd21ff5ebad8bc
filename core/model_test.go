package taskpool_test

import (
	"context"
	"slices"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// The model is what a pool has to do, as a sequential program. Its methods are
// the rules; each is called between two moments at which everything is at rest.
// What the rules leave open, which of several queued tasks a free worker takes,
// the model is told (adopt, in model_check_test.go), and says whether it may be.

// A state is where an accepted task is.
type state int

const (
	isStaged state = iota
	isDelayed
	isQueued
	isRunning
	isLending    // runs, but waits for others and has lent its slot
	isReclaiming // its wait is over, and it has no slot yet
	isRetrying
	hasEnded
)

type (
	model struct {
		workers int
		limit   int // of the queue; negative is none
		grace   time.Duration
		hooked  bool // Hooks.Ended is set: a worker ends what never runs, and calls it
		notices bool // Hooks.Drained is set
		paused  bool
		closing bool      // Done was called
		due     time.Time // when it runs out of time; zero if it does not
		over    bool      // Done has ended
		now     time.Time
		step    int
		clocks  int // how many times were set: of those of one moment the first comes first

		tasks    []*entry // accepted, in that order
		pool     *request // for what is added to the pool itself
		requests []*request
		lanes    map[string]*laneModel
		waits    []*wait
		drainer  *wait // the Pool.Drain that waits
		fates    counts
		drained  counts // of the fates, what a finished Drain has reported
		reported counts // what Done reports
		refused  int
		retried  int // runs that failed and were to be followed by another
	}

	// An entry is a task.
	entry struct {
		id      int
		job     taskpool.Job
		plain   bool // added as a Task, not as a Job
		in      *request
		state   state
		decided taskpool.Fate // it is queued to be ended so, without a run
		fate    taskpool.Fate
		err     error
		runs    int
		late    bool      // it was given up, though it might have run again
		told    time.Time // when it last called Throttle in this run
		refused bool      // … and what it told was a refusal
		excused int       // runs that used up no attempt
		beside  int       // how many of its lane ran when it started
		started time.Time
		due     time.Time     // when its delay, or its wait for a retry, is over
		clock   int           // which of those set that was
		wait    *wait         // its last
		since   int           // the step in which its wait ended, if it reclaims its slot
		retries int           // how many its Retry allows
		backoff time.Duration // before each
		heeds   bool          // it returns when its timeout has passed
		manner  manner

		promise *taskpool.Promise[int]
		do      chan func(context.Context) (over bool, err error) // what the task is told to do next
		seen    seen
	}

	// manner is what a task does when Done cancels it.
	manner int

	// An ending is how a run ends.
	ending struct {
		fate  taskpool.Fate
		err   error
		again bool // another run is possible
		wait  time.Duration
	}

	// A line is what is queued in one place, in order.
	line struct{ tasks []*entry }

	// A request is a scope.
	request struct {
		line
		id                      int
		scope                   opened
		accepted                bool // it has had tasks
		refused                 bool // begun after Done
		returned, sent, success bool
		vetoed                  bool
		due                     time.Time // when the sweep releases it
		clock                   int       // of its return
		fates                   counts
		notified                int // calls of Hooks.Drained
		notice                  taskpool.Report
		counted                 bool // that was taken for a turn
		late                    bool // a drain of the pool had returned before
	}
)

const (
	givesUp manner = iota
	succeeds
	isStuck
)

func (m *model) count(in func(e *entry) bool) (n int) {
	for _, e := range m.tasks {
		if in(e) {
			n++
		}
	}
	return n
}

func (m *model) inState(s state) int { return m.count(func(e *entry) bool { return e.state == s }) }

// live is how many tasks the request has started that have not ended.
func (m *model) live(r *request) int {
	return m.count(func(e *entry) bool { return e.in == r && e.state != isStaged && e.state != hasEnded })
}

func (m *model) staged(r *request) int {
	return m.count(func(e *entry) bool { return e.in == r && e.state == isStaged })
}

// inQueue is how many tasks count in the queue limit.
func (m *model) inQueue() int {
	return m.inState(isQueued) + m.inState(isStaged) + m.inState(isDelayed) + m.inState(isRetrying)
}

// refusal is what adding n tasks is answered with.
func (m *model) refusal(r *request, entries []*entry) error {
	n, idle := len(entries), max(m.workers-m.inState(isRunning), 0)
	lanes := map[string]int{}
	for _, e := range entries {
		if e.job.Lane != "" {
			lanes[e.job.Lane]++
		}
	}
	switch {
	case m.over, r.refused, m.closing && r == m.pool:
		return taskpool.ErrDone
	case m.ended(r):
		return taskpool.ErrScopeClosed
	case m.limit > 0 && n > m.limit+idle-m.inQueue():
		return taskpool.ErrOverloaded
	}
	for name, n := range lanes {
		if m.limit > 0 && m.inLane(name)+n > (m.limit+1)/2+idle { // its share
			return taskpool.ErrOverloaded
		}
	}
	return nil
}

// ended: nothing can be added any more.
func (m *model) ended(r *request) bool { return r.returned && m.live(r) == 0 && m.staged(r) == 0 }

func (m *model) accept(e *entry) {
	e.in.accepted = true
	m.tasks = append(m.tasks, e)
	if e.job.Start != taskpool.StartNow && !e.in.sent {
		e.state = isStaged
		return
	}
	m.release(e)
}

// release starts what waits for no response, or no longer.
func (m *model) release(e *entry) {
	start := e.job.Start
	unwanted := start == taskpool.StartOnSuccess && !e.in.success || start == taskpool.StartOnFailure && e.in.success
	switch {
	case unwanted && !m.hooked:
		m.end(e, taskpool.FateDiscarded, errDiscarded)
	case unwanted:
		e.decided, e.err = taskpool.FateDiscarded, errDiscarded
		m.queue(e)
	case e.job.Delay > 0 && m.misses(m.now.Add(e.job.Delay)):
		m.giveUp(e)
		m.queue(e)
	case e.job.Delay > 0:
		m.holdFor(e, isDelayed, e.job.Delay)
	default:
		m.queue(e)
	}
}

func (m *model) holdFor(e *entry, s state, d time.Duration) {
	m.clocks++
	e.state, e.due, e.clock = s, m.now.Add(d), m.clocks
}

func (m *model) queue(e *entry) {
	e.state = isQueued
	l := &e.in.line
	if lane := m.lane(e); lane != nil && e.decided == 0 {
		l = &lane.line
	}
	l.tasks = append(l.tasks, e)
}

// start begins a run of a task that was queued.
func (m *model) start(e *entry) {
	e.state, e.started = isRunning, m.now
	e.runs++
	if l := m.lane(e); l != nil {
		l.start(e, m.now)
	}
}

// finish ends a run: the task runs again, or has its fate.
func (m *model) finish(e *entry, how ending) {
	if l := m.lane(e); l != nil {
		l.end(e, m.now)
	}
	if e.refused && e.excused < 20 {
		e.excused++
	}
	wait := max(e.backoff, how.wait)
	switch {
	case !how.again || e.job.Retry == nil || max(e.runs-e.excused, 1) > e.retries:
		m.end(e, how.fate, how.err)
	case m.misses(m.now.Add(wait)):
		e.late = true
		m.end(e, how.fate, how.err)
	case wait > 0:
		m.retried++
		m.holdFor(e, isRetrying, wait)
		e.err = how.err
	default:
		m.retried++
		e.err = how.err
		m.queue(e)
	}
}

// misses: Done leaves no time for what is to start then.
func (m *model) misses(at time.Time) bool { return !m.due.IsZero() && !at.Before(m.due) }

// giveUp decides how a task that waits ends without another run.
func (m *model) giveUp(e *entry) {
	if e.runs > 0 {
		e.decided, e.late = taskpool.FateFailed, true // with the error of its last run
	} else {
		e.decided, e.err = taskpool.FateCanceled, taskpool.ErrDone
	}
}

func (m *model) end(e *entry, f taskpool.Fate, err error) {
	e.state, e.fate, e.err = hasEnded, f, err
	m.fates.add(f)
	e.in.fates.add(f)
}

// returns is Exchange.Returned.
func (m *model) returns(r *request, status int) {
	if r.sent {
		return
	}
	if !r.returned {
		m.clocks++
		r.returned, r.due, r.clock = true, m.now.Add(m.grace), m.clocks
	}
	r.success = status < 400 && !r.vetoed
	if m.closing {
		m.send(r)
	}
}

// send is Exchange.Sent.
func (m *model) send(r *request) {
	if !r.returned || r.sent {
		return
	}
	r.sent = true
	for _, e := range m.tasks {
		if e.in == r && e.state == isStaged {
			m.release(e)
		}
	}
}

// close is a call of Done, with a deadline or without.
func (m *model) close(due time.Time) {
	if !m.closing {
		m.begins()
	}
	if due.IsZero() || !m.due.IsZero() && !due.Before(m.due) {
		return
	}
	m.due = due
	m.ring(func(e *entry) bool { return m.misses(e.due) })
}

// begins is what the first Done does whatever time it has.
func (m *model) begins() {
	m.closing, m.paused = true, false
	if m.drainer != nil {
		m.drainer.instead, m.drainer = true, nil
	}
	for _, r := range m.sorted() {
		if r.accepted {
			m.send(r)
		}
	}
}

// sorted gives the requests in the order in which they have returned.
func (m *model) sorted() []*request {
	return slices.SortedFunc(slices.Values(m.requests), func(a, b *request) int { return a.clock - b.clock })
}

// ring ends the waiting of the delayed and the retrying, in the order in which
// they are due.
func (m *model) ring(which func(*entry) bool) {
	var due []*entry
	for _, e := range m.tasks {
		if (e.state == isDelayed || e.state == isRetrying) && which(e) {
			due = append(due, e)
		}
	}
	slices.SortFunc(due, func(a, b *entry) int {
		if c := a.due.Compare(b.due); c != 0 {
			return c
		}
		return a.clock - b.clock
	})
	for _, e := range due {
		if m.misses(e.due) {
			m.giveUp(e)
		}
		m.queue(e)
	}
}

// elapse does what time does by itself; now is when something is due.
func (m *model) elapse(now time.Time) {
	m.now = now
	m.ring(func(e *entry) bool { return !e.due.After(now) })
	for _, r := range m.sorted() {
		if r.returned && r.accepted && !r.due.After(now) {
			m.send(r)
		}
	}
	for _, e := range m.tasks {
		if e.state == isRunning && e.heeds && e.timedOut(now) {
			m.finish(e, ending{fate: taskpool.FateFailed, err: context.DeadlineExceeded, again: true})
		}
	}
}

func (e *entry) timedOut(now time.Time) bool {
	return e.job.Timeout > 0 && !now.Before(e.started.Add(e.job.Timeout))
}

func (e *entry) executing() bool {
	return e.state == isRunning || e.state == isLending || e.state == isReclaiming
}

// overrun: it runs on, a second after its timeout.
func (e *entry) overrun(now time.Time) bool {
	return e.executing() && e.timedOut(now.Add(-time.Second))
}

// next is the first moment after now at which time does something.
func (m *model) next() (first time.Time) {
	at := func(t time.Time) {
		if t.After(m.now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, e := range m.tasks {
		switch {
		case e.state == isDelayed || e.state == isRetrying:
			at(e.due)
		case e.executing() && e.job.Timeout > 0:
			at(e.started.Add(e.job.Timeout))
			at(e.started.Add(e.job.Timeout + time.Second))
		}
	}
	for _, r := range m.requests {
		if r.returned && !r.sent && r.accepted {
			at(r.due)
		}
	}
	for _, l := range m.lanes {
		at(l.free(m.now))
	}
	return first
}

// quiet: a Drain of the pool has nothing to wait for.
func (m *model) quiet() bool {
	busy := m.count(func(e *entry) bool { return e.state != isStaged && e.state != hasEnded })
	return busy == 0 && !slices.ContainsFunc(m.requests, m.tells)
}

// tells: Hooks.Drained is still to be called for it.
func (m *model) tells(r *request) bool {
	return m.notices && r.accepted && r.sent && m.ended(r) && r.notified == 0
}

// settled: Done has nothing to wait for.
func (m *model) settled() bool {
	open := func(r *request) bool { return r.accepted && !r.returned }
	return m.closing && m.quiet() && !slices.ContainsFunc(m.requests, open)
}
