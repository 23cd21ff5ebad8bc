package riverpool_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/riverpool"
	"github.com/jackc/pgx/v5"
)

func TestATransactionDecides(t *testing.T) {
	t.Parallel()
	onEach(t, aTransactionDecides[*sql.Tx], aTransactionDecides[pgx.Tx])
}

func aTransactionDecides[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	task := noting(j, "note", riverpool.Options{})
	q := start(t, db, riverpool.Config{Tasks: tasks(task)})
	for _, end := range []func(TTx) error{db.rollback, db.commit} {
		tx, err := db.begin(t.Context())
		must(t, err)
		must(t, q.SubmitTx(t.Context(), tx, task.Job(note{"one"}), task.Job(note{"two"})))
		must(t, end(tx))
	}
	got := j.next(t, 2)
	slices.Sort(got)
	if want := []string{"one", "two"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	done(t, q)
	j.empty(t)
}

func TestPriorityDelayAndUnique(t *testing.T) {
	t.Parallel()
	onEach(t, priorityDelayAndUnique[*sql.Tx], priorityDelayAndUnique[pgx.Tx])
}

func priorityDelayAndUnique[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	task, once := noting(j, "note", riverpool.Options{}), noting(j, "once", riverpool.Options{Unique: true})
	q := made(t, db, riverpool.Config{Tasks: tasks(task, once), Workers: 1})
	low, high, late := task.Job(note{"low"}), task.Job(note{"high"}), task.Job(note{"late"})
	low.Priority, high.Priority = taskpool.PriorityLow, taskpool.PriorityHigh
	late.Priority, late.Delay = taskpool.PriorityLow, time.Second
	must(t, q.Submit(t.Context(), low, late, task.Job(note{"normal"}), high, once.Job(note{"a"}), once.Job(note{"a"})))
	must(t, q.Submit(t.Context(), once.Job(note{"a"}))) // there is one: no error, and no second one
	wantErr(t, q.OnSuccess(t.Context(), once.Job(note{"b"})), riverpool.ErrUnique)
	stored := time.Now()

	must(t, q.Start(t.Context()))
	j.want(t, "high", "normal", "a", "low", "late")
	if took := time.Since(stored); took < 900*time.Millisecond { // the clock of the database may be another one
		t.Errorf("the delay of 1 s took %v", took)
	}
	eventually(t, "a completed row", func() bool { return db.rows(t)[4] == "once completed 1" })
	must(t, q.Submit(t.Context(), once.Job(note{"a"}))) // it is finished
	j.want(t, "a")
	done(t, q)
	j.empty(t)
}

func TestAQueueHasWorkersOfItsOwn(t *testing.T) {
	t.Parallel()
	onEach(t, aQueueHasWorkersOfItsOwn[*sql.Tx], aQueueHasWorkersOfItsOwn[pgx.Tx])
}

func aQueueHasWorkersOfItsOwn[TTx any](t *testing.T, db *database[TTx]) {
	j, free := newJournal(), make(chan struct{})
	slow := riverpool.Define("slow", func(_ context.Context, n note) error {
		j <- "in " + n.Text
		<-free
		return nil
	}, riverpool.Options{Queue: "bank"})
	quick := noting(j, "quick", riverpool.Options{})
	q := start(t, db, riverpool.Config{Tasks: tasks(slow, quick), Queues: map[string]int{"bank": 1}})
	must(t, q.Submit(t.Context(), slow.Job(note{"first"}), slow.Job(note{"second"})))
	j.want(t, "in first")
	must(t, q.Submit(t.Context(), quick.Job(note{"quick"})))
	j.want(t, "quick") // the bank's one worker is busy
	close(free)
	j.want(t, "in second")
}

func TestManyAreStoredInOneCall(t *testing.T) {
	t.Parallel()
	onEach(t, manyAreStoredInOneCall[*sql.Tx], manyAreStoredInOneCall[pgx.Tx])
}

func manyAreStoredInOneCall[TTx any](t *testing.T, db *database[TTx]) {
	const many = 10_000
	task := riverpool.Define[note]("note", nil, riverpool.Options{})
	q := made(t, db, riverpool.Config{})
	jobs := make([]riverpool.Job, many)
	for i := range jobs {
		jobs[i] = task.Job(note{fmt.Sprint(i)})
	}
	began := time.Now()
	must(t, q.Submit(t.Context(), jobs...))
	t.Log(time.Since(began))
	got, err := db.query("SELECT count(*) FROM river_job WHERE state = 'available'")
	must(t, err)
	if want := fmt.Sprint(many); got[0] != want {
		t.Errorf("got %s rows, want %s", got[0], want)
	}
}

func TestStoringGoesOnAfterDone(t *testing.T) {
	t.Parallel()
	onEach(t, storingGoesOnAfterDone[*sql.Tx], storingGoesOnAfterDone[pgx.Tx])
}

func storingGoesOnAfterDone[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	task := noting(j, "note", riverpool.Options{})
	q := start(t, db, riverpool.Config{Tasks: tasks(task)})
	done(t, q)
	must(t, q.Submit(t.Context(), task.Job(note{"late"})))
	wantErr(t, q.Start(t.Context()), taskpool.ErrDone)
	wantErr(t, taskpool.Handle(t.Context(), q, func(ctx context.Context) error {
		return q.OnSuccess(ctx, task.Job(note{"later"}))
	}), taskpool.ErrDone)
	if got, want := db.rows(t), []string{"note available 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	j.empty(t)
	start(t, db, riverpool.Config{Tasks: tasks(task)})
	j.want(t, "late")
}
