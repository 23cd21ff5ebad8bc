package taskpool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// Random schedules of jobs with every option. After each step the books must
// balance, no task runs twice at once or has two fates, no lane exceeds what it
// is allowed, and in the end everything has a fate: no lane was forgotten.
func TestLedgerHoldsUnderRandomJobs(t *testing.T) {
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 150
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { newJobsSchedule(t, seed).play() })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

type (
	jobsSchedule struct {
		*rand.Rand
		t      *testing.T
		p      *taskpool.Pool
		hooked bool
		paused bool
		scopes []taskpool.Scope
		lanes  map[string]taskpool.Lane

		mu       sync.Mutex // protects what follows, and the runs
		runs     map[string]*jobRuns
		accepted int
		late     bool // Done was cut: limits count no more
		inLane   map[string]*laneRuns
	}

	jobRuns struct {
		begun int
		now   bool
		fates []taskpool.Fate
	}

	laneRuns struct {
		running int
		starts  []time.Time
		held    bool // a task said that nothing remains
		reset   time.Time
		since   time.Time
	}
)

var laneNames = []string{"", "", "one", "two", "paced", "both", "free", "other"}

func newJobsSchedule(t *testing.T, seed uint64) *jobsSchedule {
	s := &jobsSchedule{Rand: rand.New(rand.NewPCG(seed, 2)), t: t, runs: map[string]*jobRuns{}, inLane: map[string]*laneRuns{}, hooked: seed%3 > 0}
	s.lanes = map[string]taskpool.Lane{"one": {Limit: 1}, "two": {Limit: 2}, "paced": {Rate: 3, Per: 5 * time.Second}, "both": {Limit: 2, Rate: 2, Per: 3 * time.Second}}
	for _, name := range laneNames {
		s.inLane[name] = new(laneRuns)
	}
	c := taskpool.Config{Workers: 1 + s.IntN(4), QueueLimit: []int{4, 30, -1}[s.IntN(3)], Grace: time.Hour, Lanes: s.lanes}
	if s.hooked {
		c.Hooks.Ended = s.ended
	}
	if s.IntN(2) == 0 {
		c.Timeout = time.Duration(1+s.IntN(8)) * time.Second
	}
	if s.IntN(3) == 0 {
		c.Hooks.Drained = func(context.Context, taskpool.Report) {}
	}
	s.p = newPool(c)
	return s
}

func (s *jobsSchedule) ended(_ context.Context, r taskpool.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.runs[r.Name]
	j.fates = append(j.fates, r.Fate)
	if len(j.fates) > 1 || r.Fate != taskpool.FateDiscarded && r.Attempts != j.begun {
		s.t.Errorf("%s: fates %v, attempts %d, begun %d times", r.Name, j.fates, r.Attempts, j.begun)
	}
}

// begin notes that a run begins, and checks that it may.
func (s *jobsSchedule) begin(name, in string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.runs[name]
	if j.now || len(j.fates) > 0 {
		s.t.Errorf("%s begins: running %v, fates %v", name, j.now, j.fates)
	}
	j.now = true
	j.begun++
	if in == "" || s.late {
		return
	}
	now, l, limits := time.Now(), s.inLane[in], s.lanes[in]
	l.running++
	l.starts = append(l.starts, now)
	if limits.Limit > 0 && l.running > limits.Limit {
		s.t.Errorf("lane %s: %d run", in, l.running)
	}
	if n := len(l.starts) - 1 - limits.Rate; limits.Rate > 0 && n >= 0 && now.Sub(l.starts[n]) < limits.Per {
		s.t.Errorf("lane %s: more than %d starts within %v", in, limits.Rate, now.Sub(l.starts[n]))
	}
	if l.held && now.After(l.since) && now.Before(l.reset) { // what begins at the same moment may have been before
		s.t.Errorf("lane %s: a task starts %v before its reset", in, l.reset.Sub(now))
	}
}

func (s *jobsSchedule) end(name, in string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[name].now = false
	if in != "" {
		s.inLane[in].running--
	}
}

// add submits a few random jobs; what they do is decided here, so that it does
// not depend on the order in which they run.
func (s *jobsSchedule) add(to taskpool.Adder, staged bool) {
	var jobs []taskpool.Job
	s.mu.Lock()
	for range 1 + s.IntN(4) {
		j := taskpool.Job{Name: fmt.Sprint(len(s.runs)), Lane: laneNames[s.IntN(len(laneNames))], Priority: priorities[s.IntN(3)]}
		s.runs[j.Name] = new(jobRuns)
		if s.IntN(4) == 0 {
			j.Delay = time.Duration(s.IntN(4000)) * time.Millisecond
		}
		if s.IntN(4) == 0 {
			j.Timeout = time.Duration(s.IntN(4)-1) * time.Second
		}
		if staged {
			j.Start = taskpool.Start(s.IntN(4))
		}
		if s.IntN(2) == 0 {
			wait, most := time.Duration(s.IntN(3000))*time.Millisecond, s.IntN(4)
			j.Retry = func(attempt int, _ error) (time.Duration, bool) { return wait, attempt <= most }
		}
		j.Run = s.task(j.Name, j.Lane)
		jobs = append(jobs, j)
	}
	s.mu.Unlock()
	err := to.Submit(jobs...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.accepted += len(jobs)
		return
	}
	for _, j := range jobs {
		if s.runs[j.Name].begun > 0 {
			s.t.Errorf("%s was refused and has run", j.Name)
		}
	}
}

