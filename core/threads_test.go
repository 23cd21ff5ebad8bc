package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// On real threads, with nothing that orders the operations: producers add tasks
// that end in every way, while others pause, resize and drain the pool, read its
// numbers, and call Done. In full that takes a minute (two under -race), else two
// seconds, and less with -short.
func TestChaosLedgerHoldsOnRealThreads(t *testing.T) {
	rounds := 8
	switch {
	case inFull():
		rounds = 500
	case testing.Short():
		rounds = 3
	}
	for _, procs := range []int{1, 2, 4, 8} {
		for _, cut := range []bool{false, true} {
			t.Run(fmt.Sprintf("GOMAXPROCS=%d/cut=%v", procs, cut), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				for round := range rounds {
					c := newChaos(t, round, cut)
					c.stuck = cut && round%64 == 0 && procs%3 == 2 // takes a second
					c.play()
					if t.Failed() {
						t.Fatalf("round %d", round)
					}
				}
			})
		}
	}
}

type (
	chaos struct {
		t       *testing.T
		p       *taskpool.Pool
		cut     bool
		hooked  bool
		early   bool // Done is called while tasks are added
		stuck   bool // some tasks are, until release is closed
		release chan struct{}

		mu       sync.Mutex // protects what follows
		made     map[string]*chaosTask
		accepted int
	}
)

const chaosOps = 150 // of each producer

func newChaos(t *testing.T, round int, cut bool) *chaos {
	c := &chaos{t: t, cut: cut, early: cut || round%2 == 1, hooked: round%3 > 0, release: make(chan struct{}), made: map[string]*chaosTask{}}
	config := taskpool.Config{
		Workers: 1 + round%5, QueueLimit: []int{-1, 20, 200}[round%3], Grace: time.Duration(1+round%2) * time.Millisecond,
		Logger: slog.New(&blockingLog{Handler: slog.DiscardHandler}),
		Lanes: map[string]taskpool.Lane{
			"one": {Limit: 1}, "paced": {Rate: 20, Per: time.Millisecond}, "both": {Limit: 2, Rate: 10, Per: time.Millisecond},
		},
		Results: taskpool.Results(round % 3),
	}
	if round%2 == 0 {
		config.Hooks.Drained = func(context.Context, taskpool.Report) { panic("Drained panics") }
	}
	if c.hooked {
		config.Hooks.Ended = c.ended
	}
	if round%4 == 1 {
		var runs atomic.Int32
		config.Hooks.Run = func(ctx context.Context, _ string, next taskpool.Task) error {
			switch runs.Add(1) % 10 {
			case 0:
				panic("Run panics before the task") // it is run all the same
			case 5:
				_ = next(ctx)
				panic("Run panics after the task") // its result stands
			}
			return next(ctx)
		}
	}
	c.p = newPool(config)
	return c
}

// ended is Hooks.Ended; it panics now and then, when it has noted what it was told.
func (c *chaos) ended(_ context.Context, r taskpool.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	task := c.made[r.Name]
	task.told.Store(true)
	task.fates = append(task.fates, r.Fate)
	if len(c.made)%9 == 0 {
		panic("Ended panics")
	}
}

// add submits a few jobs and notes whether they were accepted.
func (c *chaos) add(r *rand.Rand, to taskpool.Adder, start taskpool.Start, depth int) {
	var jobs []taskpool.Job
	for range 1 + r.IntN(3) {
		jobs = append(jobs, c.job(r, start, depth))
	}
	if c.hooked || r.IntN(2) == 0 {
		c.booked(to.Submit(jobs...), jobs...)
		return
	}
	var tasks []taskpool.Task // without options, and without names for the hook
	for _, j := range jobs {
		tasks = append(tasks, j.Run)
	}
	var err error
	switch to := to.(type) {
	case *taskpool.Pool:
		err = to.Add(tasks...)
	case taskpool.Scope:
		err = []func(...taskpool.Task) error{to.Add, to.AfterResponse, to.OnSuccess, to.OnFailure}[start](tasks...)
	}
	c.booked(err, jobs...)
}

func (c *chaos) booked(err error, jobs ...taskpool.Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.accepted += len(jobs)
		for _, j := range jobs {
			c.made[j.Name].accepted = true
		}
		return
	}
	if !errors.Is(err, taskpool.ErrOverloaded) && !errors.Is(err, taskpool.ErrDone) && !errors.Is(err, taskpool.ErrScopeClosed) {
		c.t.Error(err)
	}
}

// await awaits a promise, sometimes not to the end.
func (c *chaos) await(ctx context.Context, r *rand.Rand, depth int) {
	j := c.job(r, taskpool.StartNow, depth+1)
	j.Lane = ""
	run := j.Run
	promise, err := taskpool.AsyncJob(adder(ctx, c.p), j, func(ctx context.Context) (int, error) { return 7, run(ctx) })
	c.booked(err, j)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(1+r.IntN(2000))*time.Microsecond)
	defer cancel()
	if v, err := promise.Await(ctx); err == nil && v != 7 {
		c.t.Errorf("Await: got %d", v)
	}
}

