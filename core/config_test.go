package taskpool_test

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

func TestEveryConfigIsValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			config  taskpool.Config
			workers int
			room    int // how many tasks a paused pool accepts
		}{
			{taskpool.Config{}, 4, 10_004},
			{taskpool.Config{Workers: -3, QueueLimit: 5, Timeout: -1, ResultLimit: -1, Grace: -1, Results: 77}, 4, 9},
			{taskpool.Config{Workers: 2, QueueLimit: 1}, 2, 3},
		} {
			p := newPool(c.config)
			equal(t, "workers", p.Stats().Workers, c.workers)
			p.Pause()
			wantErr(t, "one too many", p.Add(repeat(c.room+1, nop)...), taskpool.ErrOverloaded)
			must(t, p.Add(repeat(c.room, nop)...))
			equal(t, "counts", countsOf(done(t, p)), counts{Succeeded: c.room})
		}
	})
}

func TestResultsSaysWhatAReportKeeps(t *testing.T) {
	for _, c := range []struct {
		keep taskpool.Results
		want string
	}{
		{taskpool.KeepErrors, "f failed, p panicked"},
		{taskpool.KeepNone, ""},
		{taskpool.KeepAll, "f failed, p panicked, ok succeeded, d discarded"},
		{taskpool.Results(77), "f failed, p panicked"},
	} {
		for _, hooked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/hooked=%v", c.keep, hooked), func(t *testing.T) {
				config := taskpool.Config{Workers: 1, Results: c.keep}
				if hooked {
					config.Hooks.Ended = func(context.Context, taskpool.Result) {}
				}
				p := newPool(config)
				_, s := begin(p, context.Background())
				must(t, s.Submit(taskpool.Job{Name: "f", Run: failing}, taskpool.Job{Name: "p", Run: panicking}, taskpool.Job{Name: "ok", Run: nop}))
				_, err := s.Drain(context.Background())
				must(t, err)
				must(t, s.Submit(taskpool.Job{Name: "d", Run: nop, Start: taskpool.StartOnFailure}))
				finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
				r, err := s.Drain(context.Background())
				must(t, err)
				equal(t, "a scope's", resultsOf(r), c.want)
				pr := drain(t, p)
				equal(t, "the pool's", resultsOf(pr), c.want)
				for _, r := range []taskpool.Report{r, pr} {
					equal(t, "counts", countsOf(r), counts{Succeeded: 1, Failed: 1, Panicked: 1, Discarded: 1})
					equal(t, "omitted", r.Omitted, 0)
				}
			})
		}
	}
}

func TestResultLimit(t *testing.T) {
	for _, c := range []struct{ limit, kept int }{{0, 100}, {-1, 0}, {5, 5}} {
		p := newPool(taskpool.Config{ResultLimit: c.limit})
		_, s := begin(p, context.Background())
		must(t, s.Add(repeat(120, failing)...))
		r, err := s.Drain(context.Background())
		must(t, err)
		for _, r := range []taskpool.Report{r, drain(t, p)} {
			equal(t, "kept", len(r.Results), c.kept)
			equal(t, "omitted", r.Omitted, 120-c.kept)
			equal(t, "failed", r.Failed, 120)
		}
	}
}

func TestReportErrJoinsTheTasksErrors(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1, ResultLimit: 2})
	must(t, p.Add(nop))
	wantErr(t, "no failure", drain(t, p).Err(), nil)
	other := errors.New("other")
	must(t, p.Submit(taskpool.Job{Name: "a", Run: failing}, taskpool.Job{Name: "b", Run: func(context.Context) error { return other }}))
	err := drain(t, p).Err()
	wantErr(t, "the first", err, errTask)
	wantErr(t, "the second", err, other)
	equal(t, "text", err.Error(), "a: the task failed\nb: other")
	must(t, p.Add(repeat(5, failing)...))
	err = drain(t, p).Err()
	if !strings.HasSuffix(err.Error(), "\ntaskpool: 3 tasks did not succeed whose results were not kept") {
		t.Errorf("the omitted are not mentioned: %v", err)
	}
	none := newPool(taskpool.Config{Results: taskpool.KeepNone})
	must(t, none.Add(failing))
	equal(t, "nothing kept", drain(t, none).Err().Error(), "taskpool: 1 tasks did not succeed whose results were not kept")
	wantErr(t, "zero report", taskpool.Report{Discarded: 3}.Err(), nil)
}

