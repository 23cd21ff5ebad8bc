package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// Random schedules, step by step, beside a sequential model of what has to be:
// after each step the books must balance, and say what the model says.
func TestLedgerHoldsUnderRandomSchedules(t *testing.T) {
	seeds := uint64(600)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { newSchedule(t, seed).play() })
		if t.Failed() {
			return
		}
	}
}

type (
	// A schedule is one random run and its model.
	schedule struct {
		*rand.Rand
		t       *testing.T
		seed    uint64
		p       *taskpool.Pool
		hooked  bool // Hooks.Ended is set
		workers int
		limit   int
		paused  bool
		closing bool // Done was called
		entries []*entry
		pool    *request // for what is added to the pool itself
		scopes  []*request
		drains  []*waiting
		drained counts // in the reports of finished drains
		log     []string

		mu sync.Mutex // protects what tasks and hooks write: of entries, begun, executing, ended
	}

	// An entry is an accepted task in the model.
	entry struct {
		id        int
		in        *request
		start     taskpool.Start
		manner    int // what it does if it is canceled: 0 gives up, 1 succeeds, 2 is stuck
		how       chan ending
		told      bool // how it is to end
		due       taskpool.Fate
		begun     int
		executing bool
		discarded bool // it is to be
		fate      taskpool.Fate
		child     *entry
	}

	ending struct {
		what  string
		child *entry
	}

	// A request is a scope in the model.
	request struct {
		taskpool.Scope
		ctx            context.Context
		returned, sent bool
		success        bool
		vetoed         bool
		accepted       bool
		staged, queue  []*entry // queue: what was started, in order
	}

	// waiting is a drain of the pool, or of a scope.
	waiting struct {
		of     *request // nil: the pool
		cancel context.CancelFunc
		done   chan struct{}
		seen   bool
		report taskpool.Report
		err    error
	}
)

var errVeto = errors.New("veto")

func newSchedule(t *testing.T, seed uint64) *schedule {
	s := &schedule{t: t, seed: seed, Rand: rand.New(rand.NewPCG(seed, 1)), pool: new(request)}
	s.hooked = seed%2 == 0
	s.workers = 1 + s.IntN(3)
	s.limit = 1 + s.IntN(12)
	c := taskpool.Config{Workers: s.workers, QueueLimit: s.limit, Grace: 24 * time.Hour, Results: taskpool.Results(s.IntN(3))}
	if s.hooked {
		c.Hooks.Ended = s.ended
	}
	if s.IntN(2) == 0 {
		c.Hooks.Run = func(ctx context.Context, _ string, next taskpool.Task) error { return next(ctx) }
	}
	if s.IntN(2) == 0 {
		c.Hooks.Drained = func(context.Context, taskpool.Report) {}
	}
	s.p = newPool(c)
	return s
}

func (s *schedule) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

func (s *schedule) fatalf(format string, args ...any) {
	s.t.Helper()
	// FailNow would leave goroutines in the bubble.
	panic(fmt.Sprintf("seed %d: %s\nsteps:\n%s", s.seed, fmt.Sprintf(format, args...), strings.Join(s.log, "\n")))
}

func (s *schedule) ended(_ context.Context, r taskpool.Result) {
	var id int
	_, _ = fmt.Sscanf(r.Name, "task %d", &id) // 0 is no task
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	if e.fate != 0 {
		s.fatalf("%s ended twice: %v, %v", r.Name, e.fate, r.Fate)
	}
	e.fate = r.Fate
}

func (s *schedule) newEntry(in *request, start taskpool.Start) *entry {
	e := &entry{id: len(s.entries), in: in, start: start, manner: s.IntN(3), how: make(chan ending, 1)}
	s.mu.Lock()
	s.entries = append(s.entries, e)
	s.mu.Unlock()
	return e
}

func (s *schedule) job(e *entry) taskpool.Job {
	return taskpool.Job{Name: fmt.Sprintf("task %d", e.id), Start: e.start, Run: s.task(e)}
}

