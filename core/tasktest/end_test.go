package tasktest_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/tasktest"
)

func slogTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// A century is more than a Recorder waits for.
const century = 100 * 365 * 24 * time.Hour

// left is what is left of a test in a bubble, and how long it takes of the bubble's time.
func left(t *testing.T, test func(tasks *tasktest.Recorder)) (failures string, after time.Duration) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		began := time.Now()
		failures = run(func(t testing.TB) { test(tasktest.NewRecorder(t, taskpool.Config{})) })
		after = time.Since(began)
		time.Sleep(2 * century) // until what the test has left behind ends, which a bubble asks for
	})
	return failures, after
}

func TestATestFailsForWhatItDidNotLetRun(t *testing.T) {
	for name, test := range map[string]func(tasks *tasktest.Recorder){
		"captured": func(tasks *tasktest.Recorder) {
			tasks.Pause()
			_ = taskpool.Handle(context.Background(), tasks, func(ctx context.Context) error { return placeOrder(ctx, 1) })
		},
		"captured, twice": func(tasks *tasktest.Recorder) {
			tasks.Pause()
			for range 2 {
				_ = tasks.Submit(taskpool.Job{Name: "receipt", Run: nothing})
			}
		},
		"captured, of the pool itself": func(tasks *tasktest.Recorder) {
			tasks.Pause()
			_ = tasks.Submit(taskpool.Job{Name: "receipt", Run: nothing})
		},
		"delayed": func(tasks *tasktest.Recorder) {
			_ = tasks.Submit(taskpool.Job{Name: "receipt", Delay: time.Hour, Run: nothing})
		},
		"staged": func(tasks *tasktest.Recorder) {
			_, x := tasks.Begin(context.Background())
			_ = x.Scope().Submit(taskpool.Job{Name: "receipt", Start: taskpool.StartOnSuccess, Run: nothing})
		},
	} {
		failures, after := left(t, test)
		if strings.HasPrefix(name, "captured") {
			equal(t, name+": waited for in vain", after, 0)
		}
		want := 1
		if name == "captured, twice" {
			want = 2
		}
		equal(t, name, failures, fmt.Sprintf(`tasktest: %d × "receipt" accepted and not run: call Recorder.Wait, in a bubble if it is delayed`, want))
	}
}

func TestATestWaitsForWhatRunsAtItsEnd(t *testing.T) {
	ended := false
	failures, after := left(t, func(tasks *tasktest.Recorder) {
		_ = tasks.Submit(
			taskpool.Job{Name: "running", Run: func(context.Context) error { time.Sleep(5 * time.Second); return nil }},
			taskpool.Job{Name: "queued", Run: func(context.Context) error { ended = true; return nil }},
		)
	})
	equal(t, "failures", failures, "")
	equal(t, "after", after, 5*time.Second)
	equal(t, "the last has ended", ended, true)
}

func TestATestFailsForWhatDoesNotEnd(t *testing.T) {
	failures, _ := left(t, func(tasks *tasktest.Recorder) {
		_ = tasks.Submit(taskpool.Job{Name: "deaf", Run: func(context.Context) error { time.Sleep(time.Hour); return nil }})
	})
	equal(t, "failures", failures, `tasktest: 1 × "deaf" still running after the test`)
}

func TestATestMayCutItsTasksShort(t *testing.T) {
	failures, _ := left(t, func(tasks *tasktest.Recorder) {
		_ = tasks.Submit(
			taskpool.Job{Name: "deaf", Run: func(context.Context) error { time.Sleep(time.Hour); return nil }},
			taskpool.Job{Name: "behind", Run: nothing},
		)
		synctest.Wait() // until the first runs
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = tasks.Done(over)
		report := tasks.Wait()
		equal(t, "what the test sees", fates(report.Results), "behind canceled, deaf abandoned")
		equal(t, "canceled, abandoned", [2]int{report.Canceled, report.Abandoned}, [2]int{1, 1})
	})
	equal(t, "failures", failures, "")
}

func TestWhatWasCapturedAndLetGoIsWaitedFor(t *testing.T) {
	ended := false
	failures, _ := left(t, func(tasks *tasktest.Recorder) {
		tasks.Pause()
		_ = tasks.Submit(taskpool.Job{Name: "running", Run: func(context.Context) error { time.Sleep(time.Second); ended = true; return nil }})
		tasks.Resume()
	})
	equal(t, "failures", failures, "")
	equal(t, "it has ended", ended, true)
}

func TestWaitGivesUpWhereNothingEnds(t *testing.T) {
	failures, _ := left(t, func(tasks *tasktest.Recorder) {
		tasktest.OutsideOfABubble(tasks)
		for range 5 {
			_ = tasks.Submit(taskpool.Job{Name: "slow", Run: func(context.Context) error { time.Sleep(9 * time.Second); return nil }})
		}
		equal(t, "succeeded", tasks.Wait().Succeeded, 5)
	})
	equal(t, "failures", failures, "")
}

func TestWaitSaysWhatIsLeft(t *testing.T) {
	for _, bubble := range []bool{true, false} {
		failures, _ := left(t, func(tasks *tasktest.Recorder) {
			if !bubble {
				tasktest.OutsideOfABubble(tasks)
			}
			never := make(chan struct{})
			time.AfterFunc(century+time.Hour, func() { close(never) })
			_ = tasks.Submit(
				taskpool.Job{Name: "stuck", Run: func(context.Context) error { <-never; return nil }},
				taskpool.Job{Name: "behind", Run: nothing},
			)
			tasks.Wait()
			t.Error("the test goes on")
		})
		limit := "10s"
		if bubble {
			limit = "876000h0m0s"
		}
		equal(t, "failures", failures, `tasktest: no task has ended for `+limit+`, and this is left: "stuck" is running, "behind" is queued`+"\n"+
			`tasktest: 1 × "behind" accepted and not run: call Recorder.Wait, in a bubble if it is delayed`+"\n"+`tasktest: 1 × "stuck" still running after the test`)
	}
}

func TestWaitSaysWhenWhatIsLeftIsDue(t *testing.T) {
	failures, _ := left(t, func(tasks *tasktest.Recorder) {
		tasktest.OutsideOfABubble(tasks)
		_ = tasks.Submit(taskpool.Job{Name: "reminder", Delay: time.Hour, Run: nothing})
		tasks.Wait()
	})
	if want := `"reminder" is delayed for 59m50s`; !strings.Contains(failures, want) {
		t.Errorf("got %q, want it to say %q", failures, want)
	}
}

func TestWaitSaysThatAHandlerHasNotReturned(t *testing.T) {
	failures, _ := left(t, func(tasks *tasktest.Recorder) {
		_, _ = tasks.Begin(context.Background())
		tasks.Wait()
	})
	if want := "a handler that has not returned"; !strings.Contains(failures, want) {
		t.Errorf("got %q, want it to say %q", failures, want)
	}
}
