package riverpool_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/riverpool"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/jackc/pgx/v5"
)

func TestTheOutcomeDecides(t *testing.T) {
	t.Parallel()
	onEach(t, theOutcomeDecides[*sql.Tx], theOutcomeDecides[pgx.Tx])
}

func theOutcomeDecides[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	task := noting(j, "note", riverpool.Options{})
	pool := taskpool.New(taskpool.Config{Logger: quiet})
	q := start(t, db, riverpool.Config{Source: pool, Tasks: tasks(task)})
	srv := httptest.NewUnstartedServer(httppool.Middleware(q)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := r.URL.Path[1:]
		must(t, q.OnSuccess(r.Context(), task.Job(note{text}), task.Job(note{text})))
		rows := db.rows(t)
		if held := rows[len(rows)-2:]; !slices.Equal(held, []string{"note scheduled 0", "note scheduled 0"}) {
			t.Errorf("%s: before the response the rows are %q, want both held", text, held)
		}
		switch text {
		case "status":
			w.WriteHeader(http.StatusInternalServerError)
		case "fail":
			taskpool.FromContext(r.Context()).Fail(errors.New("on second thoughts"))
		case "panic":
			panic(http.ErrAbortHandler)
		}
	})))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	httppool.Track(srv.Config)
	srv.Start()
	defer srv.Close()
	for _, path := range []string{"status", "ok", "fail", "panic", "ok"} {
		if resp, err := http.Get(srv.URL + "/" + path); err == nil {
			resp.Body.Close()
		} else if path != "panic" {
			t.Fatal(err)
		}
	}
	j.want(t, "ok", "ok", "ok", "ok")
	done(t, q)
	j.empty(t)
	want := []string{"note completed 1", "note completed 1", "note completed 1", "note completed 1"}
	if got := db.rows(t); !slices.Equal(got, want) {
		t.Errorf("got rows %q, want %q: what failed is deleted", got, want)
	}
}

func TestADelayCountsFromTheOutcome(t *testing.T) {
	t.Parallel()
	onEach(t, aDelayCountsFromTheOutcome[*sql.Tx], aDelayCountsFromTheOutcome[pgx.Tx])
}

// The delay is in the database once the outcome is: a Done leaves nothing of it behind.
func aDelayCountsFromTheOutcome[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	task := noting(j, "note", riverpool.Options{})
	q := start(t, db, riverpool.Config{Tasks: tasks(task), Hold: 10 * time.Second})
	began := time.Now()
	must(t, taskpool.Handle(t.Context(), q, func(ctx context.Context) error {
		late, later := task.Job(note{"late"}), task.Job(note{"hours"}) // shorter and longer than Hold
		late.Delay, later.Delay = time.Second, time.Hour
		return q.OnSuccess(ctx, late, later, task.Job(note{"soon"}))
	}))
	done(t, q)
	in := func(d time.Duration) string { return began.Add(d).UTC().Format("2006-01-02 15:04:05") }
	rows, err := db.query("SELECT count(*) FROM river_job WHERE scheduled_at > '" + in(59*time.Minute) + "+00' AND scheduled_at < '" + in(time.Hour+patience) + "+00' AND state = 'scheduled'")
	must(t, err)
	if rows[0] != "1" {
		t.Errorf("got %s rows that wait for an hour, want 1", rows[0])
	}
	start(t, db, riverpool.Config{Tasks: tasks(task)})
	j.want(t, "soon", "late")
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("the delay of 1 s took %v", took)
	}
}

func TestWhatNobodySettlesStartsAfterHold(t *testing.T) {
	t.Parallel()
	onEach(t, whatNobodySettlesStartsAfterHold[*sql.Tx], whatNobodySettlesStartsAfterHold[pgx.Tx])
}

func whatNobodySettlesStartsAfterHold[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	task := noting(j, "note", riverpool.Options{})
	pool := taskpool.New(taskpool.Config{Logger: quiet})
	pool.Pause() // as in a process that has died
	q := start(t, db, riverpool.Config{Source: pool, Tasks: tasks(task), Hold: time.Second})
	began := time.Now()
	failed := errors.New("failed")
	wantErr(t, taskpool.Handle(t.Context(), q, func(ctx context.Context) error {
		must(t, q.OnSuccess(ctx, task.Job(note{"held"})))
		return failed
	}), failed)
	j.want(t, "held") // the safe side
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("Hold is 1 s, and it started after %v", took)
	}
}

// A hold and a delay that are longer together than a time.Duration can be are as long as it can be.
func TestAHoldWithoutEndHolds(t *testing.T) {
	t.Parallel()
	onEach(t, aHoldWithoutEndHolds[*sql.Tx], aHoldWithoutEndHolds[pgx.Tx])
}

