package taskpool_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/elite-libs/taskpool/core"
)

// perRequest is taskpool.PerRequest that logs nothing unless c says where.
func perRequest(c taskpool.Config) taskpool.Source {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return taskpool.PerRequest(c)
}

func TestPerRequestMakesAPoolForEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := perRequest(taskpool.Config{Workers: 1, QueueLimit: 1})
		var gates [4]gate
		for i := range gates {
			gates[i] = newGate()
		}
		_, a := begin(src, context.Background())
		_, b := begin(src, context.Background())
		if a.Pool() == b.Pool() {
			t.Fatal("two requests have one pool")
		}
		must(t, a.Add(gates[0].task))
		must(t, a.Add(gates[1].task))
		wantErr(t, "beyond the limit of a", a.Add(nop), taskpool.ErrOverloaded)
		must(t, b.Add(gates[2].task, gates[3].task))
		synctest.Wait()
		for _, s := range []opened{a, b} {
			stats := balanced(t, s.Pool())
			equal(t, "running, queued", fmt.Sprint(stats.Running, stats.Queued), "1 1")
			finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		}
		for _, g := range gates {
			g.open()
		}
		r, err := src.Done(context.Background())
		must(t, err)
		equal(t, "counts", countsOf(r), counts{Succeeded: 4})
	})
}

func TestPerRequestJoinsTheScopeOfTheRequest(t *testing.T) {
	src, other := perRequest(taskpool.Config{}), perRequest(taskpool.Config{})
	ctx, outer := begin(src, context.Background())
	inner, s := begin(src, ctx)
	if inner != ctx || s.Pool() != outer.Pool() {
		t.Error("a request that came through twice has two pools")
	}
	equal(t, "Returned of the inner one", s.Returned(taskpool.Outcome{Status: 500}), false)
	_, s = begin(taskpool.Hold(src, taskpool.HoldOptions{}), ctx)
	if s.Pool() != outer.Pool() || s.Held() {
		t.Error("within Hold it is another request, or held")
	}
	if _, s = begin(other, ctx); s.Pool() == outer.Pool() {
		t.Error("two sources share a pool")
	}
	finish(outer, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	if _, s = begin(src, ctx); s.Pool() == outer.Pool() {
		t.Error("a request that has returned was joined")
	}
}

func TestPerRequestTaskBeginsARequestOfItsOwn(t *testing.T) {
	src := perRequest(taskpool.Config{})
	_, s := begin(src, context.Background())
	pools := make(chan *taskpool.Pool, 1)
	must(t, s.Add(func(ctx context.Context) error {
		_, inner := begin(src, ctx)
		pools <- inner.Pool()
		return nil
	}))
	if <-pools == s.Pool() {
		t.Error("a request begun by a task shares the task's pool")
	}
	finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
}

func TestPoolOfARequestIsGoneWhenItsLastTaskHasEnded(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // see isCollected
	src := perRequest(taskpool.Config{Grace: time.Hour})
	var pools []weak.Pointer[taskpool.Pool]
	func() {
		for range 10 {
			_, s := begin(src, context.Background())
			must(t, s.AfterResponse(nop))
			must(t, s.Submit(taskpool.Job{Run: nop, Lane: "lane", Timeout: time.Hour}))
			must(t, s.Pool().Add(nop))
			s.Returned(taskpool.Outcome{})
			s.Sent(taskpool.ReleaseFlushed)
			drain(t, s.Pool())
			wantErr(t, "Add", s.Add(nop), taskpool.ErrScopeClosed)
			must(t, s.Pool().Add(nop)) // the pool itself is not done
			drain(t, s.Pool())
			pools = append(pools, weak.Make(s.Pool()))
		}
	}()
	for i, p := range pools {
		isCollected(t, fmt.Sprint("pool ", i), p)
	}
	r, err := src.Done(context.Background())
	must(t, err)
	equal(t, "counts", countsOf(r), counts{Succeeded: 40})
}

// Its tasks may have ended before its handler has returned, and then nothing need
// happen any more when the response is sent.
func TestPoolOfARequestIsGoneWhenItsHandlerHasReturned(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // see isCollected
	src := perRequest(taskpool.Config{})
	p := func() weak.Pointer[taskpool.Pool] {
		_, s := begin(src, context.Background())
		must(t, s.Add(nop))
		drain(t, s.Pool())
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		return weak.Make(s.Pool())
	}()
	isCollected(t, "the pool", p)
	_, err := src.Done(context.Background())
	must(t, err)
}

// What a lane was told holds until the API's reset, and would keep the pool.
func TestPoolOfARequestIsGoneThoughItsLaneWasThrottled(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // see isCollected
	src := perRequest(taskpool.Config{})
	p := func() weak.Pointer[taskpool.Pool] {
		_, s := begin(src, context.Background())
		must(t, s.Submit(taskpool.Job{Lane: "api", Run: hinting(50, time.Hour, 0)}))
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		drain(t, s.Pool())
		return weak.Make(s.Pool())
	}()
	isCollected(t, "the pool", p)
	runtime.KeepAlive(src)
}

func TestDonePerRequestSumsTheReportsOfAllPools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e endings
		src := perRequest(taskpool.Config{Hooks: taskpool.Hooks{Ended: e.hook}})
		start := time.Now()
		for i := range 3 {
			_, s := begin(src, context.Background())
			must(t, s.Submit(
				taskpool.Job{Name: fmt.Sprint("failing ", i), Run: failing, Delay: time.Hour},
				taskpool.Job{Name: fmt.Sprint("staged ", i), Run: nop, Start: taskpool.StartOnSuccess},
				taskpool.Job{Name: fmt.Sprint("discarded ", i), Run: nop, Start: taskpool.StartOnFailure}))
			if i == 0 { // that it has ended does not take it out of the report
				finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
				time.Sleep(2 * time.Hour)
				continue
			}
			s.Returned(taskpool.Outcome{})
		}
		r, err := src.Done(context.Background())
		must(t, err)
		equal(t, "time", elapsed(start), 3*time.Hour) // as long as the last delay
		equal(t, "counts", countsOf(r), counts{Succeeded: 3, Failed: 3, Discarded: 3})
		equal(t, "ended", len(e.once(t)), 9)
		equal(t, "results", len(r.Results), 3)
		equal(t, "first", r.Results[0].Name, "failing 0")
		again, err := src.Done(canceled())
		must(t, err)
		equal(t, "results again", resultsOf(again), resultsOf(r))
	})
}

