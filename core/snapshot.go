package taskpool

import (
	"cmp"
	"slices"
	"time"
)

// A Snapshot is what a pool is doing at one moment, for pages, dumps and tests.
type Snapshot struct {
	Stats    Stats
	Running  []TaskInfo // those that have run longest first
	Waiting  []TaskInfo // in the order in which they are to start, as far as that is known
	Failures []Failure  // the latest first, at most 20; as far as Config.Results has them kept
}

// TaskInfo tells of one task that runs or waits.
//
// What is not submitted as a Job has no clock of its own, so that it costs nothing:
// how long it has run is counted from the first Snapshot that saw it run, and how long
// it has waited is about that of the oldest task in its queue, and 0 once it runs.
type TaskInfo struct {
	Name     string        // the job's name, or the name of its function
	State    State         // running, or what it waits for
	Lane     string        // empty: none
	Start    Start         // what it was staged for
	Priority Priority      // of a job; else PriorityNormal
	Attempt  int           // the run that it is in, or waits for; from 1
	Waited   time.Duration // from acceptance to the start of this run, or until now
	Ran      time.Duration // how long this run has taken until now
	Due      time.Time     // when its delay, its wait for another run or what holds its lane ends; zero if no time ends it
	Err      error         // of the run before, if there was one
}

// State is what an accepted task without a fate is doing: one for each of those
// numbers of Stats.
type State uint8

// The states.
const (
	StateRunning  State = iota + 1
	StateQueued         // it waits for a worker, or for room in its lane
	StateStaged         // it waits for a response to be sent
	StateDelayed        // it waits for its delay
	StateRetrying       // it waits for its next run
)

var stateNames = [...]string{"", "running", "queued", "staged", "delayed", "retrying"}

// String names the state, such as "queued".
func (s State) String() string { return enumName("State", stateNames[:], int(s)) }

// MarshalText gives the same text as String; an unknown value is an error.
func (s State) MarshalText() ([]byte, error) { return enumText("State", stateNames[:], int(s)) }

// A Failure is the result of a task that failed, panicked, was canceled or
// abandoned, and when that was.
type Failure struct {
	Time   time.Time
	Result Result
}

// keptFailures is how many a pool remembers for a Snapshot.
const keptFailures = 20

// Snapshot tells what the pool is doing: of what runs and of what waits no more than
// limit tasks each, none if limit is 0 or less; Stats has the whole numbers. All of
// it is of the same moment. It does not block but for the pool's lock, which it
// holds for a time that grows with limit, with the number of workers and with that of
// requests that have tasks, and not with how much waits. Tasks that nobody asks about
// pay nothing for it.
func (p *Pool) Snapshot(limit int) Snapshot {
	if !p.made() {
		return Snapshot{}
	}
	s := Snapshot{}
	var running, waiting []slot
	p.lock()
	now, at := ticks(), time.Now()
	s.Stats = p.statsLocked()
	for w := p.active.head; w != nil && limit > 0; w = w.next {
		if w.hasTask() && !w.abandoned {
			s.Running = append(s.Running, w.infoLocked(now))
			running = append(running, w.slot())
		}
	}
	if limit > 0 {
		for place := range p.placesLocked(nil) {
			s.Waiting = append(s.Waiting, place.infoLocked(now, at))
			waiting = append(waiting, place.slot)
			if len(waiting) == limit {
				break
			}
		}
	}
	for _, f := range p.failures {
		s.Failures = append(s.Failures, Failure{at.Add(time.Duration(f.ticks - now)), f.result})
	}
	p.mu.Unlock()

	for i, slot := range running { // names take their time
		s.Running[i].Name = nameOf(slot)
	}
	for i, slot := range waiting {
		s.Waiting[i].Name = nameOf(slot)
	}
	slices.SortFunc(s.Running, func(a, b TaskInfo) int { return cmp.Or(cmp.Compare(b.Ran, a.Ran), cmp.Compare(a.Name, b.Name)) })
	s.Running = s.Running[:min(len(s.Running), max(limit, 0))]
	slices.Reverse(s.Failures)
	return s
}

// infoLocked tells what the worker runs.
func (w *worker) infoLocked(now int64) TaskInfo {
	info := TaskInfo{Attempt: 1}
	since := w.seen.Load()
	if w.job != nil {
		info = w.job.infoLocked(now)
		if w.job.timed() && w.job.started != 0 {
			since = w.job.started
			info.Waited = time.Duration(since - w.job.accepted)
		}
	}
	if since == 0 {
		since = now
		w.seen.Store(since)
	}
	info.State, info.Ran = StateRunning, time.Duration(now-since)
	return info
}

// unseen is called when the worker goes on to another task. While nobody looks it
// costs a load of what the worker has at hand.
func (w *worker) unseen() {
	if w.seen.Load() != 0 {
		w.seen.Store(0)
	}
}

func (j *job) infoLocked(now int64) TaskInfo {
	info := TaskInfo{
		Start: j.start, Priority: j.priority, Attempt: max(j.runs(), 1), Err: j.lastErr(),
	}
	if j.timed() {
		info.Waited = time.Duration(now - j.accepted)
	}
	if f := j.full(); f != nil {
		info.Lane = f.Lane
	}
	return info
}

// infoLocked tells what waits in a place; at is now by the clock.
func (p place) infoLocked(now int64, at time.Time) TaskInfo {
	_, j, start := unpack(p.slot)
	info := TaskInfo{Start: start, Attempt: 1}
	if j != nil {
		info = j.infoLocked(now)
		info.Attempt = j.runs() + 1
	}
	if timed := j != nil && j.timed(); !timed && p.line != nil && p.line.oldest() != 0 {
		info.Waited = time.Duration(now - p.line.oldest())
	}
	info.State = p.state
	if p.due != 0 {
		info.Due = at.Add(time.Duration(p.due - now))
	}
	return info
}

// A failedTask is a Failure as the pool remembers it.
type failedTask struct {
	ticks  int64
	result Result
}

// rememberLocked keeps a failure for a Snapshot.
func (p *Pool) rememberLocked(r Result) {
	if r.Fate == FateSucceeded || r.Fate == FateDiscarded {
		return
	}
	if len(p.failures) == keptFailures {
		p.failures = slices.Delete(p.failures, 0, 1)
	}
	p.failures = append(p.failures, failedTask{ticks(), r})
}
