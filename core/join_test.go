package taskpool_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

func TestJoinedSourcesAreDoneBesideEachOtherWithinOneLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPool(taskpool.Config{}), newPool(taskpool.Config{})
		slow := func(ctx context.Context) error {
			select {
			case <-time.After(time.Minute):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		must(t, a.Add(slow))
		must(t, b.Add(slow, nop))
		ctx, cancel := context.WithTimeout(context.Background(), 61*time.Second)
		defer cancel()
		began := time.Now()
		r, err := taskpool.JoinSources(a, b).Done(ctx)
		must(t, err)
		equal(t, "took", time.Since(began), time.Minute)
		equal(t, "counts", countsOf(r), counts{Succeeded: 3})
		for _, p := range []*taskpool.Pool{a, b} {
			if err := p.Add(nop); !errors.Is(err, taskpool.ErrDone) {
				t.Errorf("got %v, want ErrDone", err)
			}
		}
	})
}

func TestJoinedSourceThatIsNilKeepsNoOtherFromBeingDone(t *testing.T) {
	p := newPool(taskpool.Config{})
	must(t, p.Add(nop))
	r, err := taskpool.JoinSources(nil, p).Done(context.Background())
	if r.Succeeded != 1 || !errors.Is(err, taskpool.ErrNilSource) {
		t.Errorf("got %+v, %v, want one task that succeeded, and ErrNilSource", r, err)
	}
	ctx, x := taskpool.JoinSources().Begin(context.Background())
	if err := taskpool.FromContext(ctx).Add(nop); !errors.Is(err, taskpool.ErrNoScope) || x.Scope().Pool() != nil {
		t.Errorf("got %v of no source, want ErrNoScope", err)
	}
}

func TestJoinedSourcesBeginOnTheFirst(t *testing.T) {
	a, b := newPool(taskpool.Config{}), newPool(taskpool.Config{})
	ctx, x := taskpool.JoinSources(a, b).Begin(context.Background())
	equal(t, "pool", taskpool.FromContext(ctx).Pool(), a)
	must(t, taskpool.FromContext(ctx).AfterResponse(nop))
	x.Returned(taskpool.Outcome{})
	x.Sent(taskpool.ReleaseFlushed)
	r, err := taskpool.JoinSources(a, b).Done(context.Background())
	must(t, err)
	equal(t, "counts", countsOf(r), counts{Succeeded: 1})
}

func TestDoneDoesNotWaitForAHandlerThatHasHijacked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		ctx, x := p.Begin(context.Background())
		s := taskpool.FromContext(ctx)
		must(t, s.Add(func(context.Context) error { time.Sleep(time.Second); return nil }))
		x.Hijacked()
		began := time.Now()
		r, err := p.Done(context.Background())
		must(t, err)
		equal(t, "took", time.Since(began), time.Second)
		equal(t, "counts", countsOf(r), counts{Succeeded: 1})
		if err := s.Add(nop); !errors.Is(err, taskpool.ErrDone) {
			t.Errorf("got %v of the handler that goes on, want ErrDone", err)
		}
		x.Returned(taskpool.Outcome{}) // days later
		x.Sent(taskpool.ReleaseHandlerReturned)
		balanced(t, p)
	})
}

func TestDoneWaitsForWhatAHijackedHandlerHasStaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		ctx, x := p.Begin(context.Background())
		x.Hijacked()
		must(t, taskpool.FromContext(ctx).AfterResponse(nop))
		go func() {
			time.Sleep(time.Minute)
			x.Returned(taskpool.Outcome{})
			x.Sent(taskpool.ReleaseHandlerReturned)
		}()
		began := time.Now()
		r, err := p.Done(context.Background())
		must(t, err)
		equal(t, "took", time.Since(began), time.Minute)
		equal(t, "counts", countsOf(r), counts{Succeeded: 1})
	})
}
