package taskpool_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

func TestAddIsAllOrNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1, QueueLimit: 2})
		ran := 0
		count := func(context.Context) error { ran++; return nil }
		wantErr(t, "four tasks, room for three", p.Add(count, count, count, count), taskpool.ErrOverloaded)
		wantErr(t, "a nil among them", p.Add(count, nil), taskpool.ErrNilTask)
		wantErr(t, "a job without Run", p.Submit(taskpool.Job{Run: count}, taskpool.Job{}), taskpool.ErrNilTask)
		synctest.Wait()
		equal(t, "ran", ran, 0)
		must(t, p.Add(count, count, count))
		drain(t, p)
		equal(t, "ran", ran, 3)
		equal(t, "accepted", balanced(t, p).Accepted, 3)
	})
}

// Room is the queue limit and the idle workers, less what waits: queued or staged.
func TestRoomIsQueueLimitAndIdleWorkersLessWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 2, QueueLimit: 3})
		_, s := begin(p, context.Background())
		add := func(n int, want error) {
			t.Helper()
			synctest.Wait()
			wantErr(t, fmt.Sprintf("Add of %d", n), p.Add(repeat(n, nop)...), want)
		}
		p.Pause()
		add(6, taskpool.ErrOverloaded)
		must(t, s.AfterResponse(nop, nop))
		add(4, taskpool.ErrOverloaded)
		add(3, nil)
		add(1, taskpool.ErrOverloaded)
		wantErr(t, "staging", s.OnFailure(nop), taskpool.ErrOverloaded)
		wantErr(t, "adding", s.Add(nop), taskpool.ErrOverloaded)
		wantErr(t, "submitting", s.Submit(taskpool.Job{Run: nop}), taskpool.ErrOverloaded)
		equal(t, "refused", balanced(t, p).Refused, 6+4+1+3)
		p.Resume()
		add(4, taskpool.ErrOverloaded) // two are staged: 3+2-2
		g1, g2 := newGate(), newGate()
		must(t, p.Add(g1.task, g2.task, nop))
		add(1, taskpool.ErrOverloaded) // none is idle, three wait
		g1.open()
		add(3, taskpool.ErrOverloaded) // one is idle, two wait
		p.Resize(1)
		add(2, taskpool.ErrOverloaded)
		add(1, nil)
		g2.open()
		finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
		done(t, p)
	})
}

func TestAddOfNothingIsAcceptedWhereMoreWaitsThanMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 2, QueueLimit: 1})
		p.Pause()
		must(t, p.Add(nop, nop, nop))
		p.Resize(1)
		must(t, p.Add())
		wantErr(t, "Add", p.Add(nop), taskpool.ErrOverloaded)
		p.Resume()
		done(t, p)
	})
}

// repeat is n times the same task.
func repeat(n int, task taskpool.Task) []taskpool.Task {
	tasks := make([]taskpool.Task, n)
	for i := range tasks {
		tasks[i] = task
	}
	return tasks
}

func TestNegativeQueueLimitIsNone(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1, QueueLimit: -1})
	p.Pause()
	must(t, p.Add(repeat(20_000, nop)...))
	equal(t, "queued", p.Stats().Queued, 20_000)
	equal(t, "counts", countsOf(done(t, p)), counts{Succeeded: 20_000})
}

func TestAddOfNothingIsNoError(t *testing.T) {
	p := newPool(taskpool.Config{})
	must(t, p.Add())
	must(t, p.Submit())
	_, s := begin(p, context.Background())
	must(t, s.OnSuccess())
	if s.Returned(taskpool.Outcome{}) {
		t.Error("a scope to which nothing was added has had tasks")
	}
	equal(t, "accepted", p.Stats().Accepted, 0)
}

// Add copies the tasks: what the caller does to the slice later is its own affair.
func TestAddKeepsNoSliceOfTheCaller(t *testing.T) {
	p := newPool(taskpool.Config{})
	p.Pause()
	tasks := repeat(100, nop)
	must(t, p.Add(tasks...))
	clear(tasks)
	equal(t, "counts", countsOf(done(t, p)), counts{Succeeded: 100})
}

