package taskpool_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"github.com/elite-libs/taskpool/core"
)

// settle waits until everything is at rest, tells the model which tasks have
// been started and which have their slots back, and compares.
func (s *schedule) settle() {
	s.rest()
	for name, l := range s.lanes {
		s.forget(name, l)
	}
	s.adopt()
	for _, l := range s.lanes {
		l.waits(s.now)
	}
	if !s.over && s.settled() {
		s.over, s.reported = true, s.fates.less(s.drained)
		s.drained = s.fates
	}
	s.checkStats()
	s.checkFates(s.p.Stats())
	s.checkLanes()
	s.checkTasks()
	s.checkScopes()
	s.checkWaits()
	s.step++
	s.noted(func() {}) // orders what was read here before what a timer starts
}

// adopt tells the model what the pool has chosen to go on with, and checks that
// it might.
func (s *schedule) adopt() {
	reclaimed := slices.DeleteFunc(slices.Clone(s.tasks), func(e *entry) bool { return e.state != isReclaiming })
	free := s.inState(isRunning) < s.workers
	s.giveUpHeld()
	s.turns.before(s.ready())
	var resumed []*entry
	starts := 0
	for changed := true; changed; {
		changed = s.endWaits()
		for _, e := range s.tasks {
			if e.state == isReclaiming && e.wait.returned {
				changed = true
				resumed = append(resumed, e)
				s.takeSlot(e)
				e.state = isRunning
			}
		}
		for _, at := range s.lines() {
			n := s.adoptFrom(at, free)
			starts += n
			changed = changed || n > 0
		}
	}
	for _, r := range s.requests {
		if r.notified > 0 && !r.counted { // that was a turn of the scope, too
			r.counted = true
			s.turns.start(&r.line, taskpool.PriorityNormal)
		}
	}
	for _, e := range reclaimed {
		if e.state == isReclaiming && starts > 0 {
			s.fatalf("a queued task has started, and %v waits for its slot", e)
		}
		for _, r := range resumed {
			if e.state == isReclaiming && e.since < r.since {
				s.fatalf("%v has got its slot back before %v", r, e)
			}
		}
	}
	if err := s.turns.after(s.ready()); err != "" {
		s.fatalf("%s", err)
	}
}

// place is where tasks queue: in a scope, or in a lane.
type place struct {
	*line
	lane *laneModel
}

func (s *schedule) lines() (all []place) {
	for _, r := range append(s.requests, s.pool) {
		all = append(all, place{&r.line, nil})
	}
	for _, l := range s.lanes {
		all = append(all, place{&l.line, l})
	}
	return all
}

// adoptFrom finds what has been taken from a line.
func (s *schedule) adoptFrom(at place, free bool) (taken int) {
	stays := map[*entry]bool{}
	var older [3]bool // there is one of that priority that stays
	higherFirst := slices.Clone(at.tasks)
	slices.SortStableFunc(higherFirst, func(a, b *entry) int { return cmp.Compare(b.job.Priority, a.job.Priority) })
	for _, e := range higherFirst { // a lane counts those that run beside a task when it starts
		level := 1 - e.job.Priority
		if e.decided == 0 && e.seen.begun == e.runs || e.decided != 0 && !e.toldEnd() {
			stays[e] = true
			older[level] = true
			continue
		}
		taken++
		s.turns.start(at.line, e.job.Priority)
		switch {
		case older[level]:
			s.fatalf("%v was taken before an older one", e)
		case s.paused:
			s.fatalf("%v was taken while the pool is paused", e)
		case e.decided != 0 && !free:
			s.fatalf("%v was ended, and no worker was free", e)
		case e.decided != 0:
			s.end(e, e.decided, e.err)
			continue
		case at.lane != nil && at.lane.blocked(s.now):
			s.fatalf("%v has started, and its lane %q is blocked: %d run, starts %v, pace %+v",
				e, e.job.Lane, at.lane.running, at.lane.starts, at.lane.pace)
		case !e.seen.at.Equal(s.now):
			s.fatalf("%v has started at %v, now is %v", e, e.seen.at, s.now)
		}
		s.takeSlot(e)
		s.start(e)
	}
	at.tasks = slices.DeleteFunc(at.tasks, func(e *entry) bool { return !stays[e] })
	return taken
}

// toldEnd: the hook or the logger has been told that the task has ended.
func (e *entry) toldEnd() bool { return len(e.seen.fates)+e.seen.logged > 0 }

func (s *schedule) takeSlot(e *entry) {
	if s.inState(isRunning) >= s.workers {
		s.fatalf("%v executes beside %d others, %d are allowed", e, s.inState(isRunning), s.workers)
	}
}

