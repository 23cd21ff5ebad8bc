package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// What waits in a paused pool is noted, and then run by one worker: both are one
// order.
func TestSnapshotAndPendingListInTheOrderInWhichTasksStart(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			p := newPool(taskpool.Config{Workers: 1, QueueLimit: -1, Lanes: map[string]taskpool.Lane{"wide": {Limit: 100}, "slow": {Rate: 1, Per: time.Second}}})
			must(t, p.Submit(taskpool.Job{Lane: "slow", Run: nop})) // the lane opens again in a second
			drain(t, p)
			p.Pause()
			var scopes []opened
			for range 3 {
				_, s := begin(p, context.Background())
				scopes = append(scopes, s)
			}
			var ran trail
			of := map[string]int{} // the scope
			for i := range 200 {
				name := fmt.Sprint(i)
				j := taskpool.Job{Name: name, Run: ran.task(name), Priority: taskpool.Priority(random.IntN(3) - 1)}
				switch random.IntN(6) {
				case 0:
					j.Lane = "wide"
				case 1:
					if random.IntN(4) == 0 {
						j.Lane = "slow"
						j.Priority = taskpool.PriorityNormal
					}
				case 2:
					j.Delay = time.Hour + time.Duration(random.IntN(50))*time.Minute + time.Duration(i)
				}
				at := random.IntN(len(scopes) + 1)
				of[name] = at
				if at == len(scopes) {
					must(t, p.Submit(j))
				} else {
					must(t, scopes[at].Submit(j))
				}
			}
			snap := p.Snapshot(1000)
			var want []string
			for _, task := range snap.Waiting {
				want = append(want, task.Name)
			}
			equal(t, "waiting", len(want), 200)
			if short := p.Snapshot(7).Waiting; len(short) != 7 || short[6].Name != want[6] {
				t.Errorf("a limit of 7: got %v", short)
			}
			for at, s := range scopes {
				var got, own []string
				for _, j := range s.Pending() {
					got = append(got, j.Name)
				}
				for _, task := range snap.Waiting {
					if of[task.Name] == at {
						own = append(own, task.Name)
					}
				}
				if !plainOrder(got, own, snap.Waiting) {
					t.Errorf("seed %d, scope %d:\n got %s\nwant %s", seed, at, strings.Join(got, " "), strings.Join(own, " "))
				}
			}
			p.Resume()
			drain(t, p)
			if got, want := ran.String(), strings.Join(want, " "); got != want {
				t.Errorf("seed %d:\n got %s\nwant %s", seed, got, want)
			}
			for _, s := range scopes {
				finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
			}
			done(t, p)
		})
	}
}

// plainOrder compares the order within each priority: between them, which turn begins
// at a lower one depends on the tasks of others.
func plainOrder(got, want []string, of []taskpool.TaskInfo) bool {
	by := map[string]string{}
	for _, task := range of {
		by[task.Name] = fmt.Sprint(task.State, task.Priority)
	}
	split := func(names []string) map[string]string {
		lists := map[string]string{}
		for _, name := range names {
			lists[by[name]] += " " + name
		}
		return lists
	}
	return len(got) == len(want) && maps.Equal(split(got), split(want))
}

func TestSnapshotTellsWhatEachTaskDoesAndSinceWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 3, Lanes: map[string]taskpool.Lane{"bank": {Limit: 1}, "paced": {Rate: 1, Per: time.Minute}}})
		start := time.Now()
		first, plain := newGate(), newGate()
		failed := false
		_, s := begin(p, context.Background())
		must(t, p.Submit(taskpool.Job{Name: "paced first", Lane: "paced", Run: nop}))
		must(t, p.Submit(taskpool.Job{Name: "running", Lane: "bank", Priority: taskpool.PriorityHigh, Run: first.task}))
		must(t, p.Add(plain.task))
		<-first.begun
		<-plain.begun
		must(t, p.Submit(
			taskpool.Job{Name: "again", Run: func(context.Context) error { failed = true; return errTask }, Retry: func(attempt int, _ error) (time.Duration, bool) { return time.Hour, attempt == 1 }},
			taskpool.Job{Name: "held", Lane: "bank", Run: nop},
			taskpool.Job{Name: "paced", Lane: "paced", Run: nop},
			taskpool.Job{Name: "later", Delay: 2 * time.Hour, Run: nop},
		))
		must(t, s.Submit(taskpool.Job{Name: "staged", Start: taskpool.StartOnFailure, Run: nop}))
		synctest.Wait()
		equal(t, "it has failed", failed, true)
		p.Snapshot(10) // sees the plain task
		time.Sleep(10 * time.Second)

		var got []string
		snap := p.Snapshot(10)
		for _, task := range append(snap.Running, snap.Waiting...) {
			due := "-"
			if !task.Due.IsZero() {
				due = task.Due.Sub(start).String()
			}
			name := task.Name[strings.LastIndex(task.Name, ".")+1:]
			got = append(got, fmt.Sprint(task.State, " ", name, " ", task.Lane, " ", task.Start, " ", task.Priority, " ", task.Attempt, " ", task.Waited, " ", task.Ran, " ", due, " ", task.Err))
		}
		equal(t, "tasks", "\n"+strings.Join(got, "\n"), `
running task  now normal 1 0s 10s - <nil>
running running bank now high 1 0s 10s - <nil>
queued held bank now normal 1 10s 0s - <nil>
queued paced paced now normal 1 10s 0s 1m0s <nil>
retrying again  now normal 2 10s 0s 1h0m0s the task failed
delayed later  now normal 1 10s 0s 2h0m0s <nil>
staged staged  on failure normal 1 10s 0s - <nil>`)
		equal(t, "retried", snap.Stats.Retried, 1)
		first.open()
		plain.open()
		finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
		_, err := p.Done(canceled()) // or it would wait for the next run
		wantErr(t, "Done", err, context.Canceled)
	})
}

