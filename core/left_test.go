package taskpool_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// What a run has left behind may ask about its run while the next one begins, and
// gets the same answer ever after.
func TestRunStaysWhatItWasWhenTheNextBegins(t *testing.T) {
	p := newPool(taskpool.Config{})
	var left sync.WaitGroup
	ended := make(chan struct{})
	must(t, p.Submit(taskpool.Job{Retry: taskpool.Backoff(3, 0, 0), Timeout: time.Hour, Run: func(ctx context.Context) error {
		want, _ := taskpool.RunOf(ctx)
		left.Go(func() {
			for {
				if got, ok := taskpool.RunOf(ctx); !ok || got != want {
					t.Errorf("what run %d has left behind: got %+v, %v, want %+v", want.Attempt, got, ok, want)
					return
				}
				select {
				case <-ended:
					return
				default:
				}
			}
		})
		return errTask
	}}))
	equal(t, "fates", countsOf(drain(t, p)), counts{Failed: 1})
	close(ended)
	left.Wait()
}

// An endedBook notes of each overrun whether its context had ended, and in which run it was.
type endedBook struct {
	slog.Handler
	told *trail
}

func (endedBook) Enabled(context.Context, slog.Level) bool { return true }

func (b endedBook) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "task overran its timeout" {
		of, _ := taskpool.RunOf(ctx)
		b.told.add("run %d: %v", of.Attempt, ctx.Err())
	}
	return nil
}

func TestOverrunIsLoggedWithTheContextOfItsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told trail
		p := newPool(taskpool.Config{Logger: slog.New(endedBook{slog.DiscardHandler, &told})})
		must(t, p.Submit(taskpool.Job{Retry: taskpool.Backoff(2, 0, 0), Timeout: time.Second, Run: func(context.Context) error {
			time.Sleep(time.Minute)
			return errTask
		}}))
		drain(t, p)
		equal(t, "told", told.String(), "run 1: <nil> run 2: <nil>")
	})
}
