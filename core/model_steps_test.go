package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// newEntry makes a task with random options.
func (s *schedule) newEntry(r *request, start taskpool.Start) *entry {
	e := &entry{id: len(s.made), in: r, manner: manner(s.IntN(3)), do: make(chan func(context.Context) (bool, error))}
	s.made = append(s.made, e)
	e.job = taskpool.Job{Name: fmt.Sprintf("task %d", e.id), Start: start, Run: s.run(e), Lane: s.lanesOf[s.IntN(len(s.lanesOf))]}
	if s.priorities {
		e.job.Priority = priorities[s.IntN(3)]
	}
	if s.flooding {
		e.job.Lane, e.job.Priority = "", priorities[2-s.IntN(30)/28] // high, and a few normal
		if s.IntN(30) == 0 {
			e.job.Priority = taskpool.PriorityLow
		}
	} else if s.delays && s.IntN(3) == 0 {
		e.job.Delay = time.Duration(s.IntN(8)) * 500 * time.Millisecond
	}
	if s.timeouts && s.IntN(3) == 0 {
		e.job.Timeout = time.Duration(2*s.IntN(2e9) + 1) // odd: at no other moment
		e.heeds = s.maybe()
	}
	if s.retries && s.maybe() {
		e.retries, e.backoff = s.IntN(4), time.Duration(s.IntN(4))*700*time.Millisecond
		e.job.Retry = func(attempt int, _ error) (time.Duration, bool) { return e.backoff, attempt <= e.retries }
	}
	return e
}

// add has tasks added, by a task if there is one.
func (s *schedule) add(r *request, by *entry, n int) {
	start := taskpool.StartNow
	if r != s.pool && s.maybe() {
		start = taskpool.Start(s.IntN(4))
	}
	var entries []*entry
	var jobs []taskpool.Job
	var plain []taskpool.Task
	for range n {
		e := s.newEntry(r, start)
		entries, jobs, plain = append(entries, e), append(jobs, e.job), append(plain, e.job.Run)
	}
	var err error
	how := s.IntN(3)
	if s.streaming {
		how = 1
	}
	call := func(scope taskpool.Scope) {
		var to taskpool.Adder = scope
		if r == s.pool {
			to = s.p
		}
		switch {
		case how == 0 && n == 1: // a promise
			e := entries[0]
			e.promise, err = taskpool.AsyncJob(to, e.job, func(ctx context.Context) (int, error) { return s.body(ctx, e) })
		case how == 1 && s.plain && r == s.pool:
			err = s.p.Add(plain...)
		case how == 1 && s.plain:
			err = []func(...taskpool.Task) error{scope.Add, scope.AfterResponse, scope.OnSuccess, scope.OnFailure}[start](plain...)
		default:
			err = to.Submit(jobs...)
		}
	}
	if how == 1 && s.plain {
		for _, e := range entries {
			e.plain, e.job = true, taskpool.Job{Start: start, Run: e.job.Run}
			e.heeds = false
		}
	}
	want := s.refusal(r, entries)
	s.note("%v adds to %v, %v:", by, r, start)
	for _, e := range entries {
		s.note("    %v, lane %q, priority %v, delay %v, timeout %v, retries %d after %v", e, e.job.Lane, e.job.Priority, e.job.Delay, e.job.Timeout, e.retries, e.backoff)
	}
	if by == nil {
		call(r.scope.Scope)
	} else {
		s.tell(by, func(ctx context.Context) { call(taskpool.FromContext(ctx)) })
	}
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		s.fatalf("got %v, want %v", err, want)
	}
	if err != nil {
		s.refused += n
		return
	}
	for _, e := range entries {
		s.accept(e)
	}
}

func (e *entry) String() string {
	if e == nil {
		return "somebody"
	}
	return fmt.Sprintf("task %d", e.id)
}

func (r *request) String() string {
	if r == nil || r.id == 0 {
		return "the pool"
	}
	return fmt.Sprintf("scope %d", r.id)
}

func (s *schedule) addToPool() { s.add(s.pool, nil, 1+s.IntN(3)) }

// flood adds many tasks, mostly of high priority, and ends as many: what has a
// low one must not starve meanwhile.
func (s *schedule) flood() {
	s.flooding = true
	s.add(s.pool, nil, 100)
	s.flooding = false
	for range 90 {
		s.settle()
		s.endOne()
	}
}

// stream adds many plain tasks one by one.
func (s *schedule) stream() {
	s.streaming = true
	for range s.IntN(90) {
		s.add(s.pool, nil, 1)
	}
	s.streaming = false
}

// endMany ends all plain tasks that execute, one after the other: what does not
// queue again.
func (s *schedule) endMany() {
	for _, e := range s.tasks {
		if e.state == isRunning && e.plain {
			s.tellEnd(e)
		}
	}
}