// The age of a plain task is not that of the one that its worker ran before, be it
// taken with the lock or without.
// A plain task of a scope that somebody asked the end of has a context of its own,
// and is as plain: nothing was noted of it before it was seen.
func TestSnapshotOfAPlainTaskWithAContextOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{})
		_, s := begin(p, context.Background())
		release := make(chan struct{})
		must(t, s.Add(func(ctx context.Context) error {
			_ = ctx.Done()
			return nil
		}))
		drain(t, p)
		must(t, s.Add(func(context.Context) error {
			<-release
			return nil
		}))
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, want := range []time.Duration{0, time.Second} {
			got := p.Snapshot(1).Running
			if len(got) != 1 || got[0].Waited != 0 || got[0].Ran != want || got[0].Attempt != 1 {
				t.Errorf("got %+v, want it to run for %v since it was first seen", got, want)
			}
			time.Sleep(time.Second)
		}
		close(release)
		drain(t, p)
	})
}

func TestSnapshotForgetsAPlainTaskThatHasEnded(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: 1})
			first, last := newGate(), newGate()
			tasks := []taskpool.Task{first.task}
			for range 20 {
				if stream {
					tasks = append(tasks, nop)
				}
			}
			must(t, p.Add(append(tasks, last.task)...))
			<-first.begun
			equal(t, "just seen", p.Snapshot(5).Running[0].Ran, 0)
			time.Sleep(time.Minute)
			equal(t, "seen a minute ago", p.Snapshot(5).Running[0].Ran, time.Minute)
			first.open()
			<-last.begun
			time.Sleep(time.Second)
			equal(t, "seen for the first time", p.Snapshot(5).Running[0].Ran, 0)
			last.open()
			drain(t, p)
		})
	}
}

func TestSnapshotKeepsTheLatestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(taskpool.Config{Workers: 1})
		start := time.Now()
		for i := range 25 {
			must(t, p.Submit(taskpool.Job{Name: fmt.Sprint(i), Run: failing, Retry: taskpool.Backoff(2, 0, 0)}))
			drain(t, p) // takes the results with it
			time.Sleep(time.Second)
		}
		must(t, p.Add(nop))
		drain(t, p)
		failures := p.Snapshot(0).Failures
		equal(t, "kept", len(failures), 20)
		equal(t, "the latest", failures[0].Result.Name, "24")
		equal(t, "its runs", failures[0].Result.Attempts, 2)
		equal(t, "its time", failures[0].Time.Sub(start), 24*time.Second)
		equal(t, "the oldest", failures[19].Result.Name, "5")
		if !errors.Is(failures[0].Result.Err, errTask) {
			t.Errorf("got error %v", failures[0].Result.Err)
		}
	})
}

func TestSnapshotOfNoPoolIsEmpty(t *testing.T) {
	if s := (*taskpool.Pool)(nil).Snapshot(1); s.Running != nil || s.Stats != (taskpool.Stats{}) {
		t.Errorf("got %+v", s)
	}
}

func TestStatesHaveNames(t *testing.T) {
	text, err := taskpool.StateRetrying.MarshalText()
	must(t, err)
	equal(t, "text", string(text), "retrying")
	if _, err := taskpool.State(0).MarshalText(); err == nil {
		t.Error("got no error for no state")
	}
}

// A task that its request's outcome has discarded waits for nothing, although it is
// counted as queued until a worker has told the hook.
func TestSnapshotAndPendingLeaveOutWhatWillNotRun(t *testing.T) {
	p := newPool(taskpool.Config{Hooks: taskpool.Hooks{Ended: func(context.Context, taskpool.Result) {}}})
	p.Pause()
	_, s := begin(p, context.Background())
	must(t, s.Submit(
		taskpool.Job{Name: "on failure", Start: taskpool.StartOnFailure, Run: nop},
		taskpool.Job{Name: "on success", Start: taskpool.StartOnSuccess, Run: nop},
	))
	finish(s, taskpool.Outcome{Status: 200}, taskpool.ReleaseFlushed)
	equal(t, "queued", p.Stats().Queued, 2)
	if got := p.Snapshot(10).Waiting; len(got) != 1 || got[0].Name != "on success" {
		t.Errorf("waiting: got %v", got)
	}
	if got := s.Pending(); len(got) != 1 || got[0].Name != "on success" {
		t.Errorf("pending: got %v", got)
	}
	p.Resume()
	equal(t, "discarded", drain(t, p).Discarded, 1)
}
