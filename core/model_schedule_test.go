package taskpool_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

var (
	modelFor     = flag.Duration("model.for", 0, "how long, if not for a minute in full, to run TestChaosPoolDoesWhatTheModelDoes from a random seed on")
	modelSeed    = flag.Uint64("model.seed", 0, "the one seed that TestChaosPoolDoesWhatTheModelDoes is to run")
	modelStreams = flag.Bool("model.streams", false, "run it in streams")
)

// Seeds that have found a fault: a failure that nobody logs, a larger pool that
// does not give waiters their slots, a lane that remembers its quota for ever, a
// cut that leaves a waiter without a slot to give up in, a lane that forgets its
// quota when its window passes as a retry comes back, one that waits for a quota to
// fill when its window has passed.
var modelSeeds = []uint64{34, 207, 473, 12811127056914449588, 1315433654015513236, 8761226379757324841}

var modelRuns uint64 // in this process

// Random schedules of everything that can be done with a pool, step by step,
// beside the model: after each step, at rest, the pool's numbers, what runs, what
// waits and who has been told what have to be exactly the model's. A schedule
// that fails panics with its seed and its steps.
//
//	go test -run TestChaosPoolDoesWhatTheModelDoes -timeout 0 -model.for 10m   # random seeds
//	go test -run TestChaosPoolDoesWhatTheModelDoes -model.seed 12345           # one again
//
// Of every three one is in streams: many plain tasks come to the pool itself and
// end, with nothing to be looked at in between.
// A seed means the same schedule only as long as the steps draw the same numbers.
func TestChaosPoolDoesWhatTheModelDoes(t *testing.T) {
	steps := 0
	play := func(seed uint64, streams bool) {
		synctest.Test(t, func(t *testing.T) {
			s := newSchedule(t, seed, rand.NewPCG(seed, 1), streams)
			s.play()
			steps += s.step
		})
	}
	if *modelSeed != 0 {
		play(*modelSeed, *modelStreams)
		return
	}
	for _, seed := range modelSeeds {
		play(seed, false)
	}
	first, n := uint64(1), uint64(600)
	if testing.Short() || underRace { // make ci plays all of them without the detector, which takes ten times as long
		n = 150
	}
	if runs, _ := strconv.ParseUint(flag.Lookup("test.count").Value.String(), 10, 64); runs > 1 { // each plays others
		n = max(n/runs, 10)
		first += n * modelRuns
		modelRuns++
	}
	start, limit := time.Now(), *modelFor
	if limit == 0 && inFull() {
		limit = time.Minute
	}
	if limit > 0 {
		first, n = rand.Uint64(), 1<<63
	}
	for i := range n {
		if limit > 0 && time.Since(start) > limit {
			n = i
			break
		}
		play(first+i, i%3 == 2)
	}
	t.Logf("%d seeds from %d on, %d steps", n, first, steps)
}

type (
	// A schedule is one random run of a pool beside the model.
	schedule struct {
		*model
		*rand.Rand
		t     *testing.T
		seed  uint64
		p     *taskpool.Pool
		made  []*entry // also what was refused
		log   []string
		notes sync.Mutex
		kinds []func()
		turns turns
		dones []*doneCall

		// What this schedule has.
		delays, retries, timeouts, priorities, plain bool
		flooding                                     bool
		streams, streaming                           bool
		busy                                         bool // long queues, and many turns
		lanesOf                                      []string
	}

	// seen is what a task, the hook and the logger have noted. Nothing else is
	// written by them; it is read at rest.
	seen struct {
		begun, logged int
		at            time.Time // of the last begin
		executing     bool
		fates         []taskpool.Fate
		attempts      int
	}

	doneCall struct {
		cancel   context.CancelFunc
		release  context.CancelFunc // of its deadline; nil if it has none
		returned bool
		report   taskpool.Report
		err      error
	}
)

var modelLanes = map[string]taskpool.Lane{
	"one": {Limit: 1}, "two": {Limit: 2}, "paced": {Rate: 3, Per: 5 * time.Second},
	"both": {Limit: 2, Rate: 2, Per: 3 * time.Second}, "free": {},
}

func newSchedule(t *testing.T, seed uint64, from rand.Source, streams bool) *schedule {
	s := &schedule{t: t, seed: seed, streams: streams, Rand: rand.New(from), turns: newTurns()}
	s.model = &model{pool: new(request), lanes: map[string]*laneModel{}, now: time.Now()}
	for name, l := range modelLanes {
		s.lanes[name] = &laneModel{Lane: l, configured: true}
	}
	s.hooked, s.notices = s.maybe(), s.maybe()
	s.workers = 1 + s.IntN(4)
	s.limit = []int{-1, 1 + s.IntN(12), 1 + s.IntN(40)}[s.IntN(3)]
	if s.busy = s.IntN(6) == 0; s.busy {
		s.limit = -1
	}
	s.grace = 20*time.Second + time.Duration(2*s.IntN(1e9)+1) // odd: at no other moment
	s.delays, s.retries, s.timeouts, s.priorities = s.maybe(), s.maybe(), s.maybe(), s.maybe()
	s.plain = !s.hooked && s.maybe() // plain tasks have no names for the hook
	if streams {
		s.hooked, s.plain = false, true
	}
	s.lanesOf = []string{""}
	if s.maybe() {
		s.lanesOf = []string{"", "one", "two", "paced", "both", "free", "other", "unconfigured"}
	}
	c := taskpool.Config{
		Workers: s.workers, QueueLimit: s.limit, Grace: s.grace, Lanes: modelLanes,
		Results: taskpool.Results(s.IntN(3)), Logger: slog.New(s.failures()),
	}
	if s.hooked {
		c.Hooks.Ended = s.endedHook
	}
	if !streams && s.maybe() {
		c.Hooks.Run = func(ctx context.Context, _ string, next taskpool.Task) error { return next(ctx) }
	}
	if s.notices {
		c.Hooks.Drained = s.drainedHook
	}
	s.p = newPool(c)
	s.choose()
	return s
}