// fates without the hook: the task notes what it is going to be.
func (s *schedule) set(e *entry, f taskpool.Fate) {
	if s.hooked {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.fate = f
}

func (s *schedule) task(e *entry) taskpool.Task {
	return func(ctx context.Context) error {
		s.mu.Lock()
		e.begun++
		e.executing = true
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			e.executing = false
			s.mu.Unlock()
		}()
		var how ending
		select {
		case how = <-e.how:
		case <-ctx.Done():
			switch e.manner {
			case 0:
				return context.Cause(ctx)
			case 1:
				return nil
			}
			<-e.how // stuck
			return errTask
		}
		if how.child != nil {
			submit := s.p.Submit
			if sc := taskpool.FromContext(ctx); sc.Pool() != nil {
				submit = sc.Submit
			}
			if submit(s.job(how.child)) == nil {
				e.child = how.child
			}
		}
		switch how.what {
		case "error":
			s.set(e, taskpool.FateFailed)
			return errTask
		case "panic":
			s.set(e, taskpool.FatePanicked)
			panic("boom")
		case "goexit":
			s.set(e, taskpool.FateFailed)
			runtime.Goexit()
		}
		s.set(e, taskpool.FateSucceeded)
		return nil
	}
}

// live is whether the request has a task that was started and has not ended.
func (s *schedule) live(r *request) bool {
	for _, e := range s.entries {
		if e.in == r && e.fate == 0 && (e.discarded || s.isQueued(e)) {
			return true
		}
	}
	return false
}

func (s *schedule) isQueued(e *entry) bool {
	for _, q := range e.in.queue {
		if q == e {
			return true
		}
	}
	return false
}

// wantRefusal is what adding n tasks must be answered with.
func (s *schedule) wantRefusal(r *request, n int) error {
	st := s.p.Stats()
	switch {
	case s.closing && r == s.pool:
		return taskpool.ErrDone
	case r.returned && len(r.staged) == 0 && !s.live(r):
		return taskpool.ErrScopeClosed
	case n > s.limit+max(s.workers-st.Running, 0)-st.Queued-st.Staged:
		return taskpool.ErrOverloaded
	}
	return nil
}

// accept books an accepted task in the model.
func (s *schedule) accept(e *entry) {
	r := e.in
	r.accepted = true
	switch {
	case e.start == taskpool.StartNow:
		r.queue = append(r.queue, e)
	case !r.sent:
		r.staged = append(r.staged, e)
	default:
		s.judge(e)
	}
}

func (s *schedule) judge(e *entry) {
	if e.start == taskpool.StartOnSuccess && !e.in.success || e.start == taskpool.StartOnFailure && e.in.success {
		e.discarded = true
		s.set(e, taskpool.FateDiscarded)
		return
	}
	e.in.queue = append(e.in.queue, e)
}

func (s *schedule) send(r *request) {
	r.sent = true
	for _, e := range r.staged {
		s.judge(e)
	}
	r.staged = nil
}

func (s *schedule) add(r *request, start taskpool.Start) {
	n := 1 + s.IntN(3)
	want := s.wantRefusal(r, n)
	first := len(s.entries)
	var jobs []taskpool.Job
	for range n {
		jobs = append(jobs, s.job(s.newEntry(r, start)))
	}
	var err error
	if r == s.pool {
		err = s.p.Submit(jobs...)
	} else {
		err = r.Submit(jobs...)
	}
	s.note("add %d %v to %p: %v", n, start, r, err)
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		s.fatalf("got %v, want %v", err, want)
	}
	if err != nil {
		synctest.Wait() // nothing of it may come
		s.mu.Lock()
		s.entries = s.entries[:first]
		s.mu.Unlock()
		return
	}
	for _, e := range s.entries[first:] {
		s.accept(e)
	}
}

func (s *schedule) anyScope() *request {
	if len(s.scopes) == 0 {
		return nil
	}
	return s.scopes[s.IntN(len(s.scopes))]
}