// checkStats compares the numbers, and checks that nothing idles.
func (s *schedule) checkStats() {
	got := s.p.Stats()
	want := taskpool.Stats{
		Workers: s.workers, Running: s.count((*entry).executing), Queued: s.inState(isQueued), Staged: s.inState(isStaged),
		Delayed: s.inState(isDelayed), Retrying: s.inState(isRetrying),
		Overrun:  s.count(func(e *entry) bool { return e.overrun(s.now) }),
		Accepted: uint64(len(s.tasks)), Refused: uint64(s.refused), Retried: uint64(s.retried),
		Succeeded: uint64(s.fates.Succeeded), Failed: uint64(s.fates.Failed), Panicked: uint64(s.fates.Panicked),
		Discarded: uint64(s.fates.Discarded), Canceled: uint64(s.fates.Canceled), Abandoned: uint64(s.fates.Abandoned),
		Oldest: got.Oldest,
	}
	if got != want {
		s.fatalf("stats:\n got %+v\nwant %+v", got, want)
	}
	if s.inState(isRunning) >= s.workers {
		return
	}
	if n := s.inState(isReclaiming); n > 0 {
		s.fatalf("a slot is free, and %d tasks wait to have theirs back", n)
	}
	if s.paused {
		return
	}
	for _, at := range s.lines() {
		if len(at.tasks) > 0 && (at.lane == nil || !at.lane.blocked(s.now)) {
			s.fatalf("a worker is idle, and %v is queued", at.tasks[0])
		}
	}
	for _, r := range s.requests {
		if s.tells(r) {
			s.fatalf("a worker is idle, and nobody is told that %v is drained", r)
		}
	}
}

// checkLanes compares the lanes' numbers. To ask for them changes nothing.
func (s *schedule) checkLanes() {
	for _, got := range s.p.Lanes() {
		l := s.lanes[got.Name]
		if l == nil { // nothing of it was queued so far
			l = new(laneModel)
		}
		blocked := got.Block != taskpool.BlockNone
		switch {
		case got.Waiting != len(l.tasks), got.Running != l.running:
			s.fatalf("lane %q: %d wait and %d run, want %d and %d", got.Name, got.Waiting, got.Running, len(l.tasks), l.running)
		case !s.over && blocked != l.blocked(s.now):
			s.fatalf("lane %q: %v until %v, want blocked %v", got.Name, got.Block, got.Until, !blocked)
		case blocked && !got.Until.IsZero() && !got.Until.Equal(l.free(s.now)):
			s.fatalf("lane %q: %v until %v, want %v", got.Name, got.Block, got.Until, l.free(s.now))
		}
	}
}

// checkFates compares what the pool, the hook and the logger say of the fates.
func (s *schedule) checkFates(st taskpool.Stats) {
	if fatesOf(st) != s.fates {
		s.fatalf("fates: got %+v, want %+v", fatesOf(st), s.fates)
	}
	for _, e := range s.tasks {
		logged := 0
		switch e.fate {
		case taskpool.FateFailed, taskpool.FatePanicked:
			logged = 1
		case taskpool.FateCanceled, taskpool.FateAbandoned:
			if logged = 1; s.fates.Canceled+s.fates.Abandoned > 100 { // not all have a line
				logged = min(e.seen.logged, 1)
			}
		}
		switch {
		case e.seen.begun != e.runs:
			s.fatalf("%v: begun %d times, want %d", e, e.seen.begun, e.runs)
		case !e.plain && e.seen.logged != logged:
			s.fatalf("%v, %v: logged %d times", e, e.fate, e.seen.logged)
		case s.hooked && e.fate == 0 && len(e.seen.fates) > 0:
			s.fatalf("%v: the hook was told %v", e, e.seen.fates)
		case s.hooked && e.fate != 0 && (len(e.seen.fates) != 1 || e.seen.fates[0] != e.fate || e.seen.attempts != e.runs):
			s.fatalf("%v: the hook was told %v after %d runs, want %v after %d", e, e.seen.fates, e.seen.attempts, e.fate, e.runs)
		}
	}
}

// checkTasks compares which tasks execute, and which promises are settled.
func (s *schedule) checkTasks() {
	for _, e := range s.made {
		if e.seen.executing != e.executing() {
			s.fatalf("%v: executing %v, want %v", e, e.seen.executing, e.executing())
		}
		if e.promise == nil || e.state == isStaged {
			continue
		}
		select {
		case <-e.promise.Settled():
			if e.state != hasEnded && slices.Contains(s.tasks, e) {
				s.fatalf("%v is settled, and has not ended", e)
			}
		default:
			if e.state == hasEnded {
				s.fatalf("%v has ended, and is not settled", e)
			}
		}
	}
}