func (s *jobsSchedule) task(name, in string) taskpool.Task {
	takes := time.Duration(s.IntN(3000)) * time.Millisecond
	how, hints, stuck := s.IntN(10), s.IntN(4) == 0, s.IntN(10) == 0
	remaining, reset := s.IntN(3), time.Duration(s.IntN(10000))*time.Millisecond
	return func(ctx context.Context) error {
		s.begin(name, in)
		defer s.end(name, in)
		if stuck {
			time.Sleep(takes)
		} else {
			select {
			case <-time.After(takes):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if hints {
			s.mu.Lock()
			taskpool.Throttle(ctx, hint(remaining, reset))
			s.inLane[in].told(remaining, reset)
			s.mu.Unlock()
		}
		switch how {
		case 0, 1, 2:
			return errTask
		case 3:
			return taskpool.RetryAfter(errTask, time.Second)
		case 4:
			return taskpool.Permanent(errTask)
		case 5:
			panic("boom")
		case 6:
			runtime.Goexit()
		}
		return nil
	}
}

// told is what a hint means for a lane in which nothing may start: less than
// the pool makes of it, which also counts what remains.
func (l *laneRuns) told(remaining int, reset time.Duration) {
	now := time.Now()
	at := now.Add(reset)
	switch {
	case reset <= 0 || now.Before(l.reset) && at.Before(l.reset.Add(-2*time.Second)):
		return
	case !now.Before(l.reset) || at.After(l.reset.Add(2*time.Second)):
		l.reset, l.held = at, remaining == 0
	default:
		l.held = l.held || remaining == 0
		if at.After(l.reset) {
			l.reset = at
		}
	}
	l.since = now
}

func (s *jobsSchedule) anyScope() (taskpool.Scope, bool) {
	if len(s.scopes) == 0 {
		return taskpool.Scope{}, false
	}
	return s.scopes[s.IntN(len(s.scopes))], true
}

func (s *jobsSchedule) step() {
	switch n := s.IntN(20); {
	case n < 4:
		s.add(s.p, false)
	case n < 8:
		if sc, ok := s.anyScope(); ok {
			s.add(sc, true)
		}
	case n < 9:
		_, sc := s.p.Begin(context.Background())
		s.scopes = append(s.scopes, sc)
	case n < 11:
		if sc, ok := s.anyScope(); ok {
			finish(sc, taskpool.Outcome{Status: []int{200, 500}[s.IntN(2)]}, taskpool.Flushed)
		}
	case n < 12:
		s.p.Pause()
		s.paused = true
	case n < 14:
		s.p.Resume()
		s.paused = false
	case n < 15:
		s.p.Resize(1 + s.IntN(4))
	default:
		time.Sleep(time.Duration(s.IntN(3000)) * time.Millisecond)
	}
}

func (s *jobsSchedule) check() {
	synctest.Wait()
	st := balanced(s.t, s.p)
	s.mu.Lock()
	defer s.mu.Unlock()
	running, fates := 0, 0
	for _, j := range s.runs {
		if j.now {
			running++
		}
		fates += len(j.fates)
	}
	switch {
	case int(st.Accepted) != s.accepted:
		s.t.Errorf("accepted: got %d, want %d", st.Accepted, s.accepted)
	case st.Running != running:
		s.t.Errorf("running: got %d, want %d", st.Running, running)
	case st.Delayed < 0 || st.Retrying < 0 || st.Overrun < 0 || st.Overrun > st.Running:
		s.t.Errorf("%+v", st)
	case s.hooked && fatesOf(st).sum() != fates:
		s.t.Errorf("fates: got %+v, want %d", fatesOf(st), fates)
	}
}

func (s *jobsSchedule) play() {
	for range 30 + s.IntN(50) {
		s.step()
		if s.check(); s.t.Failed() {
			return
		}
	}
	for _, sc := range s.scopes {
		finish(sc, taskpool.Outcome{}, taskpool.Flushed)
	}
	s.p.Resume()
	if s.IntN(2) == 0 {
		drain(s.t, s.p) // all lanes are woken again, or the bubble would be stuck here
		s.check()
		st := s.p.Stats()
		equal(s.t, "left over", st.Queued+st.Staged+st.Delayed+st.Retrying+st.Running, 0)
		done(s.t, s.p)
	} else {
		limit := time.Duration(s.IntN(20)) * time.Second
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		context.AfterFunc(ctx, func() {
			s.mu.Lock()
			s.late = true
			s.mu.Unlock()
		})
		_, err := s.p.Done(ctx)
		if err == nil && ctx.Err() == nil {
			s.check()
		}
	}
	st := balanced(s.t, s.p)
	equal(s.t, "fates", fatesOf(st).sum(), int(st.Accepted))
	equal(s.t, "delayed, retrying, overrun", fmt.Sprint(st.Delayed, st.Retrying, st.Overrun), "0 0 0")
	time.Sleep(time.Minute) // whatever was abandoned has ended
	synctest.Wait()
	equal(s.t, "stats, later", s.p.Stats(), st)
}