func (s *schedule) step() {
	switch n := s.IntN(24); {
	case n < 2:
		s.add(s.pool, taskpool.StartNow)
	case n < 7:
		if r := s.anyScope(); r != nil {
			s.add(r, taskpool.Start(s.IntN(4)))
		}
	case n < 8:
		if s.closing {
			return
		}
		r := new(request)
		r.ctx, r.Scope = s.p.Begin(context.Background())
		s.scopes = append(s.scopes, r)
		s.note("begin %p", r)
	case n < 14:
		s.end()
	case n < 16:
		if r := s.anyScope(); r != nil && !r.returned {
			status := []int{200, 404}[s.IntN(2)]
			s.note("return %p %d", r, status)
			r.returned = true
			r.success = status < 400 && !r.vetoed
			r.Returned(taskpool.Outcome{Status: status})
			if s.closing {
				s.send(r)
			}
		}
	case n < 18:
		if r := s.anyScope(); r != nil {
			s.note("send %p", r)
			r.Sent(taskpool.Flushed)
			if r.returned && !r.sent {
				s.send(r)
			}
		}
	case n < 19:
		if r := s.anyScope(); r != nil {
			s.note("fail %p", r)
			r.Fail(errVeto)
			r.vetoed = r.vetoed || !r.returned
		}
	case n < 20:
		s.note("pause")
		s.p.Pause()
		s.paused = !s.closing
	case n < 21:
		s.note("resume")
		s.p.Resume()
		s.paused = false
	case n < 22:
		s.workers = s.IntN(5)
		s.note("resize %d", s.workers)
		s.p.Resize(s.workers)
		s.workers = max(s.workers, 1)
	case n < 23:
		s.drain(nil)
		if r := s.anyScope(); r != nil {
			s.drain(r)
		}
	default:
		if len(s.drains) > 0 {
			s.note("cancel a drain")
			s.drains[s.IntN(len(s.drains))].cancel()
		}
	}
}

// end tells one executing task how to end.
func (s *schedule) end() {
	var can []*entry
	for _, e := range s.entries {
		if e.executing && !e.told {
			can = append(can, e)
		}
	}
	if len(can) == 0 {
		return
	}
	e := can[s.IntN(len(can))]
	how := ending{what: []string{"ok", "ok", "error", "panic", "goexit"}[s.IntN(5)]}
	var want error
	if s.IntN(3) == 0 {
		start := taskpool.StartNow
		if e.in != s.pool {
			start = taskpool.Start(s.IntN(4))
		}
		want = s.wantRefusal(e.in, 1)
		how.child = s.newEntry(e.in, start)
	}
	e.told = true
	e.due = map[string]taskpool.Fate{"ok": taskpool.FateSucceeded, "panic": taskpool.FatePanicked}[how.what]
	if e.due == 0 {
		e.due = taskpool.FateFailed
	}
	e.how <- how
	synctest.Wait()
	s.note("end %d %s child %v", e.id, how.what, e.child != nil)
	if how.child == nil {
		return
	}
	if (e.child != nil) != (want == nil) {
		s.fatalf("nested add: accepted %v, want %v", e.child != nil, want)
	}
	if e.child == nil {
		s.mu.Lock()
		s.entries = s.entries[:len(s.entries)-1]
		s.mu.Unlock()
		return
	}
	s.accept(e.child)
}

func (s *schedule) drain(r *request) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &waiting{of: r, cancel: cancel, done: make(chan struct{})}
	s.drains = append(s.drains, w)
	s.note("drain %p", r)
	go func() {
		defer close(w.done)
		if r == nil {
			w.report, w.err = s.p.Drain(ctx)
		} else {
			w.report, w.err = r.Drain(ctx)
		}
	}()
}

// check compares the pool with the model; everything is at rest.
func (s *schedule) check() {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.p.Stats()
	if got := st.Running + st.Queued + st.Staged + st.Delayed + st.Retrying + fatesOf(st).sum(); got != int(st.Accepted) {
		s.fatalf("the ledger does not hold: %+v", st)
	}
	var executing, staged, discards int
	var fates counts
	for _, e := range s.entries {
		if e.begun > 1 || e.begun == 1 && e.discarded {
			s.fatalf("task %d has begun %d times, discarded %v", e.id, e.begun, e.discarded)
		}
		switch {
		case e.executing:
			executing++
		case e.fate != 0:
			fates.add(e.fate)
		case e.discarded:
			discards++ // queued for the hook
		}
	}
	for _, r := range s.scopes {
		staged += len(r.staged)
		open := false
		for _, e := range r.queue {
			if open && e.begun > 0 {
				s.fatalf("task %d has begun out of order", e.id)
			}
			open = open || e.begun == 0
		}
	}
	switch {
	case int(st.Accepted) != len(s.entries):
		s.fatalf("accepted: got %d, want %d", st.Accepted, len(s.entries))
	case st.Running != executing:
		s.fatalf("running: got %d, want %d", st.Running, executing)
	case st.Staged != staged:
		s.fatalf("staged: got %d, want %d", st.Staged, staged)
	case fatesOf(st) != fates:
		s.fatalf("fates: got %+v, want %+v", fatesOf(st), fates)
	case !s.paused && st.Queued > 0 && st.Running < st.Workers:
		s.fatalf("a worker is idle while tasks are queued: %+v", st)
	case discards > st.Queued:
		s.fatalf("discards %d, queued %d", discards, st.Queued)
	case st.Workers != s.workers:
		s.fatalf("workers: got %d, want %d", st.Workers, s.workers)
	}
	s.checkDrains(st)
}

