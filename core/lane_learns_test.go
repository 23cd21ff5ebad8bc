package taskpool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// A refusal that says nothing: one call goes first, and the lane opens up again.
func TestOneTaskGoesFirstAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 20})
		start := time.Now()
		tell(t, p, taskpool.RateLimit{Refused: true, Reset: start.Add(10 * time.Second)})
		var order trail
		for i := range 7 {
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, fmt.Sprint(i), time.Second)}))
		}
		drain(t, p)
		equal(t, "order", order.sorted(), "0@10 1@11 2@12 3@12 4@13 5@13 6@13")
	})
}

// What the lane could have avoided uses up no attempt, and yet a job does not go on for ever.
func TestRefusalsUseUpNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		for _, test := range []struct{ refusals, runs int }{{2, 5}, {20, 23}, {100, 23}} {
			runs, attempts := 0, []int{}
			must(t, p.Submit(taskpool.Job{
				Lane: "api",
				Retry: func(attempt int, _ error) (time.Duration, bool) {
					attempts = append(attempts, attempt)
					return 0, attempt < 3
				},
				Run: func(ctx context.Context) error {
					if runs++; runs <= test.refusals {
						taskpool.Throttle(ctx, taskpool.RateLimit{Refused: true, Reset: time.Now().Add(time.Second)})
					}
					return errTask
				},
			}))
			drain(t, p)
			equal(t, fmt.Sprint("runs of ", test.refusals, " refusals, ", attempts), runs, test.runs)
		}
	})
}

// What was refused runs again when its lane lets it, also while Done waits. What the lane
// holds for longer than Done has time ends at once, as its last run did.
func TestRefusedJobRunsAgainIfDoneHasTime(t *testing.T) {
	for _, test := range []struct {
		done, took time.Duration
		want       string
	}{{time.Minute, 10 * time.Second, "succeeded"}, {5 * time.Second, 0, "failed"}} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(taskpool.Config{Results: taskpool.KeepAll})
			start, refused := time.Now(), make(chan struct{})
			must(t, p.Submit(taskpool.Job{Name: "call", Lane: "api", Retry: taskpool.Backoff(2, 0, 0), Run: func(ctx context.Context) error {
				if elapsed(start) > 0 {
					return nil
				}
				taskpool.Throttle(ctx, taskpool.RateLimit{Refused: true, Reset: start.Add(10 * time.Second)})
				<-refused
				return errTask
			}}))
			go func() {
				synctest.Wait() // until Done waits
				close(refused)
			}()
			ctx, cancel := context.WithTimeout(context.Background(), test.done)
			defer cancel()
			r, err := p.Done(ctx)
			equal(t, "results", resultsOf(r), "call "+test.want)
			equal(t, "took", elapsed(start), test.took)
			equal(t, "in time", err == nil, test.want == "succeeded")
			if test.want == "failed" {
				wantErr(t, "result", r.Results[0].Err, errTask)
			}
			for _, l := range p.Lanes() {
				equal(t, "left in the lane", l.Waiting+l.Running, 0)
			}
			equal(t, "oldest", p.Stats().Oldest, 0)
			balanced(t, p)
		})
	}
}

func TestFreeLaneTakesBackWhatWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 2, Lanes: map[string]taskpool.Lane{"api": {Limit: 1}}})
		start := time.Now()
		tell(t, p, taskpool.RateLimit{Refused: true, Reset: start.Add(24 * time.Hour)})
		var order trail
		must(t, p.Submit(taskpool.Job{Lane: "api", Run: paced(&order, start, "a", time.Second)}, taskpool.Job{Lane: "api", Run: paced(&order, start, "b", 0)}))
		time.Sleep(time.Minute)
		p.FreeLane("none such")
		equal(t, "queued", p.Stats().Queued, 2)
		p.FreeLane("api")
		drain(t, p)
		equal(t, "order", order.String(), "a@60 b@61") // its Limit stays
	})
}

func TestNewLaneGivesALaneItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		p := newPool(taskpool.Config{
			Workers: 8, Lanes: map[string]taskpool.Lane{"bank": {Limit: 2}},
			NewLane: func(name string) taskpool.Lane {
				asked++
				return taskpool.Lane{Limit: len(name)}
			},
		})
		start := time.Now()
		var order trail
		for i := range 3 {
			for _, lane := range []string{"a", "bb", "bank"} {
				must(t, p.Submit(taskpool.Job{Lane: lane, Run: paced(&order, start, fmt.Sprint(lane, i), time.Second)}))
			}
		}
		drain(t, p)
		equal(t, "order", order.sorted(), "a0@0 a1@1 a2@2 bank0@0 bank1@0 bank2@1 bb0@0 bb1@0 bb2@1")
		equal(t, "asked", asked, 2)
		equal(t, "lanes", len(p.Lanes()), 1)
	})
}

// NewLane is the caller's: its panic is, too, and leaves nothing behind.
func TestNewLaneThatPanicsLeavesNothingBehind(t *testing.T) {
	p := newPool(taskpool.Config{NewLane: func(name string) taskpool.Lane {
		if name == "bad" {
			panic(name)
		}
		return taskpool.Lane{}
	}})
	func() {
		defer func() { equal(t, "panic", recover(), any("bad")) }()
		_ = p.Submit(taskpool.Job{Lane: "good", Run: nop}, taskpool.Job{Lane: "bad", Run: nop})
	}()
	equal(t, "lanes", len(p.Lanes()), 0)
	must(t, p.Submit(taskpool.Job{Lane: "good", Run: nop}))
	equal(t, "succeeded", drain(t, p).Succeeded, 1)
}

// A lane that is stuck fills its share of the queue, and others find room.
func TestStuckLaneFillsItsShareOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1, QueueLimit: 10, Lanes: map[string]taskpool.Lane{"small": {Queue: 2}, "all": {Queue: -1}}})
		for lane, want := range map[string]int{"default": 5, "small": 2, "all": 10} {
			stuck := make(chan struct{})
			must(t, p.Add(func(context.Context) error { <-stuck; return nil }))
			synctest.Wait()
			n := 0
			for p.Submit(taskpool.Job{Lane: lane, Run: nop}) == nil {
				n++
			}
			equal(t, lane, n, want)
			err := p.Submit(taskpool.Job{Lane: lane, Run: nop})
			wantErr(t, lane, err, taskpool.ErrOverloaded)
			if lane != "all" {
				equal(t, "its text names the lane", strings.Contains(err.Error(), lane), true)
				must(t, p.Add(nop))
				wantErr(t, "all or none", p.Submit(taskpool.Job{Run: nop}, taskpool.Job{Lane: lane, Run: nop}), taskpool.ErrOverloaded)
			}
			close(stuck)
			drain(t, p)
			balanced(t, p)
		}
	})
}

func TestLanesTellWhatHoldsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 8, Lanes: map[string]taskpool.Lane{"full": {Limit: 1}, "rated": {Rate: 1, Per: time.Minute}, "free": {}}})
		start := time.Now()
		for _, lane := range []string{"full", "rated", "refused", "hinted"} {
			must(t, p.Submit(taskpool.Job{Lane: lane, Run: func(ctx context.Context) error {
				switch lane {
				case "full":
					time.Sleep(time.Second)
				case "refused":
					taskpool.Throttle(ctx, taskpool.RateLimit{Refused: true, Reset: start.Add(time.Hour)})
				case "hinted":
					taskpool.Throttle(ctx, taskpool.RateLimit{Name: "core", Limit: 60, Reset: start.Add(time.Hour)})
				}
				return nil
			}}))
			synctest.Wait() // before that the other one might start beside it
			must(t, p.Submit(taskpool.Job{Lane: lane, Run: nop}))
			synctest.Wait()
		}
		var got []string
		for _, l := range p.Lanes() {
			until := "-"
			if !l.Until.IsZero() {
				until = l.Until.Sub(start).String()
			}
			got = append(got, fmt.Sprint(l.Name, " ", l.Block, " ", until, " ", l.Waiting, " ", l.Running, " ", l.Refused, " ", len(l.Hints)))
		}
		equal(t, "lanes", strings.Join(got, ", "), "free none - 0 0 0 0, full limit - 1 1 0 0, hinted hint 1h0m0s 1 0 0 1, rated rate 1m0s 1 0 0 0, refused refusal 1h0m0s 1 0 1 0")
		for _, l := range p.Lanes() {
			p.FreeLane(l.Name)
		}
		drain(t, p)
	})
}