func TestDonePerRequestOfNothingReturnsAtOnce(t *testing.T) {
	src := perRequest(taskpool.Config{})
	_, open := begin(src, context.Background())
	r, err := src.Done(canceled())
	must(t, err)
	equal(t, "counts", countsOf(r), counts{})
	wantErr(t, "Add to a request that was open", open.Add(nop), taskpool.ErrDone)
	_, s := begin(src, context.Background())
	wantErr(t, "Add to a request begun afterwards", s.Add(nop), taskpool.ErrDone)
	wantErr(t, "Add to its pool", s.Pool().Add(nop), taskpool.ErrDone)
}

func TestDonePerRequestReleasesWhatHasReturnedAndWaitsForOpenHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := perRequest(taskpool.Config{Grace: time.Hour})
		_, idle := begin(src, context.Background())
		_, open := begin(src, context.Background())
		must(t, open.Add(nop))
		_, returned := begin(src, context.Background())
		must(t, returned.AfterResponse(nop))
		returned.Returned(taskpool.Outcome{})

		var report taskpool.Report
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			var err error
			report, err = src.Done(context.Background())
			must(t, err)
		}()
		synctest.Wait()
		o, known := returned.Outcome()
		equal(t, "release", fmt.Sprint(o.Release, known), "pool done true")
		_, late := begin(src, context.Background())
		wantErr(t, "Add to a late request", late.Add(nop), taskpool.ErrDone)
		wantErr(t, "Add to an open pool", open.Pool().Add(nop), taskpool.ErrDone)
		wantErr(t, "Add to an idle pool", idle.Pool().Add(nop), taskpool.ErrDone)
		ctx, inner := begin(idle.Pool(), context.Background())
		wantErr(t, "Add to a scope begun on an idle pool", inner.Add(nop), taskpool.ErrDone)
		wantErr(t, "the same, from its context", taskpool.FromContext(ctx).Add(nop), taskpool.ErrDone)
		must(t, open.AfterResponse(nop))
		must(t, idle.OnSuccess(nop)) // its first task comes after Done
		idle.Returned(taskpool.Outcome{})
		o, known = idle.Outcome()
		equal(t, "release of the late one", fmt.Sprint(o.Release, known), "pool done true")
		select {
		case <-ended:
			t.Fatal("Done did not wait for an open handler that has tasks")
		default:
		}
		open.Returned(taskpool.Outcome{})
		<-ended
		equal(t, "counts", countsOf(report), counts{Succeeded: 4})
	})
}