func (s *schedule) checkDrains(st taskpool.Stats) {
	quiet := st.Running+st.Queued == 0 && !s.paused
	pools := 0
	for _, w := range s.drains {
		select {
		case <-w.done:
		default:
			switch {
			case w.of == nil && quiet:
				s.fatalf("a drain waits for nothing")
			case w.of != nil && !s.live(w.of):
				s.fatalf("a scope's drain waits for nothing")
			case w.of == nil:
				pools++
			}
			continue
		}
		if w.seen {
			continue
		}
		w.seen = true
		switch {
		case w.err == nil && w.of == nil:
			s.drained = s.drained.plus(countsOf(w.report))
		case w.err == nil && s.live(w.of):
			s.fatalf("a scope's drain ended before its tasks")
		case errors.Is(w.err, taskpool.ErrSuperseded) && countsOf(w.report) != counts{}:
			s.fatalf("a superseded drain reports %+v", w.report)
		}
	}
	if pools > 1 {
		s.fatalf("%d drains wait", pools)
	}
}

func (s *schedule) play() {
	for range 40 + s.IntN(60) {
		s.step()
		s.check()
	}
	if s.IntN(3) == 0 {
		s.wrapUp()
	}
	limit := time.Duration(s.IntN(4)) * time.Second
	s.note("done within %v", limit)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s.closing, s.paused = true, false
	for _, r := range s.scopes {
		if r.returned && !r.sent {
			s.send(r)
		}
	}
	end := &waiting{done: make(chan struct{})}
	start := time.Now()
	go func() {
		defer close(end.done)
		end.report, end.err = s.p.Done(ctx)
	}()
	synctest.Wait()
	for limit > 0 && s.IntN(12) > 0 {
		select {
		case <-end.done: // it is over: nothing is accepted any more
			s.conclude(end, start, limit)
			return
		default:
		}
		s.check()
		s.step()
	}
	if limit > 0 {
		s.check()
	}
	s.conclude(end, start, limit)
}

// wrapUp ends what there is in good order.
func (s *schedule) wrapUp() {
	s.note("wrap up")
	s.p.Resume()
	s.paused = false
	for _, r := range s.scopes {
		if !r.returned {
			r.returned, r.success = true, !r.vetoed
			r.Returned(taskpool.Outcome{Status: 200})
		}
		if !r.sent {
			r.Sent(taskpool.Flushed)
			s.send(r)
		}
	}
	for s.check(); s.p.Stats().Running > 0; s.check() {
		s.end()
	}
	if st := s.p.Stats(); st.Queued+st.Staged > 0 {
		s.fatalf("left over: %+v", st)
	}
}

