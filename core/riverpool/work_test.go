package riverpool_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/riverpool"
	"github.com/jackc/pgx/v5"
)

var errNo = errors.New("no")

func TestHowAStoredTaskEnds(t *testing.T) {
	t.Parallel()
	onEach(t, howAStoredTaskEnds[*sql.Tx], howAStoredTaskEnds[pgx.Tx])
}

func howAStoredTaskEnds[TTx any](t *testing.T, db *database[TTx]) {
	ended, retried := newJournal(), newJournal()
	soon := taskpool.Backoff(3, time.Millisecond, 10*time.Millisecond)
	define := func(name string, o riverpool.Options, run func(attempt int) error) *riverpool.Task[note] {
		return riverpool.Define(name, func(ctx context.Context, _ note) error {
			row, ok := riverpool.RowOf(ctx)
			if !ok || row.Kind != name {
				t.Errorf("%s: got row %+v, %v", name, row, ok)
			}
			return run(row.Attempt)
		}, o)
	}
	no := func(int) error { return errNo }
	all := []*riverpool.Task[note]{
		define("flaky", riverpool.Options{Retry: soon}, func(attempt int) error {
			if attempt < 3 {
				return errNo
			}
			return nil
		}),
		define("hopeless", riverpool.Options{Retry: soon}, no),
		define("attempts", riverpool.Options{Attempts: 2, Retry: taskpool.Backoff(9, 0, 0)}, no),
		define("single", riverpool.Options{Attempts: 1}, no),
		define("permanent", riverpool.Options{Retry: soon}, func(int) error { return fmt.Errorf("wrapped: %w", taskpool.Permanent(errNo)) }),
		define("permanent-policy", riverpool.Options{}, func(int) error { return taskpool.Permanent(errNo) }),
		define("panics", riverpool.Options{Retry: soon}, func(int) error { panic("oh") }),
		define("goexit", riverpool.Options{Retry: soon}, func(int) error { runtime.Goexit(); return nil }),
		define("bad-retry", riverpool.Options{Retry: func(int, error) (time.Duration, bool) { panic("oh") }}, no),
	}
	c := riverpool.Config{Hooks: taskpool.Hooks{Ended: func(_ context.Context, r taskpool.Result) {
		ended <- fmt.Sprint(r.Name, " ", r.Fate, " ", r.Attempts)
		if r.Fate != taskpool.FateSucceeded && r.Err == nil {
			t.Errorf("%s: no error", r.Name)
		}
	}, Retried: func(_ context.Context, name string, err error, wait time.Duration) {
		if err == nil || wait < 0 {
			t.Errorf("%s: got %v, %v", name, err, wait)
		}
		retried <- name
	}}}
	for _, task := range all {
		c.Tasks = append(c.Tasks, task)
	}
	q := start(t, db, c)
	for _, task := range all {
		must(t, q.Submit(t.Context(), task.Job(note{})))
	}
	got := ended.next(t, len(all))
	done(t, q)
	ended.empty(t)
	slices.Sort(got)
	want := []string{
		"attempts failed 2", "bad-retry failed 1", "flaky succeeded 3", "goexit failed 3", "hopeless failed 3",
		"panics panicked 3", "permanent failed 1", "permanent-policy failed 1", "single failed 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q,\nwant %q", got, want)
	}
	got = retried.next(t, 9)
	slices.Sort(got)
	if want = []string{"attempts", "flaky", "flaky", "goexit", "goexit", "hopeless", "hopeless", "panics", "panics"}; !slices.Equal(got, want) {
		t.Errorf("got other runs of %q, want %q", got, want)
	}
	retried.empty(t)
	want = []string{
		"flaky completed 3", "hopeless cancelled 3", "attempts discarded 2", "single discarded 1", "permanent cancelled 1",
		"permanent-policy cancelled 1", "panics cancelled 3", "goexit cancelled 3", "bad-retry cancelled 1",
	}
	if got := db.rows(t); !slices.Equal(got, want) {
		t.Errorf("got %q,\nwant %q", got, want)
	}
}

func TestRetryAfterAndRiversPolicyWait(t *testing.T) {
	t.Parallel()
	onEach(t, retryAfterAndRiversPolicyWait[*sql.Tx], retryAfterAndRiversPolicyWait[pgx.Tx])
}