func TestDonePerRequestOutOfTimeCutsAllPoolsAtOnce(t *testing.T) {
	for _, hooked := range []bool{false, true} {
		t.Run(fmt.Sprint("hooked ", hooked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var e endings
				c := taskpool.Config{Workers: 2}
				if hooked {
					c.Hooks.Ended = e.hook
				}
				src := perRequest(c)
				stuck := newGates(5)
				for _, g := range stuck {
					_, s := begin(src, context.Background())
					must(t, s.Submit(
						taskpool.Job{Name: "stuck", Run: g.task},
						taskpool.Job{Name: "gives up", Run: untilCanceled},
						taskpool.Job{Name: "staged", Run: nop, Start: taskpool.StartAfterResponse}))
				}
				synctest.Wait()
				start := time.Now()
				r, err := src.Done(within(t, time.Minute))
				equal(t, "time", elapsed(start), time.Minute+time.Second)
				wantErr(t, "Done", err, context.DeadlineExceeded)
				if want := "10 tasks canceled, 5 tasks abandoned, 5 handlers still open"; !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
				equal(t, "counts", countsOf(r), counts{Canceled: 10, Abandoned: 5})
				equal(t, "results", len(r.Results), 15)
				for _, g := range stuck {
					g.open()
				}
			})
		})
	}
}

func newGates(n int) []gate {
	gates := make([]gate, n)
	for i := range gates {
		gates[i] = newGate()
	}
	return gates
}

func TestSweepPerRequestReleasesEachAfterGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := perRequest(taskpool.Config{Grace: 10 * time.Second})
		start := time.Now()
		var released trail
		for i := range 5 {
			_, s := begin(src, context.Background())
			must(t, s.AfterResponse(func(ctx context.Context) error {
				o, _ := taskpool.FromContext(ctx).Outcome()
				released.add("%d:%v:%v", i, elapsed(start), o.Release)
				return nil
			}))
			s.Returned(taskpool.Outcome{})
			if i == 1 {
				s.Sent(taskpool.ReleaseFlushed)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		equal(t, "released", released.String(), "1:1s:flushed 0:10s:overdue 2:12s:overdue 3:13s:overdue 4:14s:overdue")
	})
}

// A pool may have more scopes than that of its request.
func TestSweepPerRequestReleasesAllScopesOfAPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := perRequest(taskpool.Config{Grace: 10 * time.Second})
		start := time.Now()
		var released trail
		_, first := begin(src, context.Background())
		for i := range 3 {
			_, s := begin(first.Pool(), context.Background())
			must(t, s.AfterResponse(func(context.Context) error { released.add("%d:%v", i, elapsed(start)); return nil }))
			s.Returned(taskpool.Outcome{})
			time.Sleep(4 * time.Second)
		}
		time.Sleep(time.Minute)
		equal(t, "released", released.String(), "0:10s 1:14s 2:18s")
	})
}

func TestTaskCannotWaitForItsPerRequestSource(t *testing.T) {
	src := perRequest(taskpool.Config{})
	errs := make(chan error, 1)
	_, s := begin(src, context.Background())
	must(t, s.Add(func(ctx context.Context) error {
		_, err := src.Done(ctx)
		errs <- err
		return nil
	}))
	wantErr(t, "Done", <-errs, taskpool.ErrSelfWait)
	_, after := begin(src, context.Background())
	must(t, after.Add(nop)) // it had no effect
}

func TestDoneOfOneRequestsPoolEndsThatAlone(t *testing.T) {
	src := perRequest(taskpool.Config{})
	_, a := begin(src, context.Background())
	_, b := begin(src, context.Background())
	must(t, a.Pool().Add(nop))
	equal(t, "counts", countsOf(done(t, a.Pool())), counts{Succeeded: 1})
	wantErr(t, "Add to a", a.Add(nop), taskpool.ErrDone)
	must(t, b.Add(nop))
	finish(b, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	r, err := src.Done(context.Background())
	must(t, err)
	equal(t, "counts", countsOf(r), counts{Succeeded: 2})
}

func TestRequestsRaceDonePerRequest(t *testing.T) {
	for range 50 {
		var e endings
		src := perRequest(taskpool.Config{Workers: 2, Hooks: taskpool.Hooks{Ended: e.hook}})
		var accepted, refused sync.Map
		var requests sync.WaitGroup
		for i := range 16 {
			requests.Go(func() {
				_, s := begin(src, context.Background())
				for j := range 4 {
					name := fmt.Sprint(i, ".", j)
					err := s.Submit(taskpool.Job{Name: name, Run: nop, Start: taskpool.Start(j % 4)})
					if err == nil {
						accepted.Store(name, true)
					} else {
						refused.Store(name, true)
					}
				}
				finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
			})
		}
		runtime.Gosched()
		r, err := src.Done(context.Background())
		must(t, err)
		requests.Wait()
		fates := e.once(t)
		accepted.Range(func(name, _ any) bool {
			if fates[name.(string)] == 0 {
				t.Errorf("%v was accepted and has no fate", name)
			}
			return true
		})
		equal(t, "reported", countsOf(r).sum(), len(fates))
		if t.Failed() {
			return
		}
	}
}