func (s *schedule) addToScope() {
	if r := s.aScope(); r != nil {
		s.add(r, nil, 1+s.IntN(3))
	}
}

func (s *schedule) addFromTask() {
	if e := s.aTask(); e != nil && s.IntN(4) == 0 {
		s.add(s.pool, e, 1)
	} else if e != nil {
		s.add(e.in, e, 1)
	}
}

func (s *schedule) begin() {
	r := &request{id: len(s.requests) + 1, refused: s.closing}
	_, r.scope = begin(s.p, context.Background())
	s.requests = append(s.requests, r)
	s.note("begin %v", r)
}

func (s *schedule) returnOne() {
	if r := s.aScope(); r != nil {
		status := []int{200, 404}[s.IntN(2)]
		s.note("%v returns %d", r, status)
		s.returns(r, status)
		r.scope.Returned(taskpool.Outcome{Status: status})
	}
}

func (s *schedule) sendOne() {
	if r := s.aScope(); r != nil {
		s.note("%v is sent", r)
		s.send(r)
		r.scope.Sent(taskpool.ReleaseFlushed)
	}
}

func (s *schedule) fail() {
	if r := s.aScope(); r != nil {
		s.note("%v fails", r)
		r.vetoed = r.vetoed || !r.returned
		r.scope.Fail(errVeto)
	}
}

func (s *schedule) pause() {
	s.note("pause")
	s.paused = !s.closing
	s.p.Pause()
}

func (s *schedule) resume() {
	s.note("resume")
	s.paused = false
	s.p.Resume()
}

func (s *schedule) resize() {
	n := s.IntN(6)
	s.note("resize %d", n)
	s.workers = max(n, 1)
	s.p.Resize(n)
}

func (s *schedule) endOne() {
	if e := s.aTask(); e != nil {
		s.tellEnd(e)
	}
}

// tellEnd tells a task how to end.
func (s *schedule) tellEnd(e *entry) {
	failed := ending{fate: taskpool.FateFailed, err: errTask, again: true}
	how, act := failed, func() error { return errTask }
	name := []string{"ok", "ok", "ok", "error", "error", "after", "permanent", "panic", "goexit"}[s.IntN(9)]
	switch name {
	case "ok":
		how, act = ending{fate: taskpool.FateSucceeded}, func() error { return nil }
	case "after":
		how.wait = time.Duration(s.IntN(4)) * time.Second
		act = func() error { return taskpool.RetryAfter(errTask, how.wait) }
	case "permanent":
		how.again = false
		act = func() error { return taskpool.Permanent(errTask) }
	case "panic":
		how, act = ending{fate: taskpool.FatePanicked, err: errBoom}, func() error { panic(errBoom) }
	case "goexit":
		how = ending{fate: taskpool.FateFailed, err: taskpool.ErrGoexit}
		act = func() error { runtime.Goexit(); return nil }
	}
	s.note("%v ends: %s", e, name)
	s.finish(e, how)
	e.do <- func(context.Context) (bool, error) { return true, act() }
}

var (
	errBoom = errors.New("boom")
	errVeto = errors.New("veto")
)

func (s *schedule) throttle() {
	e := s.aTask()
	if e == nil {
		return
	}
	h := taskpool.RateLimit{Limit: s.IntN(3), Remaining: s.IntN(4), Refused: s.IntN(8) == 0, Reset: s.now.Add(time.Duration(s.IntN(17)-1) * 500 * time.Millisecond)}
	s.note("%v throttles %q: %d of %d until %v", e, e.job.Lane, h.Remaining, h.Limit, h.Reset.Sub(s.now))
	s.tell(e, func(ctx context.Context) { taskpool.Throttle(ctx, h) })
	if l := s.lane(e); l != nil {
		l.throttle(e, h, s.now)
	}
}

// sleep lets time pass, stopping wherever something is due, and often just
// before.
func (s *schedule) sleep() {
	until := s.now.Add(time.Duration(s.IntN(4000)) * time.Millisecond)
	if next := s.next(); s.maybe() && !next.IsZero() {
		until = next.Add(-time.Duration(s.IntN(2)))
	}
	if !s.due.IsZero() && !until.Before(s.due) { // then Done is cut
		until = s.due.Add(-1)
	}
	s.pass(until)
}

// pass lets time pass, and stops wherever something is due.
func (s *schedule) pass(until time.Time) {
	for {
		next := s.next()
		if next.IsZero() || next.After(until) {
			break
		}
		s.sleepUntil(next)
		s.settle()
	}
	s.sleepUntil(until)
}

func (s *schedule) sleepUntil(at time.Time) {
	s.note("%v pass", at.Sub(s.now))
	time.Sleep(at.Sub(s.now))
	s.elapse(at)
}