func retryAfterAndRiversPolicyWait[TTx any](t *testing.T, db *database[TTx]) {
	ran := newJournal()
	hour := riverpool.Define("hour", func(context.Context, note) error {
		ran <- "hour"
		return taskpool.RetryAfter(errNo, time.Hour)
	}, riverpool.Options{Retry: taskpool.Backoff(3, 0, 0)})
	policy := riverpool.Define("policy", func(ctx context.Context, _ note) error {
		row, _ := riverpool.RowOf(ctx)
		ran <- fmt.Sprint("policy ", row.Attempt)
		if row.Attempt == 1 {
			return errNo
		}
		return nil
	}, riverpool.Options{})
	q := start(t, db, riverpool.Config{Tasks: tasks(hour, policy)})
	must(t, q.Submit(t.Context(), hour.Job(note{})))
	ran.want(t, "hour")
	began := time.Now()
	must(t, q.Submit(t.Context(), policy.Job(note{})))
	ran.want(t, "policy 1", "policy 2")
	if took := time.Since(began); took < 800*time.Millisecond { // 1 s, less a tenth at random, on the database's clock
		t.Errorf("the second run came after %v", took)
	}
	done(t, q)
	soon := time.Now().Add(50 * time.Minute).UTC().Format("2006-01-02 15:04:05")
	rows, err := db.query("SELECT kind, state FROM river_job WHERE scheduled_at > '" + soon + "+00'")
	must(t, err)
	if want := []string{"hour retryable"}; !slices.Equal(rows, want) {
		t.Errorf("got %q, want %q", rows, want)
	}
}

func TestAStoredTaskHasAScope(t *testing.T) {
	t.Parallel()
	onEach(t, aStoredTaskHasAScope[*sql.Tx], aStoredTaskHasAScope[pgx.Tx])
}

func aStoredTaskHasAScope[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	second := noting(j, "second", riverpool.Options{})
	var q *riverpool.Queue[TTx]
	first := riverpool.Define("first", func(ctx context.Context, n note) error {
		row, _ := riverpool.RowOf(ctx)
		must(t, q.OnSuccess(ctx, second.Job(note{fmt.Sprint("stored by ", row.Attempt)})))
		err := taskpool.FromContext(ctx).OnSuccess(func(context.Context) error {
			j <- fmt.Sprint("in memory by ", row.Attempt)
			return nil
		})
		if err == nil && row.Attempt == 1 {
			err = errNo
		}
		return err
	}, riverpool.Options{Retry: taskpool.Backoff(2, 0, 0)})
	q = start(t, db, riverpool.Config{Tasks: tasks(first, second)})
	must(t, q.Submit(t.Context(), first.Job(note{})))
	got := j.next(t, 2)
	slices.Sort(got)
	if want := []string{"in memory by 2", "stored by 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q: what an attempt added counts if it succeeds", got, want)
	}
	done(t, q)
	j.empty(t)
}

// A stored task has no lane; a part of it that is to keep to one goes through the pool, and is waited for.
func TestAStoredTaskMayUseTheLanesOfItsProcess(t *testing.T) {
	t.Parallel()
	onEach(t, aStoredTaskMayUseTheLanesOfItsProcess[*sql.Tx], aStoredTaskMayUseTheLanesOfItsProcess[pgx.Tx])
}

func aStoredTaskMayUseTheLanesOfItsProcess[TTx any](t *testing.T, db *database[TTx]) {
	const many = 6
	j := newJournal()
	pool := taskpool.New(taskpool.Config{Lanes: map[string]taskpool.Lane{"bank": {Limit: 1}}, Logger: quiet})
	inside := make(chan struct{}, 1)
	pay := riverpool.Define("pay", func(ctx context.Context, n note) error {
		answer, err := taskpool.AsyncJob(taskpool.FromContext(ctx), taskpool.Job{Lane: "bank"}, func(context.Context) (string, error) {
			select {
			case inside <- struct{}{}:
				defer func() { <-inside }()
			default:
				t.Error("two at once in a lane of one")
			}
			runtime.Gosched()
			return n.Text, nil
		})
		if err != nil {
			return err
		}
		text, err := answer.Await(ctx)
		j <- text
		return err
	}, riverpool.Options{})
	q := start(t, db, riverpool.Config{Source: pool, Tasks: tasks(pay)})
	for range many {
		must(t, q.Submit(t.Context(), pay.Job(note{"paid"})))
	}
	j.next(t, many)
}

func TestHooksSeeStoredTasksAsOthers(t *testing.T) {
	t.Parallel()
	onEach(t, hooksSeeStoredTasksAsOthers[*sql.Tx], hooksSeeStoredTasksAsOthers[pgx.Tx])
}

type (
	traceKey struct{}
	spanKey  struct{}
)

// A carrier carries the text at traceKey.
type carrier struct{}

func (carrier) Inject(ctx context.Context) map[string]string {
	if id, ok := ctx.Value(traceKey{}).(string); ok {
		return map[string]string{"trace": id}
	}
	return nil
}

func (carrier) Extract(ctx context.Context, stored map[string]string) context.Context {
	return context.WithValue(ctx, traceKey{}, stored["trace"])
}

