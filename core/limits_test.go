package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// Every value of every number is valid: what is huge limits nothing, and what is
// negative or zero is a default. Nothing overflows, also once Done is cut.
func TestEveryNumberIsALimit(t *testing.T) {
	for _, n := range []int{math.MinInt, math.MinInt32, -1, 0, 1, math.MaxInt32 - 1, math.MaxInt32, math.MaxInt - 1, math.MaxInt} {
		for _, d := range []time.Duration{math.MinInt64, 0, time.Hour, math.MaxInt64 - 1, math.MaxInt64} {
			for _, resized := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d/%v/resized=%v", n, d, resized), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { limitsOf(t, n, d, resized) })
				})
			}
		}
	}
}

func limitsOf(t *testing.T, n int, d time.Duration, resized bool) {
	var e endings
	c := taskpool.Config{QueueLimit: n, ResultLimit: n, Grace: d, Timeout: d, Hooks: taskpool.Hooks{Ended: e.hook},
		Lanes: map[string]taskpool.Lane{"lane": {Limit: n, Rate: n, Per: d, Queue: n}}}
	if !resized {
		c.Workers = n
	}
	p := newPool(c)
	if resized {
		p.Resize(n)
	}
	_, s := begin(p, context.Background())
	must(t, s.Submit(taskpool.Job{Name: "runs", Run: untilCanceled, Timeout: -1}))
	must(t, s.Submit(taskpool.Job{Name: "staged", Run: untilCanceled, Start: taskpool.StartAfterResponse, Retry: waits(d)}))
	if room := n != 1; room {
		must(t, s.Submit(taskpool.Job{Name: "lane", Run: nop, Lane: "lane"}))
		must(t, s.Submit(taskpool.Job{Name: "delayed", Run: nop, Delay: max(d, 0)}))
	}
	synctest.Wait()
	ended := len(e.once(t))
	accepted := balanced(t, p).Accepted
	r, err := p.Done(canceled())
	wantErr(t, "Done", err, context.Canceled)
	equal(t, "canceled", r.Canceled, int(accepted)-ended)
	equal(t, "told", len(e.once(t)), int(accepted))
	equal(t, "fates", countsOf(r).sum(), int(accepted))
	balanced(t, p)
}

// A scope has little room for its counts, and carries what it has no room for.
func TestCountsOfAScopeAreExactHoweverManyItStarts(t *testing.T) {
	for _, n := range []int{254, 255, 256, 511, 70_000} {
		p := newPool(taskpool.Config{Workers: 2, QueueLimit: -1, Results: taskpool.KeepNone, Logger: logger(new(logbook))})
		_, s := begin(p, context.Background())
		for range n {
			must(t, s.Add(nop))
		}
		must(t, s.Add(failing))
		r, err := s.Drain(context.Background())
		must(t, err)
		equal(t, "succeeded", r.Succeeded, n)
		equal(t, "failed", r.Failed, 1)
		finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
		equal(t, "of the pool", done(t, p).Succeeded, n)
	}
}

// A status is whatever an adapter says it is.
func TestStatusIsAnyNumber(t *testing.T) {
	for status, want := range map[int]int{math.MinInt: math.MinInt32, -1: -1, 399: 399, 400: 400, math.MaxInt32: math.MaxInt32, math.MaxInt: math.MaxInt32} {
		p := newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		must(t, s.OnSuccess(nop))
		finish(s, taskpool.Outcome{Status: status, Err: errTask}, taskpool.ReleaseFlushed)
		got, known := s.Outcome()
		if !known || got.Status != want || !errors.Is(got.Err, errTask) || got.Success() != (status < 400) {
			t.Errorf("status %d: got %+v, %v", status, got, known)
		}
		done(t, p)
	}
}
