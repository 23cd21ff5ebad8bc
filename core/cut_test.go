package taskpool_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// Every failure is logged, though Done has no time left and nobody is to hear of it by a hook.
func TestFailureOfAWaitingRetryIsLoggedWhenDoneIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		p := newPool(taskpool.Config{Workers: 1, Logger: slog.New(&book)})
		must(t, p.Submit(taskpool.Job{Name: "x", Run: failing, Retry: func(int, error) (time.Duration, bool) { return time.Hour, true }}))
		synctest.Wait()
		must(t, p.Submit(taskpool.Job{Name: "y", Run: untilCanceled})) // has the only worker when Done comes
		synctest.Wait()
		r, _ := p.Done(canceled())
		equal(t, "counts", countsOf(r), counts{Failed: 1, Canceled: 1})
		lines := strings.Split(book.lines(), "\n")
		slices.Sort(lines) // two workers write the last two
		equal(t, "log", strings.Join(lines, "\n"), "DEBUG task will run again task=x error=the task failed attempt=1 wait=1h0m0s\n"+
			"ERROR task canceled task=y error=taskpool: the task was canceled: Done had no time left for it attempts=1\nERROR task failed task=x error=the task failed attempts=1 given_up=true")
	})
}

// What goes on after a cut does so beside what is stuck, and that is no larger pool.
func TestCutDoesNotChangeHowManyWorkersThereAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 2})
		gates := newGates(2)
		must(t, p.Add(gates[0].task, gates[1].task, nop))
		synctest.Wait()
		_, err := p.Done(canceled())
		wantErr(t, "Done", err, context.Canceled)
		equal(t, "workers", p.Stats().Workers, 2)
		for _, g := range gates {
			g.open()
		}
	})
}

// A task that has lent its slot needs one to give up in: b returns at once, and
// must not be taken for stuck because others are.
func TestWaiterThatGivesUpWhenDoneIsCutIsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := newPool(taskpool.Config{Workers: 1}), newPool(taskpool.Config{})
		never := make(chan struct{})
		_, s := begin(q, context.Background())
		must(t, s.Add(func(context.Context) error { <-never; return nil }))
		must(t, p.Submit(
			taskpool.Job{Name: "a", Run: func(ctx context.Context) error {
				wait, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				_, _ = s.Drain(wait)
				<-never // stuck
				return nil
			}},
			taskpool.Job{Name: "b", Run: func(ctx context.Context) error {
				_, err := s.Drain(ctx)
				return err
			}},
			taskpool.Job{Name: "c", Run: func(context.Context) error { <-never; return nil }}, // stuck, in the one slot
		))
		time.Sleep(2 * time.Second)
		r, _ := p.Done(canceled())
		equal(t, "results", resultsOf(r), "b canceled, c abandoned, a abandoned")
		close(never)
		drain(t, q)
	})
}