func TestSubmitRefusesMisuseAndAddsNothing(t *testing.T) {
	p := newPool(taskpool.Config{})
	_, s := begin(p, context.Background())
	for _, start := range []taskpool.Start{taskpool.StartAfterResponse, taskpool.StartOnSuccess, taskpool.StartOnFailure} {
		err := p.Submit(taskpool.Job{Run: nop}, taskpool.Job{Run: nop, Start: start})
		wantErr(t, "a staged job on a pool", err, taskpool.ErrNoScope)
		if !strings.Contains(err.Error(), start.String()) {
			t.Errorf("the error does not say which start: %v", err)
		}
	}
	for name, submit := range map[string]func(...taskpool.Job) error{"pool": p.Submit, "scope": s.Submit} {
		if err := submit(taskpool.Job{Run: nop}, taskpool.Job{Run: nop, Start: 77}); err == nil || !strings.Contains(err.Error(), "unknown Start 77") {
			t.Errorf("%s: an unknown start: got %v", name, err)
		}
		wantErr(t, name+": nil Run", submit(taskpool.Job{Run: nop}, taskpool.Job{}), taskpool.ErrNilTask)
	}
	equal(t, "accepted", p.Stats().Accepted, 0)
}

func TestWhatIsNoPoolRefusesWithoutHarm(t *testing.T) {
	for name, p := range map[string]*taskpool.Pool{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			_, drainErr := p.Drain(ctx)
			_, doneErr := p.Done(ctx)
			for what, err := range map[string]error{
				"Add": p.Add(nop), "Submit": p.Submit(taskpool.Job{Run: nop}), "Drain": drainErr, "Done": doneErr,
			} {
				if err == nil || !strings.HasPrefix(err.Error(), "taskpool: not a pool") {
					t.Errorf("%s: got %v", what, err)
				}
			}
			c, s := begin(p, ctx)
			equal(t, "Begin's context", c, ctx)
			wantErr(t, "Scope.Add", s.Add(nop), taskpool.ErrNoScope)
			p.Pause()
			p.Resume()
			p.Resize(2)
			equal(t, "Stats", p.Stats(), taskpool.Stats{})
		})
	}
}

func TestDefaultIsOnePool(t *testing.T) {
	if p := taskpool.Default(); p != taskpool.Default() {
		t.Error("Default gives two pools")
	}
	equal(t, "workers", taskpool.Default().Stats().Workers, 4)
}

func TestOldestIsHowLongTheOldestQueuedTaskHasWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		oldest := func(what string, want time.Duration) {
			t.Helper()
			synctest.Wait()
			equal(t, what, p.Stats().Oldest, want)
		}
		oldest("idle", 0)
		gates := []gate{newGate(), newGate(), newGate()}
		for _, g := range gates { // the first starts, the others wait
			must(t, p.Add(g.task))
		}
		time.Sleep(3 * time.Second)
		oldest("two wait since the beginning", 3*time.Second)
		must(t, p.Add(nop))
		time.Sleep(time.Second)
		oldest("one more since", 4*time.Second)
		gates[0].open()
		oldest("the first of them runs", 4*time.Second)
		for _, g := range gates[1:] {
			g.open()
		}
		drain(t, p)
		oldest("idle again", 0)

		// Through small chunks and large ones.
		p.Pause()
		must(t, p.Add(repeat(200, nop)...))
		time.Sleep(time.Minute)
		oldest("a paused pool", time.Minute)
		p.Resume()
		drain(t, p)
		oldest("idle once more", 0)

		p.Pause()
		must(t, p.Add(nop))
		time.Sleep(time.Second)
		oldest("one task in a paused pool", time.Second)
		p.Resume()
		drain(t, p)

		// Where a chunk ends and the next begins.
		first, second := newGate(), newGate()
		must(t, p.Add(first.task))
		<-first.begun
		must(t, p.Add(second.task, nop, nop, nop))
		time.Sleep(time.Second)
		first.open()
		<-second.begun
		must(t, p.Add(nop))
		time.Sleep(time.Second)
		oldest("in the next chunk", 2*time.Second)
		second.open()
		drain(t, p)

		// All at once to an idle pool: those that find no worker wait.
		g := newGate()
		must(t, p.Add(g.task, nop, nop))
		time.Sleep(time.Second)
		oldest("added together", time.Second)
		g.open()
		drain(t, p)
	})
}

// What comes in through the intake reads no clock of its own.
func TestOldestIsKnownOfAStreamThatBeganWhileWorkersWereIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 20})
		free := make(chan struct{})
		held := func(context.Context) error { <-free; return nil }
		must(t, p.Add(repeat(10, held)...)) // all of them find a worker
		stream(t, p, 40, func(int) taskpool.Task { return held })
		synctest.Wait()
		time.Sleep(time.Hour)
		equal(t, "queued", p.Stats().Queued, 30)
		equal(t, "oldest", p.Stats().Oldest, time.Hour)
		close(free)
		drain(t, p)
	})
}