func aHoldWithoutEndHolds[TTx any](t *testing.T, db *database[TTx]) {
	task := noting(newJournal(), "note", riverpool.Options{Timeout: math.MaxInt64})
	q := start(t, db, riverpool.Config{Source: taskpool.New(taskpool.Config{Logger: quiet}), Tasks: tasks(task), Hold: math.MaxInt64})
	failed := errors.New("failed")
	wantErr(t, taskpool.Handle(t.Context(), q, func(ctx context.Context) error {
		job := task.Job(note{"held"})
		job.Delay = time.Second
		must(t, q.OnSuccess(ctx, job))
		if rows := db.rows(t); !slices.Equal(rows, []string{"note scheduled 0"}) {
			t.Errorf("before the outcome is known the rows are %q, want one that is held", rows)
		}
		return failed
	}), failed)
	done(t, q)
	if rows := db.rows(t); len(rows) != 0 {
		t.Errorf("the request failed, and there are %q", rows)
	}
}

func TestAnOutcomeCountsWhileTheHoldEnds(t *testing.T) {
	t.Parallel()
	onEach(t, anOutcomeCountsWhileTheHoldEnds[*sql.Tx], anOutcomeCountsWhileTheHoldEnds[pgx.Tx])
}

// River's scheduler makes a row available 5 s ahead of its time: it is held until then all the same.
func anOutcomeCountsWhileTheHoldEnds[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	task := noting(j, "note", riverpool.Options{})
	q := start(t, db, riverpool.Config{Tasks: tasks(task)})
	failed := errors.New("failed")
	wantErr(t, taskpool.Handle(t.Context(), q, func(ctx context.Context) error {
		must(t, q.OnSuccess(ctx, task.Job(note{"held"})))
		must(t, db.exec("UPDATE river_job SET state = 'available'"))
		return failed
	}), failed)
	done(t, q)
	j.empty(t)
	if rows := db.rows(t); len(rows) != 0 {
		t.Errorf("got %q, want the row deleted", rows)
	}
}

func TestARefusalStoresNothing(t *testing.T) {
	t.Parallel()
	onEach(t, aRefusalStoresNothing[*sql.Tx], aRefusalStoresNothing[pgx.Tx])
}

func aRefusalStoresNothing[TTx any](t *testing.T, db *database[TTx]) {
	task := noting(nil, "note", riverpool.Options{})
	pool := taskpool.New(taskpool.Config{Workers: 1, QueueLimit: 1, Logger: quiet})
	q := made(t, db, riverpool.Config{Source: pool, Tasks: tasks(task)})
	wantErr(t, q.OnSuccess(t.Context(), task.Job(note{"x"})), taskpool.ErrNoScope)

	free := make(chan struct{})
	block := func(context.Context) error { <-free; return nil }
	must(t, pool.Add(block, block))
	wantErr(t, taskpool.Handle(t.Context(), q, func(ctx context.Context) error {
		return q.OnSuccess(ctx, task.Job(note{"x"}))
	}), taskpool.ErrOverloaded)
	close(free)
	if rows := db.rows(t); len(rows) != 0 {
		t.Errorf("got %q, want nothing stored", rows)
	}
}

func TestSettlingOutlivesADatabaseThatFails(t *testing.T) {
	t.Parallel()
	onEach(t, settlingOutlivesADatabaseThatFails[*sql.Tx], settlingOutlivesADatabaseThatFails[pgx.Tx])
}

func settlingOutlivesADatabaseThatFails[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	task := noting(j, "note", riverpool.Options{})
	retried := make(chan struct{}, 100)
	log := slogFunc(func(msg string) {
		if msg == "task will run again" {
			retried <- struct{}{}
		}
	})
	pool := taskpool.New(taskpool.Config{Logger: log})
	q := start(t, db, riverpool.Config{Source: pool, Tasks: tasks(task)})
	failed := errors.New("failed")
	for _, err := range []error{nil, failed} {
		wantErr(t, taskpool.Handle(t.Context(), q, func(ctx context.Context) error {
			must(t, q.OnSuccess(ctx, task.Job(note{"ok"})))
			must(t, db.exec("ALTER TABLE river_job RENAME TO hidden"))
			return err
		}), err)
		<-retried
		<-retried
		must(t, db.exec("ALTER TABLE hidden RENAME TO river_job"))
		_, err := pool.Drain(t.Context())
		must(t, err)
	}
	j.want(t, "ok")
	done(t, q)
	j.empty(t)
	if rows := db.rows(t); !slices.Equal(rows, []string{"note completed 1"}) {
		t.Errorf("got %q, want one row, completed", rows)
	}
}