func hooksSeeStoredTasksAsOthers[TTx any](t *testing.T, db *database[TTx]) {
	j, ended := newJournal(), newJournal()
	run := func(ctx context.Context, n note) error {
		switch n.Text {
		case "panic":
			panic("oh")
		case "nil":
			panic((*taskpool.PanicError)(nil))
		case "error":
			return (*taskpool.PanicError)(nil)
		case "goexit":
			runtime.Goexit()
		}
		j <- fmt.Sprint(n.Text, " ", ctx.Value(traceKey{}))
		return nil
	}
	good, bad := riverpool.Define("good", run, riverpool.Options{}), riverpool.Define("bad", run, riverpool.Options{Attempts: 1})
	mode := ""
	c := riverpool.Config{Workers: 1, Tasks: tasks(good, bad), Carry: carrier{}, Hooks: taskpool.Hooks{
		Run: func(ctx context.Context, name string, next taskpool.Task) error {
			switch mode {
			case "before":
				panic("before")
			case "left":
				go func() { _ = next(ctx) }()
				panic("left")
			case "never":
				return errNo
			case "beside":
				beside, ended := next, make(chan struct{})
				next = func(ctx context.Context) (err error) {
					go func() {
						defer close(ended)
						err = taskpool.ErrGoexit // unless it returns: a Goexit of the task ends this goroutine
						err = beside(ctx)
					}()
					<-ended
					ended = make(chan struct{})
					return err
				}
			}
			ctx = context.WithValue(ctx, spanKey{}, mode)
			err := next(ctx)
			if mode == "after" {
				panic("after")
			}
			if again := next(ctx); !errors.Is(again, err) {
				t.Errorf("a second call of next gave %v", again)
			}
			return err
		},
		Ended: func(ctx context.Context, r taskpool.Result) {
			ended <- fmt.Sprint(mode, ": ", r.Name, " ", r.Fate, " ", ctx.Value(traceKey{}), " ", ctx.Value(spanKey{}))
			panic("ended")
		},
	}}
	q := start(t, db, c)
	ctx := context.WithValue(t.Context(), traceKey{}, "t1")
	for _, tt := range []struct {
		mode string
		job  riverpool.Job
		ran  bool
		want string
	}{
		{"plain", good.Job(note{"a"}), true, "plain: good succeeded t1 plain"},
		{"before", good.Job(note{"b"}), true, "before: good succeeded t1 <nil>"},
		{"after", good.Job(note{"c"}), true, "after: good succeeded t1 after"},
		{"left", good.Job(note{"l"}), true, "left: good succeeded t1 <nil>"},
		{"left", bad.Job(note{"panic"}), false, "left: bad panicked t1 <nil>"},
		{"never", bad.Job(note{"d"}), false, "never: bad failed t1 <nil>"},
		{"plain", bad.Job(note{"panic"}), false, "plain: bad panicked t1 plain"},
		{"plain", bad.Job(note{"nil"}), false, "plain: bad panicked t1 plain"},
		{"plain", bad.Job(note{"error"}), false, "plain: bad failed t1 plain"},
		{"beside", bad.Job(note{"panic"}), false, "beside: bad panicked t1 beside"},
		{"beside", bad.Job(note{"goexit"}), false, "beside: bad failed t1 beside"},
	} {
		mode = tt.mode
		must(t, q.Submit(ctx, tt.job))
		ended.want(t, tt.want)
		if tt.ran {
			if got := j.next(t, 1)[0]; got[2:] != "t1" {
				t.Errorf("%s: the task saw %q, want the trace", tt.mode, got)
			}
		}
		j.empty(t)
	}
	mode = "plain"
	must(t, q.Submit(t.Context(), good.Job(note{"e"}))) // nothing to carry
	j.want(t, "e <nil>")
}

func TestALoggerThatPanicsChangesNoEnd(t *testing.T) {
	t.Parallel()
	onEach(t, aLoggerThatPanicsChangesNoEnd[*sql.Tx], aLoggerThatPanicsChangesNoEnd[pgx.Tx])
}

// A hostile is a log handler that panics at what a Queue has to say.
type hostile struct{ slog.Handler }

func (hostile) Enabled(context.Context, slog.Level) bool { return true }
func (hostile) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "stored task") || r.Message == "hook panicked" {
		panic("logger")
	}
	return nil
}

func aLoggerThatPanicsChangesNoEnd[TTx any](t *testing.T, db *database[TTx]) {
	ended := newJournal()
	permanent := riverpool.Define("permanent", func(context.Context, note) error { return taskpool.Permanent(errNo) }, riverpool.Options{})
	twice := riverpool.Define("twice", func(context.Context, note) error { return errNo }, riverpool.Options{Attempts: 2, Retry: taskpool.Backoff(9, 0, 0)})
	q := start(t, db, riverpool.Config{Workers: 1, Logger: slog.New(hostile{slog.DiscardHandler}), Tasks: tasks(permanent, twice), Hooks: taskpool.Hooks{
		Ended: func(_ context.Context, r taskpool.Result) {
			ended <- fmt.Sprint(r.Name, " ", r.Attempts)
			panic("ended")
		},
	}})
	must(t, q.Submit(t.Context(), permanent.Job(note{}), twice.Job(note{})))
	got := ended.next(t, 2)
	slices.Sort(got)
	if want := []string{"permanent 1", "twice 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	done(t, q)
	ended.empty(t)
	if got, want := db.rows(t), []string{"permanent cancelled 1", "twice discarded 2"}; !slices.Equal(got, want) {
		t.Errorf("got rows %q, want %q", got, want)
	}
}