func TestNamesOfEnums(t *testing.T) {
	for _, c := range []struct {
		v interface {
			fmt.Stringer
			encoding.TextMarshaler
		}
		want string // empty: unknown
		text string
	}{
		{taskpool.StartNow, "now", "now"},
		{taskpool.StartAfterResponse, "after response", "after response"},
		{taskpool.StartOnSuccess, "on success", "on success"},
		{taskpool.StartOnFailure, "on failure", "on failure"},
		{taskpool.Start(9), "Start(9)", ""},
		{taskpool.FateSucceeded, "succeeded", "succeeded"},
		{taskpool.FateFailed, "failed", "failed"},
		{taskpool.FatePanicked, "panicked", "panicked"},
		{taskpool.FateDiscarded, "discarded", "discarded"},
		{taskpool.FateCanceled, "canceled", "canceled"},
		{taskpool.FateAbandoned, "abandoned", "abandoned"},
		{taskpool.Fate(0), "Fate(0)", ""},
		{taskpool.Fate(200), "Fate(200)", ""},
		{taskpool.KeepErrors, "errors", "errors"},
		{taskpool.KeepNone, "none", "none"},
		{taskpool.KeepAll, "all", "all"},
		{taskpool.Results(3), "Results(3)", ""},
		{taskpool.Release(0), "not released", "not released"},
		{taskpool.ReleaseFlushed, "flushed", "flushed"},
		{taskpool.ReleaseStreamClosed, "stream closed", "stream closed"},
		{taskpool.ReleaseHandlerReturned, "handler returned", "handler returned"},
		{taskpool.ReleaseNoServer, "no server", "no server"},
		{taskpool.ReleaseOverdue, "overdue", "overdue"},
		{taskpool.ReleasePoolDone, "pool done", "pool done"},
		{taskpool.ReleaseHeld, "held", "held"},
		{taskpool.Release(99), "Release(99)", ""},
	} {
		equal(t, "String", c.v.String(), c.want)
		text, err := c.v.MarshalText()
		equal(t, "MarshalText", string(text), c.text)
		equal(t, "error of MarshalText", err != nil, c.text == "")
	}
}

func TestOnlyFlushedIsExact(t *testing.T) {
	for r := taskpool.Release(0); r <= taskpool.ReleaseHeld; r++ {
		equal(t, r.String(), taskpool.Outcome{Release: r}.Exact(), r == taskpool.ReleaseFlushed)
	}
}

func TestResultHasTheNameOfTheJobOrOfItsFunction(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1, Results: taskpool.KeepAll})
	must(t, p.Add(nop))
	_, _, line, _ := runtime.Caller(0)
	must(t, p.Submit(taskpool.Job{Run: failing}, taskpool.Job{Name: "mine", Run: failing}, taskpool.Job{Run: func(context.Context) error { return nil }}))
	equal(t, "results", resultsOf(drain(t, p)), fmt.Sprintf("core_test.nop succeeded, core_test.failing failed, mine failed, "+
		"core_test.TestResultHasTheNameOfTheJobOrOfItsFunction.func1 (config_test.go:%d) succeeded", line+1))
}

func TestConfigTimeoutAppliesToAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Timeout: time.Second})
		start := time.Now()
		must(t, p.Add(untilCanceled))
		equal(t, "counts", countsOf(drain(t, p)), counts{Failed: 1})
		equal(t, "time", elapsed(start), time.Second)
	})
}
