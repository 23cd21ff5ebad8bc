package riverpool_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite"
)

// patience bounds what a test waits for. It is no measure of anything.
const patience = time.Minute

// A database is an empty one of a test's own.
type database[TTx any] struct {
	driver   riverdriver.Driver[TTx]
	begin    func(context.Context) (TTx, error)
	commit   func(TTx) error
	rollback func(TTx) error
	exec     func(sql string) error
	query    func(sql string) ([]string, error) // a line for each row
	close    func()
}

// rows are the stored tasks, in the order in which they were stored.
func (d *database[TTx]) rows(t *testing.T) []string {
	t.Helper()
	rows, err := d.query("SELECT kind, state, attempt FROM river_job ORDER BY id")
	must(t, err)
	return rows
}

// onEach runs a test on each engine.
func onEach(t *testing.T, sqlite func(*testing.T, *database[*sql.Tx]), postgres func(*testing.T, *database[pgx.Tx])) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		sqlite(t, openSQLite(t, filepath.Join(t.TempDir(), "tasks.db")))
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		postgres(t, openPostgres(t, 0))
	})
}

func openSQLite(t testing.TB, file string) *database[*sql.Tx] {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	must(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return &database[*sql.Tx]{
		driver:   riversqlite.New(db),
		begin:    func(ctx context.Context) (*sql.Tx, error) { return db.BeginTx(ctx, nil) },
		commit:   func(tx *sql.Tx) error { return tx.Commit() },
		rollback: func(tx *sql.Tx) error { return tx.Rollback() },
		exec:     func(sql string) error { _, err := db.Exec(sql); return err },
		query: func(sql string) ([]string, error) {
			rows, err := db.Query(sql)
			if err != nil {
				return nil, err
			}
			defer rows.Close()
			columns, err := rows.Columns()
			if err != nil {
				return nil, err
			}
			var lines []string
			for rows.Next() {
				values := make([]any, len(columns))
				for i := range values {
					values[i] = new(any)
				}
				if err := rows.Scan(values...); err != nil {
					return nil, err
				}
				for i := range values {
					values[i] = *values[i].(*any)
				}
				lines = append(lines, strings.TrimSuffix(fmt.Sprintln(values...), "\n"))
			}
			return lines, rows.Err()
		},
		close: func() { db.Close() },
	}
}

var schemas atomic.Int64

// postgresURL is where the tests' Postgres is: testdata/postgres starts one.
func postgresURL(t testing.TB) string {
	url := os.Getenv("RIVERPOOL_PG")
	if url == "" {
		t.Skip("no Postgres: run the tests with core/riverpool/testdata/postgres, or set RIVERPOOL_PG")
	}
	return url
}

// openPostgres opens a schema of the test's own. A size of 0 means the default.
func openPostgres(t testing.TB, size int32) *database[pgx.Tx] {
	c, err := pgxpool.ParseConfig(postgresURL(t))
	must(t, err)
	schema := fmt.Sprintf("t%d_%d", os.Getpid(), schemas.Add(1))
	c.ConnConfig.RuntimeParams["search_path"] = schema
	if size > 0 {
		c.MaxConns = size
	}
	ctx := context.WithoutCancel(t.Context()) // until the cleanup
	db, err := pgxpool.NewWithConfig(ctx, c)
	must(t, err)
	_, err = db.Exec(ctx, "CREATE SCHEMA "+schema)
	must(t, err)
	t.Cleanup(func() {
		c.MaxConns = 1
		if last, err := pgxpool.NewWithConfig(ctx, c); err == nil { // the test's own may be closed
			_, _ = last.Exec(ctx, "SET client_min_messages = error; DROP SCHEMA "+schema+" CASCADE")
			last.Close()
		}
		db.Close()
	})
	return &database[pgx.Tx]{
		driver:   riverpgxv5.New(db),
		begin:    func(ctx context.Context) (pgx.Tx, error) { return db.Begin(ctx) },
		commit:   func(tx pgx.Tx) error { return tx.Commit(ctx) },
		rollback: func(tx pgx.Tx) error { return tx.Rollback(ctx) },
		exec:     func(sql string) error { _, err := db.Exec(ctx, sql); return err },
		query: func(sql string) ([]string, error) {
			rows, err := db.Query(ctx, sql)
			if err != nil {
				return nil, err
			}
			return pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
				values, err := row.Values()
				return strings.TrimSuffix(fmt.Sprintln(values...), "\n"), err
			})
		},
		close: db.Close,
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something holds that a database, or another process, cannot tell of.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited %v: not %s", patience, what)
		}
	}
}
