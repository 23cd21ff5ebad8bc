package riverpool_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/riverpool"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

func benchEach(b *testing.B, sqlite func(*testing.B, *database[*sql.Tx]), postgres func(*testing.B, *database[pgx.Tx])) {
	b.Run("SQLite", func(b *testing.B) { sqlite(b, openSQLite(b, filepath.Join(b.TempDir(), "tasks.db"))) })
	b.Run("Postgres", func(b *testing.B) { postgres(b, openPostgres(b, 0)) })
}

var benched = riverpool.Define[note]("note", nil, riverpool.Options{})

type riverNote note

func (riverNote) Kind() string { return "note" }

// BenchmarkSubmitBesideRiver alternates a Submit with an Insert of River's own: the ratio of the medians is the cost.
func BenchmarkSubmitBesideRiver(b *testing.B) {
	benchEach(b, submitBesideRiver[*sql.Tx], submitBesideRiver[pgx.Tx])
}

func submitBesideRiver[TTx any](b *testing.B, db *database[TTx]) {
	q := made(b, db, riverpool.Config{})
	ours, rivers := []time.Duration{}, []time.Duration{}
	for b.Loop() {
		began := time.Now()
		must(b, q.Submit(b.Context(), benched.Job(note{"x"})))
		between := time.Now()
		_, err := q.Client().Insert(b.Context(), riverNote{"x"}, &river.InsertOpts{Priority: 2})
		rivers = append(rivers, time.Since(between))
		must(b, err)
		ours = append(ours, between.Sub(began))
	}
	reportMedians(b, ours, "Submit", rivers, "Insert")
}

// BenchmarkSubmit stores one task, or a hundred, or one for an outcome.
func BenchmarkSubmit(b *testing.B) { benchEach(b, submit[*sql.Tx], submit[pgx.Tx]) }

func submit[TTx any](b *testing.B, db *database[TTx]) {
	pool := taskpool.New(taskpool.Config{})
	q := made(b, db, riverpool.Config{Source: pool})
	one := benched.Job(note{"x"})
	b.Run("1", func(b *testing.B) {
		for b.Loop() {
			must(b, q.Submit(b.Context(), one))
		}
	})
	b.Run("100", func(b *testing.B) {
		jobs := slices.Repeat([]riverpool.Job{one}, 100)
		for b.Loop() {
			must(b, q.Submit(b.Context(), jobs...))
		}
	})
	b.Run("OnSuccess", func(b *testing.B) { // and its settling
		for b.Loop() {
			must(b, taskpool.Handle(b.Context(), q, func(ctx context.Context) error { return q.OnSuccess(ctx, one) }))
			_, err := pool.Drain(b.Context())
			must(b, err)
		}
	})
}

// BenchmarkSubmitBehindAMillion alternates a Submit to an empty database with one to a database where a million tasks
// wait: the ratio of the medians is what those cost.
func BenchmarkSubmitBehindAMillion(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) {
		submitBehindAMillion(b, openSQLite(b, filepath.Join(b.TempDir(), "empty.db")), openSQLite(b, filepath.Join(b.TempDir(), "full.db")),
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) INSERT INTO river_job (args, kind, max_attempts, queue, state) SELECT '{}', 'note', 25, 'default', 'available' FROM n",
			"PRAGMA wal_checkpoint(TRUNCATE)")
	})
	b.Run("Postgres", func(b *testing.B) {
		submitBehindAMillion(b, openPostgres(b, 0), openPostgres(b, 0),
			"INSERT INTO river_job (args, kind, max_attempts, queue, state) SELECT '{}', 'note', 25, 'default', 'available' FROM generate_series(1, 1000000)",
			"VACUUM ANALYZE river_job", "CHECKPOINT")
	})
}

func submitBehindAMillion[TTx any](b *testing.B, empty, full *database[TTx], fill ...string) {
	q, crowded := made(b, empty, riverpool.Config{}), made(b, full, riverpool.Config{})
	for _, sql := range fill {
		must(b, full.exec(sql))
	}
	one := benched.Job(note{"x"})
	free, behind := []time.Duration{}, []time.Duration{}
	for b.Loop() {
		began := time.Now()
		must(b, q.Submit(b.Context(), one))
		between := time.Now()
		must(b, crowded.Submit(b.Context(), one))
		behind = append(behind, time.Since(between))
		free = append(free, between.Sub(began))
	}
	reportMedians(b, behind, "behind", free, "empty")
}

func reportMedians(b *testing.B, of []time.Duration, name string, to []time.Duration, base string) {
	median := func(d []time.Duration) time.Duration { slices.Sort(d); return d[len(d)/2] }
	b.ReportMetric(float64(median(of).Microseconds()), "µs/"+name)
	b.ReportMetric(float64(median(to).Microseconds()), "µs/"+base)
	b.ReportMetric(float64(median(of))/float64(median(to)), "ratio")
}