// produce is what handlers do.
func (c *chaos) produce(r *rand.Rand) {
	for range chaosOps {
		switch r.IntN(4) {
		case 0:
			c.add(r, c.p, taskpool.StartNow, 0)
		case 1:
			c.await(context.Background(), r, 0)
		default:
			_, s := begin(c.p, context.Background())
			for range r.IntN(3) {
				c.add(r, s.Scope, taskpool.Start(r.IntN(4)), 0)
			}
			if r.IntN(4) == 0 {
				s.Fail(errVeto)
			}
			s.Returned(taskpool.Outcome{Status: 200 + 300*r.IntN(2)})
			switch r.IntN(4) {
			case 0: // to be released by the sweep, or by Done
			case 1:
				c.drain(r, s.Drain)
				fallthrough
			default:
				s.Sent(taskpool.ReleaseFlushed)
			}
		}
	}
}

// drain drains, often not to the end.
func (c *chaos) drain(r *rand.Rand, drain func(context.Context) (taskpool.Report, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(3000))*time.Microsecond)
	defer cancel()
	_, err := drain(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, taskpool.ErrSuperseded) {
		c.t.Error(err)
	}
}

// disturb is what operators do, until stop is closed.
func (c *chaos) disturb(r *rand.Rand, stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		switch r.IntN(4) {
		case 0:
			c.p.Pause()
			runtime.Gosched()
			c.p.Resume()
		case 1:
			c.p.Resize(r.IntN(6))
		default:
			c.drain(r, c.p.Drain)
		}
		runtime.Gosched()
	}
}

// sample checks the ledger until stop is closed.
func sample(t *testing.T, p *taskpool.Pool, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		s := p.Stats()
		sum := s.Running + s.Queued + s.Staged + s.Delayed + s.Retrying + fatesOf(s).sum()
		if sum != int(s.Accepted) || min(s.Running, s.Queued, s.Staged, s.Delayed, s.Retrying) < 0 {
			t.Errorf("the ledger does not hold: %+v", s)
			return
		}
		runtime.Gosched()
	}
}

func (c *chaos) play() {
	before := runtime.NumGoroutine()
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	stop := make(chan struct{})
	var producers, others sync.WaitGroup
	for range 4 {
		r := rand.New(rand.NewPCG(r.Uint64(), 1))
		producers.Go(func() { c.produce(r) })
	}
	for range 2 {
		r := rand.New(rand.NewPCG(r.Uint64(), 2))
		others.Go(func() { c.disturb(r, stop) })
	}
	others.Go(func() { sample(c.t, c.p, stop) })

	if c.early { // Done comes in the middle of everything
		for range r.IntN(2000) {
			runtime.Gosched()
		}
	} else {
		producers.Wait()
	}
	ctx := context.Background()
	if c.cut { // and has little time
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(3000))*time.Microsecond)
		defer cancel()
	}
	var dones sync.WaitGroup
	for range 2 {
		dones.Go(func() {
			report, err := c.p.Done(ctx)
			if lost := report.Canceled + report.Abandoned; err == nil && lost > 0 || err != nil && !c.cut {
				c.t.Errorf("Done: %v, %+v", err, countsOf(report))
			}
		})
	}
	dones.Wait()
	close(c.release)
	producers.Wait()
	close(stop)
	others.Wait()
	st := balanced(c.t, c.p)
	c.conclude(st)
	c.settle(before)
	if late := c.p.Stats(); fatesOf(late) != fatesOf(st) {
		c.t.Errorf("late returns have changed the fates: %+v, %+v", st, late)
	}
}

// conclude compares the books with what the tasks have seen.
func (c *chaos) conclude(st taskpool.Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if got := fatesOf(st).sum(); got != int(st.Accepted) || got != c.accepted {
		c.t.Errorf("%d fates of %d tasks, %d were accepted", got, st.Accepted, c.accepted)
	}
	var seen, told counts
	for _, task := range c.made {
		f := taskpool.Fate(task.ended.Load())
		switch {
		case !task.accepted && (task.runs.Load() > 0 || len(task.fates) > 0):
			c.t.Errorf("%s was refused: %d runs, fates %v", task.name, task.runs.Load(), task.fates)
		case !task.accepted:
			continue
		case c.hooked && len(task.fates) != 1:
			c.t.Errorf("%s: fates %v", task.name, task.fates)
		case c.hooked:
			told.add(task.fates[0])
		}
		if f == 0 { // it never ran
			f = taskpool.FateDiscarded
		}
		seen.add(f)
	}
	if c.hooked && told != fatesOf(st) {
		c.t.Errorf("fates: the hook was told %+v, the pool has %+v", told, fatesOf(st))
	}
	if !c.cut && seen != fatesOf(st) {
		c.t.Errorf("fates: the tasks have seen %+v, the pool has %+v", seen, fatesOf(st))
	}
}

// settle waits until no goroutine is left.
func (c *chaos) settle(before int) {
	for range 1_000_000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
	}
	var stacks strings.Builder
	buf := make([]byte, 1<<20)
	stacks.Write(buf[:runtime.Stack(buf, true)])
	c.t.Errorf("%d goroutines are left:\n%s", runtime.NumGoroutine()-before, stacks.String())
}
