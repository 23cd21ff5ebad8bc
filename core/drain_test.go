package taskpool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

type drainEnd struct {
	report taskpool.Report
	err    error
}

// goDrain drains on a goroutine of its own.
func goDrain(p *taskpool.Pool, ctx context.Context) <-chan drainEnd {
	end := make(chan drainEnd, 1)
	go func() {
		r, err := p.Drain(ctx)
		end <- drainEnd{r, err}
	}()
	return end
}

func TestDrainWaitsForWhatRunsAndWhatThatAdds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 2})
		start := time.Now()
		var add func(depth int) taskpool.Task
		add = func(depth int) taskpool.Task {
			return func(context.Context) error {
				time.Sleep(time.Second)
				if depth == 0 {
					return nil
				}
				return p.Add(add(depth - 1))
			}
		}
		must(t, p.Add(add(4)))
		equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 5})
		equal(t, "time", elapsed(start), 5*time.Second)
		must(t, p.Add(nop)) // the pool is open
		equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 1})
	})
}

func TestLaterDrainTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		g := newGate()
		must(t, p.Add(g.task, failing))
		first := goDrain(p, context.Background())
		synctest.Wait()
		second := goDrain(p, context.Background())
		d := <-first
		wantErr(t, "first", d.err, taskpool.ErrSuperseded)
		equal(t, "its report", countsOf(d.report), counts{})
		equal(t, "its results", len(d.report.Results), 0)
		g.open()
		d = <-second
		wantErr(t, "second", d.err, nil)
		equal(t, "its report", countsOf(d.report), counts{Succeeded: 1, Failed: 1})
	})
}

func TestOfTenThousandDrainersOneWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10_000
		p := newPool(taskpool.Config{})
		g := newGate()
		must(t, p.Add(g.task))
		ends := make(chan drainEnd, n)
		for range n {
			go func() {
				r, err := p.Drain(context.Background())
				ends <- drainEnd{r, err}
			}()
		}
		synctest.Wait()
		equal(t, "returned", len(ends), n-1)
		for range n - 1 {
			wantErr(t, "superseded", (<-ends).err, taskpool.ErrSuperseded)
		}
		g.open()
		last := <-ends
		wantErr(t, "the one", last.err, nil)
		equal(t, "its report", countsOf(last.report), counts{Succeeded: 1})
	})
}

// A waiter that gives up leaves nothing behind that could swallow the wake-up of
// another.
func TestCanceledDrainSwallowsNoWakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		g := newGate()
		must(t, p.Add(g.task, nop))
		ctx, cancel := context.WithCancelCause(context.Background())
		first := goDrain(p, ctx)
		synctest.Wait()
		gone := errors.New("gone")
		cancel(gone)
		d := <-first
		wantErr(t, "canceled", d.err, gone)
		equal(t, "its snapshot", countsOf(d.report), counts{Succeeded: 1})
		second := goDrain(p, context.Background())
		synctest.Wait()
		g.open()
		d = <-second
		wantErr(t, "second", d.err, nil)
		equal(t, "a snapshot resets nothing", countsOf(d.report), counts{Succeeded: 2})
	})
}

func TestCancelOfASupersededDrainDoesNotEndTheLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		g := newGate()
		must(t, p.Add(g.task))
		ctx, cancel := context.WithCancel(context.Background())
		first := goDrain(p, ctx)
		synctest.Wait()
		second := goDrain(p, context.Background())
		synctest.Wait()
		cancel()
		wantErr(t, "first", (<-first).err, taskpool.ErrSuperseded)
		synctest.Wait()
		equal(t, "second has returned", len(second), 0)
		g.open()
		wantErr(t, "second", (<-second).err, nil)
	})
}

// On real threads: whoever wins, every task is in exactly one finished report.
func TestEveryTaskIsInOneFinishedReport(t *testing.T) {
	for range 20 {
		p := newPool(taskpool.Config{Workers: 2, QueueLimit: -1})
		var reported, added atomic.Int64
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				for range 100 {
					if p.Add(nop, nop) == nil {
						added.Add(2)
					}
					ctx, cancel := context.WithCancel(context.Background())
					if i%2 == 0 {
						go cancel()
					}
					if r, err := p.Drain(ctx); err == nil {
						reported.Add(int64(r.Succeeded))
					}
					cancel()
				}
			})
		}
		all.Wait()
		reported.Add(int64(done(t, p).Succeeded))
		equal(t, "reported", reported.Load(), added.Load())
	}
}

func TestDrainOfNothingIsNoErrorEvenWithACanceledContext(t *testing.T) {
	p := newPool(taskpool.Config{})
	_, s := begin(p, context.Background())
	must(t, s.AfterResponse(nop)) // staged is not waited for
	for range 2 {
		_, err := p.Drain(canceled())
		wantErr(t, "Pool.Drain", err, nil)
		_, err = s.Drain(canceled())
		wantErr(t, "Scope.Drain", err, nil)
	}
	finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	equal(t, "counts", countsOf(drain(t, p)), counts{Succeeded: 1})
}

func TestDrainWithACanceledContextIsASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		_, s := begin(p, context.Background())
		g := newGate()
		must(t, s.Add(nop, failing, g.task))
		<-g.begun
		waiting := goDrain(p, context.Background())
		synctest.Wait()
		for range 2 {
			r, err := p.Drain(canceled())
			wantErr(t, "Pool.Drain", err, context.Canceled)
			equal(t, "counts", countsOf(r), counts{Succeeded: 1, Failed: 1})
			equal(t, "results", len(r.Results), 1)
			r, err = s.Drain(canceled())
			wantErr(t, "Scope.Drain", err, context.Canceled)
			equal(t, "counts", countsOf(r), counts{Succeeded: 1, Failed: 1})
		}
		equal(t, "a snapshot supersedes nobody", len(waiting), 0)
		g.open()
		wantErr(t, "the one that waits", (<-waiting).err, nil)
	})
}

func TestDrainWaitsForAPausedPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		p.Pause()
		must(t, p.Add(nop))
		end := goDrain(p, context.Background())
		synctest.Wait()
		equal(t, "returned", len(end), 0)
		p.Resume()
		wantErr(t, "Drain", (<-end).err, nil)
	})
}

func TestPoolReportKeepsTheLatestAScopesTheFirst(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1, ResultLimit: 3})
	_, s := begin(p, context.Background())
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		must(t, s.Submit(taskpool.Job{Name: name, Run: failing}))
	}
	r, err := s.Drain(context.Background())
	must(t, err)
	equal(t, "a scope's results", resultsOf(r), "a failed, b failed, c failed")
	equal(t, "omitted", r.Omitted, 2)
	pr := drain(t, p)
	equal(t, "the pool's results", resultsOf(pr), "c failed, d failed, e failed")
	equal(t, "omitted", pr.Omitted, 2)
	equal(t, "failed", pr.Failed, 5)
	r.Results[0].Name = "changed by a caller"
	r, err = s.Drain(context.Background())
	must(t, err)
	equal(t, "results again", resultsOf(r), "a failed, b failed, c failed")
	equal(t, "the pool's are reset", resultsOf(drain(t, p)), "")
}

func TestScopeDrainWaitsForItsOwnAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		other := newGate()
		must(t, p.Add(other.task))
		_, s := begin(p, context.Background())
		g := newGate()
		must(t, s.Add(g.task, failing))
		must(t, s.OnSuccess(nop))
		ends := make(chan drainEnd, 3)
		for range 3 { // each waits for its own, nobody is superseded
			go func() {
				r, err := s.Drain(context.Background())
				ends <- drainEnd{r, err}
			}()
		}
		ctx, cancel := context.WithCancel(context.Background())
		gone := make(chan drainEnd)
		go func() {
			r, err := s.Drain(ctx)
			gone <- drainEnd{r, err}
		}()
		synctest.Wait()
		cancel()
		d := <-gone
		wantErr(t, "canceled", d.err, context.Canceled)
		equal(t, "its snapshot", countsOf(d.report), counts{Failed: 1})
		g.open()
		for range 3 {
			d := <-ends
			wantErr(t, "Drain", d.err, nil)
			equal(t, "counts", countsOf(d.report), counts{Succeeded: 1, Failed: 1})
			equal(t, "outcome", d.report.Outcome, taskpool.Outcome{})
		}
		// Cumulative, and the staged one is waited for once it may start.
		finish(s, taskpool.Outcome{Status: 201}, taskpool.ReleaseFlushed)
		r, err := s.Drain(context.Background())
		must(t, err)
		equal(t, "counts", countsOf(r), counts{Succeeded: 2, Failed: 1})
		equal(t, "outcome", r.Outcome, taskpool.Outcome{Status: 201, Release: taskpool.ReleaseFlushed})
		other.open()
		done(t, p)
	})
}

// Who waits while the response is sent waits for what that starts.
func TestScopeDrainWaitsForWhatIsReleasedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 2})
		_, s := begin(p, context.Background())
		g, staged := newGate(), newGate()
		must(t, s.Add(g.task))
		must(t, s.AfterResponse(staged.task))
		end := make(chan error, 1)
		go func() {
			_, err := s.Drain(context.Background())
			end <- err
		}()
		synctest.Wait()
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		g.open()
		synctest.Wait()
		equal(t, "returned", len(end), 0)
		staged.open()
		must(t, <-end)
	})
}

// On real threads: an error means that something was left to wait for.
func TestScopeDrainThatIsCanceledAtTheEndSaysWhatItsReportSays(t *testing.T) {
	for range 500 {
		p := newPool(taskpool.Config{Workers: 1})
		_, s := begin(p, context.Background())
		g := newGate()
		must(t, s.Add(g.task))
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			<-g.begun
			cancel()
			g.open()
		}()
		r, err := s.Drain(ctx)
		if (err == nil) != (r.Succeeded == 1) {
			t.Fatalf("got error %v with the report %+v", err, r)
		}
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		done(t, p)
	}
}