// checkScopes compares what waits in each scope.
func (s *schedule) checkScopes() {
	name := func(e *entry) string {
		if e.plain {
			return "plain"
		}
		return e.job.Name
	}
	for _, r := range s.requests {
		var got, want []string
		for _, j := range r.scope.Pending() {
			if !strings.HasPrefix(j.Name, "task ") {
				j.Name = "plain"
			}
			got = append(got, j.Name)
		}
		for _, e := range s.tasks {
			if e.in == r && !e.executing() && e.decided != taskpool.FateDiscarded && e.state != hasEnded {
				want = append(want, name(e))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			s.fatalf("%v, pending:\n got %v\nwant %v", r, got, want)
		}
		if o, known := r.scope.Outcome(); known != r.sent || known && o.Success() != r.success {
			s.fatalf("%v: got the outcome %+v, known %v, want success %v, known %v", r, o, known, r.success, r.sent)
		}
		if r.late {
			s.fatalf("a drain of the pool has returned before it was told that %v is drained", r)
		}
		if r.notified > 1 || r.notified == 1 && (!r.accepted || !r.sent || !s.ended(r) || countsOf(r.notice) != r.fates) {
			s.fatalf("%v: told %d times that it is drained: %+v, want %+v", r, r.notified, countsOf(r.notice), r.fates)
		}
	}
}

// checkWaits compares which waits are over, and with what.
func (s *schedule) checkWaits() {
	for _, w := range s.waits {
		want := w.over && (w.by == nil || w.by.wait != w || w.by.state != isReclaiming)
		if w.returned != want {
			s.fatalf("the wait of %v for %v: returned %v, want %v", w.by, w.what(), w.returned, want)
		}
		if !w.returned || w.checked {
			continue
		}
		w.checked = true
		switch {
		case errors.Is(w.want, errDiscarded) && w.err != nil:
		case !errors.Is(w.err, w.want) || (w.err == nil) != (w.want == nil):
			s.fatalf("the wait of %v for %v: got %v, want %v", w.by, w.what(), w.err, w.want)
		case w.promise == nil && countsOf(w.report) != w.fates:
			s.fatalf("the wait of %v for %v: got %+v, want %+v", w.by, w.what(), countsOf(w.report), w.fates)
		case w.promise != nil && w.err == nil && w.value != w.promise.id:
			s.fatalf("the wait of %v for %v: got %d", w.by, w.what(), w.value)
		}
	}
	for _, d := range s.dones {
		if d.returned != s.over {
			s.fatalf("Done has returned: %v, want %v", d.returned, s.over)
		}
	}
}

// endedHook is Hooks.Ended.
func (s *schedule) endedHook(_ context.Context, r taskpool.Result) {
	e := s.named(r.Name)
	s.noted(func() {
		e.seen.fates = append(e.seen.fates, r.Fate)
		e.seen.attempts = r.Attempts
	})
}

// drainedHook is Hooks.Drained.
func (s *schedule) drainedHook(ctx context.Context, r taskpool.Report) {
	for range 10 {
		runtime.Gosched() // whoever does not wait for the hook returns meanwhile
	}
	scope := taskpool.FromContext(ctx)
	for _, q := range s.requests {
		if q.scope.Scope == scope {
			s.noted(func() {
				q.notified, q.notice = q.notified+1, r
				for _, w := range s.waits {
					early := w.returned && !w.over && !w.canceled && !w.instead
					q.late = q.late || early && w.promise == nil && w.scope == nil
				}
			})
		}
	}
}

func (s *schedule) named(name string) *entry {
	var id int
	if _, err := fmt.Sscanf(name, "task %d", &id); err != nil {
		return new(entry) // a plain one
	}
	return s.made[id]
}

// failures is a logger that notes in each task how often its failure is logged.
func (s *schedule) failures() slog.Handler { return failureLog{slog.DiscardHandler, s} }

type failureLog struct {
	slog.Handler
	s *schedule
}

func (failureLog) Enabled(context.Context, slog.Level) bool { return true }

func (l failureLog) Handle(_ context.Context, r slog.Record) error {
	if r.Level != slog.LevelError {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "task" {
			e := l.s.named(a.Value.String())
			l.s.noted(func() { e.seen.logged++ })
		}
		return a.Key != "task"
	})
	return nil
}