// What would go unlimited by a slip of the pen is said once; so is what was not understood.
func TestWhatALaneCannotHeedIsLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	p := newPool(taskpool.Config{
		Workers: 1, Lanes: map[string]taskpool.Lane{"bank": {}},
		Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	for range 2 {
		must(t, p.Submit(taskpool.Job{Lane: "bank", Run: func(ctx context.Context) error {
			taskpool.Throttle(ctx, taskpool.RateLimit{Unread: "reset: soon"})
			return nil
		}}))
		drain(t, p)
	}
	equal(t, "logged", strings.Count(out.String(), `field="reset: soon"`), 1)
	synctest.Test(t, func(t *testing.T) {
		out.Reset()
		p := newPool(taskpool.Config{Lanes: map[string]taskpool.Lane{"bank": {}}, Logger: slog.New(slog.NewTextHandler(&out, nil))})
		must(t, p.Submit(taskpool.Job{Lane: "bnak", Run: nop}, taskpool.Job{Lane: "bnka", Run: nop}))
		synctest.Wait()
		drain(t, p)
		equal(t, "logged", strings.Count(out.String(), "not in Config.Lanes"), 1)
	})
}

// An API with a bucket of one token refuses whoever comes too early, and says no more: the lane finds its pace.
func TestLaneFindsThePaceOfAnAPIThatSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 10})
		const calls, every = 300, 500 * time.Millisecond
		start, next, refused := time.Now(), time.Time{}, 0
		turn := make(chan struct{}, 1)
		for range calls {
			must(t, p.Submit(taskpool.Job{Lane: "api", Retry: taskpool.Backoff(2, 0, 0), Run: func(ctx context.Context) error {
				time.Sleep(20 * time.Millisecond)
				turn <- struct{}{}
				defer func() { <-turn }()
				if now := time.Now(); now.Before(next) {
					refused++
					taskpool.Throttle(ctx, taskpool.RateLimit{Refused: true})
					return errors.New("429")
				}
				next = time.Now().Add(every)
				return nil
			}}))
		}
		equal(t, "succeeded", drain(t, p).Succeeded, calls)
		if took := elapsed(start); took > calls*every*11/10 || refused > 9+calls/20 {
			t.Errorf("took %v and %d were refused, want %v and 5 %%", took, refused, calls*every)
		}
	})
}

// Many lanes that wait do not have Stats hold the pool up, and are dropped when nothing is left.
func TestManyLanesAreForgottenWithTheirRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 4, QueueLimit: -1, NewLane: func(string) taskpool.Lane { return taskpool.Lane{Rate: 1, Per: time.Minute} }})
		const lanes = 5000
		for i := range 2 * lanes {
			must(t, p.Submit(taskpool.Job{Lane: fmt.Sprint(i % lanes), Run: nop}))
		}
		time.Sleep(30 * time.Second)
		equal(t, "oldest", p.Stats().Oldest, 30*time.Second)
		equal(t, "lanes", len(p.Lanes()), lanes)
		drain(t, p)
		time.Sleep(time.Hour)
		equal(t, "lanes", len(p.Lanes()), 0)
	})
}

// An answer to a call that was made in the future, by a clock that is wrong, was made now.
func TestAnswerToACallOfTheFutureIsThatToOneOfNow(t *testing.T) {
	for _, asked := range []time.Time{{}, time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(taskpool.Config{})
			must(t, p.Submit(taskpool.Job{Lane: "api", Run: func(ctx context.Context) error {
				taskpool.Throttle(ctx, taskpool.RateLimit{Refused: true, Reset: time.Now().Add(time.Hour)})
				time.Sleep(time.Second)
				taskpool.Throttle(ctx, taskpool.RateLimit{Limit: 10, Remaining: 5, Reset: time.Now().Add(time.Minute), Asked: asked})
				if b := p.Lanes()[0].Block; b == taskpool.BlockRefusal {
					t.Errorf("asked at %v: got a lane that is held by a refusal, want one that a later answer has freed", asked)
				}
				return nil
			}}))
			drain(t, p)
		})
	}
}
