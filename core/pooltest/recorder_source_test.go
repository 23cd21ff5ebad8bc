package pooltest_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
)

// A fakeTB is a test whose end and failures are looked at.
type fakeTB struct {
	testing.TB
	cleanups []func()
	failed   []string
}

func (t *fakeTB) Helper()           {}
func (t *fakeTB) Cleanup(f func())  { t.cleanups = append(t.cleanups, f) }
func (t *fakeTB) Output() io.Writer { return io.Discard }
func (t *fakeTB) Errorf(_ string, args ...any) {
	t.failed = append(t.failed, args[0].(string))
}

// run runs a test and ends it.
func run(test func(t testing.TB)) (failed []string) {
	t := new(fakeTB)
	test(t)
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
	return t.failed
}

func names(jobs []taskpool.Job) string {
	var all []string
	for _, j := range jobs {
		all = append(all, j.Name)
	}
	return strings.Join(all, " ")
}

func resultsOf(r taskpool.Report) string {
	var all []string
	for _, res := range r.Results {
		all = append(all, res.Name+" "+res.Fate.String())
	}
	return strings.Join(all, ", ")
}

func TestRecorderRunsTasksAsTheyAreReleased(t *testing.T) {
	tasks := pooltest.NewRecorder(t)
	err := taskpool.Handle(t.Context(), tasks, func(ctx context.Context) error {
		p := taskpool.Async(taskpool.FromContext(ctx), func(context.Context) (int, error) { return 1, nil })
		if v, err := p.Await(ctx); v != 1 || err != nil {
			t.Errorf("awaited in the handler: got %d, %v", v, err)
		}
		return placeOrder(ctx, 0)
	})
	if err == nil {
		t.Error("the handler's error is lost")
	}
	if got, want := resultsOf(tasks.Run()), "receipt discarded, alert succeeded"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want it to end with %q", got, want)
	}
	if got := resultsOf(tasks.Run()); got != "" {
		t.Errorf("reported again: %q", got)
	}
}

func TestRecorderShowsEachRequestOnce(t *testing.T) {
	tasks := pooltest.NewRecorder(t)
	tasks.Pause()
	ctx, x := tasks.Begin(t.Context())
	inner, joined := tasks.Begin(ctx) // as a middleware that is installed twice does
	if err := placeOrder(inner, 1); err != nil {
		t.Fatal(err)
	}
	_, other := tasks.Begin(t.Context())
	if err := other.Scope().Submit(taskpool.Job{Name: "other", Run: func(context.Context) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	if got, want := names(tasks.Pending()), "receipt alert other"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	joined.Returned(taskpool.Outcome{})
	for _, x := range []taskpool.Exchange{x, other} {
		x.Returned(taskpool.Outcome{Status: 200})
		x.Sent(taskpool.ReleaseNoServer)
	}
	if got, want := names(tasks.Pending()), "receipt other"; got != want {
		t.Errorf("after the response: got %q, want %q", got, want)
	}
	if got, want := resultsOf(tasks.Run()), "alert discarded, other succeeded, receipt succeeded"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRecorderWorksInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tasks := pooltest.NewRecorder(t)
		runs := 0
		_, x := tasks.Begin(t.Context())
		err := x.Scope().Submit(taskpool.Job{Name: "retried", Delay: time.Hour, Retry: taskpool.Backoff(2, time.Minute, time.Minute), Run: func(context.Context) error {
			if runs++; runs == 1 {
				return errors.New("not yet")
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if r := tasks.Run(); r.Succeeded != 1 || r.Results[0].Attempts != 2 || time.Since(start) < time.Hour {
			t.Errorf("got %+v after %v", r, time.Since(start))
		}
	})
}

func TestRecorderFailsATestThatLeavesTasks(t *testing.T) {
	failed := run(func(t testing.TB) {
		tasks := pooltest.NewRecorder(t)
		ctx, _ := tasks.Begin(context.Background())
		_ = placeOrder(ctx, 1)
	})
	if got, want := strings.Join(failed, " "), "receipt alert"; got != want {
		t.Errorf("left: got %q, want %q", got, want)
	}
	failed = run(func(t testing.TB) {
		tasks := pooltest.NewRecorder(t)
		_ = taskpool.Handle(context.Background(), tasks, func(ctx context.Context) error { return placeOrder(ctx, 1) })
		tasks.Run()
	})
	if len(failed) > 0 {
		t.Errorf("nothing was left, and the test failed: %q", failed)
	}
}