// conclude checks what Done has made of everything.
func (s *schedule) conclude(end *waiting, start time.Time, limit time.Duration) {
	<-end.done
	synctest.Wait()
	st := s.p.Stats()
	if got := fatesOf(st).sum(); got != int(st.Accepted) || int(st.Accepted) != len(s.entries) {
		s.fatalf("after Done: %d tasks, %d fates: %+v", len(s.entries), got, st)
	}
	var want counts
	for _, e := range s.entries {
		f := e.fate
		switch {
		case s.hooked && f == 0:
			s.fatalf("task %d has no fate", e.id)
		case s.hooked: // it is checked against what is due
			due := e.due
			switch {
			case e.told:
			case e.begun > 0:
				due = [...]taskpool.Fate{taskpool.FateCanceled, taskpool.FateSucceeded, taskpool.FateAbandoned}[e.manner]
			case e.discarded:
				due = taskpool.FateDiscarded
			default:
				due = taskpool.FateCanceled
			}
			if f != due {
				s.fatalf("task %d: got %v, want %v", e.id, f, due)
			}
		case f != 0:
		case e.begun > 0:
			f = [...]taskpool.Fate{taskpool.FateCanceled, taskpool.FateSucceeded, taskpool.FateAbandoned}[e.manner]
		default:
			f = taskpool.FateCanceled
		}
		e.fate = f
		want.add(f)
	}
	s.mu.Lock()
	s.checkDrains(st)
	s.mu.Unlock()
	if fatesOf(st) != want {
		s.fatalf("fates: got %+v, want %+v", fatesOf(st), want)
	}
	if got := s.drained.plus(countsOf(end.report)); got != want {
		s.fatalf("in the reports: %+v, want %+v", got, want)
	}
	after := elapsed(start)
	switch {
	case end.err == nil && want.Canceled+want.Abandoned > 0, end.err != nil && !errors.Is(end.err, context.DeadlineExceeded):
		s.fatalf("Done: %v", end.err)
	case end.err == nil && after != 0:
		s.fatalf("Done took %v", after)
	case end.err != nil && want.Abandoned > 0 && after != limit+time.Second,
		end.err != nil && want.Abandoned == 0 && after != limit:
		s.fatalf("Done took %v, limit %v, abandoned %d", after, limit, want.Abandoned)
	}
	for _, e := range s.entries { // the stuck ones
		select {
		case e.how <- ending{}:
		default:
		}
	}
	for _, r := range s.scopes {
		finish(r.Scope, taskpool.Outcome{}, taskpool.Flushed)
	}
	synctest.Wait()
	if after := s.p.Stats(); after != st {
		s.fatalf("stats after late returns: got %+v, want %+v", after, st)
	}
	for _, e := range s.entries {
		if e.begun > 1 {
			s.fatalf("task %d has begun %d times", e.id, e.begun)
		}
	}
	for _, w := range s.drains {
		<-w.done
		w.cancel()
	}
}

// On real threads: several producers, a reader of the stats, drains.
func TestLedgerHoldsOnRealThreads(t *testing.T) {
	for _, procs := range []int{1, 2, 4} {
		for _, hooked := range []bool{false, true} {
			t.Run(fmt.Sprintf("GOMAXPROCS=%d/hooked=%v", procs, hooked), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				var told atomic.Int64
				c := taskpool.Config{Workers: 3, QueueLimit: 200}
				if hooked {
					c.Hooks.Ended = func(context.Context, taskpool.Result) { told.Add(1) }
				}
				p := newPool(c)
				var accepted, ran atomic.Int64
				note := func(n int, err error) {
					switch {
					case err == nil:
						accepted.Add(int64(n))
					case !errors.Is(err, taskpool.ErrOverloaded):
						t.Error(err)
					}
				}
				task := func(end taskpool.Task) taskpool.Task {
					return func(ctx context.Context) error {
						ran.Add(1)
						return end(ctx)
					}
				}
				nested := func(ctx context.Context) error {
					note(1, taskpool.FromContext(ctx).Add(task(nop)))
					return nil
				}
				var producers, others sync.WaitGroup
				for range 4 {
					producers.Go(func() {
						for i := range 300 {
							note(1, p.Add(task(nop)))
							_, s := p.Begin(context.Background())
							note(2, s.Add(task(nested), task(panicking)))
							note(2, s.OnSuccess(task(failing), task(exiting)))
							o := taskpool.Outcome{Status: 200 + 300*(i%2)}
							finish(s, o, taskpool.Flushed)
							if i%50 == 0 {
								_, err := s.Drain(context.Background())
								must(t, err)
							}
						}
					})
				}
				stop := make(chan struct{})
				others.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						default:
						}
						st := p.Stats()
						if st.Running+st.Queued+st.Staged+fatesOf(st).sum() != int(st.Accepted) {
							t.Errorf("the ledger does not hold: %+v", st)
							return
						}
						p.Resize(1 + i%4)
						ctx, cancel := context.WithCancel(context.Background())
						go cancel()
						_, _ = p.Drain(ctx)
						cancel()
						runtime.Gosched() // workers yield, so must who spins
					}
				})
				producers.Wait()
				close(stop)
				others.Wait()
				done(t, p)
				st := balanced(t, p)
				equal(t, "accepted", int64(st.Accepted), accepted.Load())
				equal(t, "ran", uint64(ran.Load()), st.Accepted-st.Discarded)
				if hooked {
					equal(t, "Ended", told.Load(), accepted.Load())
				}
			})
		}
	}
}