func (s *schedule) maybe() bool { return s.IntN(2) == 0 }

// choose makes the steps of this schedule: of each kind none, some or many.
func (s *schedule) choose() {
	add := func(weight int, f func()) {
		for range weight {
			s.kinds = append(s.kinds, f)
		}
	}
	some := func(weight int, f func()) { add(weight*s.IntN(3), f) }
	add(3, s.addToPool)
	add(3, s.addToScope)
	add(10, s.endOne)
	if s.busy {
		add(20, s.endOne)
		add(1, s.flood)
	}
	if s.streams {
		add(6, s.stream)
		add(20, s.endMany)
	}
	add(1, s.begin)
	some(1, s.begin)
	add(1, s.returnOne)
	some(2, s.returnOne)
	add(1, s.sendOne)
	some(2, s.sendOne)
	some(1, s.fail)
	some(3, s.addFromTask)
	some(2, s.throttle)
	some(3, s.waitInTask)
	some(1, s.waitForItself)
	some(2, s.waitOutside)
	some(2, s.drainPool)
	some(2, s.cancelWait)
	some(1, s.pause)
	add(1, s.resume)
	some(1, s.resize)
	some(3, s.sleep)
	add(1, s.sleep)
}

func (s *schedule) play() {
	for range 40 + s.IntN(20*len(s.kinds)/8) {
		s.kinds[s.IntN(len(s.kinds))]()
		s.settle()
	}
	if s.IntN(3) == 0 {
		s.wrapUp()
	}
	s.done()
	s.settle()
	for !s.over && s.IntN(25) > 0 {
		if s.IntN(12) == 0 {
			s.done()
		} else {
			s.kinds[s.IntN(len(s.kinds))]()
		}
		s.settle()
		if !s.due.IsZero() && !s.now.Before(s.due.Add(-time.Millisecond)) {
			break // its time is up
		}
	}
	s.conclude()
}

func (s *schedule) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf("%3d %8v ", s.step, s.now.Sub(epoch).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of a bubble

func (s *schedule) fatalf(format string, args ...any) {
	// FailNow would leave goroutines in the bubble.
	panic(fmt.Sprintf("%s\nseed %d, streams %v, steps:\n%s\n", fmt.Sprintf(format, args...), s.seed, s.streams, strings.Join(s.log, "\n")))
}

// one is any of those that pick chooses, or nil.
func one[T any](s *schedule, all []*T, pick func(*T) bool) *T {
	var can []*T
	for _, x := range all {
		if pick(x) {
			can = append(can, x)
		}
	}
	if len(can) == 0 {
		return nil
	}
	return can[s.IntN(len(can))]
}

func (s *schedule) aScope() *request { return one(s, s.requests, func(*request) bool { return true }) }

// aTask is a task that executes and can be told what to do.
func (s *schedule) aTask() *entry {
	return one(s, s.tasks, func(e *entry) bool { return e.state == isRunning })
}

// tell has a task do something that does not end it.
func (s *schedule) tell(e *entry, f func(ctx context.Context)) {
	e.do <- func(ctx context.Context) (bool, error) {
		f(ctx)
		s.noted(func() {})
		return false, nil
	}
	s.rest()
}

// rest waits until nothing moves. The race detector sees no order between what a
// goroutine did before it ended and a return of synctest.Wait.
func (s *schedule) rest() {
	synctest.Wait()
	s.noted(func() {})
}

// noted does what other goroutines than the schedule's do to its data.
func (s *schedule) noted(f func()) {
	s.notes.Lock()
	defer s.notes.Unlock()
	f()
}

// body is what a task does: what it is told.
func (s *schedule) body(ctx context.Context, e *entry) (int, error) {
	s.noted(func() {
		e.seen.begun++
		e.seen.at, e.seen.executing = time.Now(), true
	})
	defer s.noted(func() { e.seen.executing = false })
	ended := ctx.Done()
	for {
		select {
		case f := <-e.do:
			if over, err := f(ctx); over {
				return e.id, err
			}
		case <-ended:
			cut := errors.Is(context.Cause(ctx), taskpool.ErrDone)
			if !cut && e.heeds || cut && e.manner == givesUp {
				return 0, context.Cause(ctx)
			}
			if cut && e.manner == succeeds {
				return e.id, nil
			}
			ended = nil // it is stuck, or does not heed its timeout
		}
	}
}

func (s *schedule) run(e *entry) taskpool.Task {
	return func(ctx context.Context) error {
		_, err := s.body(ctx, e)
		return err
	}
}
