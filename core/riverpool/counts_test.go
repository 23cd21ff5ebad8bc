package riverpool_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/riverpool"
	"github.com/jackc/pgx/v5"
)

func TestCountsAreByState(t *testing.T) {
	t.Parallel()
	onEach(t, countsAreByState[*sql.Tx], countsAreByState[pgx.Tx])
}

func countsAreByState[TTx any](t *testing.T, db *database[TTx]) {
	j, runs, stop := newJournal(), make(chan struct{}), make(chan struct{})
	fine := noting(j, "fine", riverpool.Options{})
	blocks := riverpool.Define("blocks", func(context.Context, note) error { close(runs); <-stop; return nil }, riverpool.Options{})
	fails := riverpool.Define("fails", func(context.Context, note) error { return errors.New("no") }, riverpool.Options{Attempts: 2, Retry: taskpool.Backoff(2, time.Hour, time.Hour)})
	ends := riverpool.Define("ends", func(context.Context, note) error { return errors.New("no") }, riverpool.Options{Attempts: 1})
	unknown := riverpool.Define[note]("unknown", nil, riverpool.Options{})
	q := start(t, db, riverpool.Config{Tasks: tasks(fine, blocks, fails, ends)})
	late := fine.Job(note{})
	late.Delay = time.Hour
	must(t, q.Submit(t.Context(), fine.Job(note{}), fine.Job(note{}), blocks.Job(note{}), fails.Job(note{}), ends.Job(note{}),
		late, late, late, unknown.Job(note{}), unknown.Job(note{})))
	<-runs
	want := "map[available:2 cancelled:0 completed:2 discarded:1 pending:0 retryable:1 running:1 scheduled:3]"
	eventually(t, want, func() bool {
		counts, err := q.Counts(t.Context())
		must(t, err)
		return fmt.Sprint(counts) == want
	})
	close(stop)
	done(t, q)
	db.close()
	_, err := q.Counts(t.Context())
	wantErr(t, err, riverpool.ErrDatabase)
}

func TestCountsEndAtMaxCount(t *testing.T) {
	t.Parallel()
	onEach(t, countsEndAtMaxCount[*sql.Tx], countsEndAtMaxCount[pgx.Tx])
}

func countsEndAtMaxCount[TTx any](t *testing.T, db *database[TTx]) {
	q := made(t, db, riverpool.Config{})
	task := riverpool.Define[note]("note", nil, riverpool.Options{})
	must(t, q.Submit(t.Context(), task.Job(note{})))
	for stored := 1; stored <= riverpool.MaxCount; stored *= 2 {
		must(t, db.exec("INSERT INTO river_job (args, kind, max_attempts) SELECT args, kind, max_attempts FROM river_job"))
	}
	counts, err := q.Counts(t.Context())
	must(t, err)
	if got := counts["available"]; got != riverpool.MaxCount {
		t.Errorf("got %d, want %d", got, riverpool.MaxCount)
	}
}

func TestCountsOfNoTablesSaysSo(t *testing.T) {
	t.Parallel()
	onEach(t, countsOfNoTablesSaysSo[*sql.Tx], countsOfNoTablesSaysSo[pgx.Tx])
}

func countsOfNoTablesSaysSo[TTx any](t *testing.T, db *database[TTx]) {
	q, err := riverpool.New(db.driver, riverpool.Config{})
	must(t, err)
	_, err = q.Counts(t.Context())
	wantErr(t, err, riverpool.ErrNotMigrated)
	_, err = (*riverpool.Queue[TTx])(nil).Counts(t.Context())
	wantErr(t, err, riverpool.ErrConfig)
}
