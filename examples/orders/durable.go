package orders

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/riverpool"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite"
)

// deliver is what an order promises, as it is stored: the receipt, then the notice to the partner. One task does both,
// so that they come in this order; a second run does no harm.
const deliver = "deliver"

// A Database keeps orders and what they promise, through crashes. It is a [taskpool.Source] for the middleware and for
// Serve; its Start begins to work what is stored, and Close closes it, after Done.
type Database interface {
	taskpool.Source
	Start(ctx context.Context) error
	Counts(ctx context.Context) (map[string]int, error) // stored tasks by state, for the page of tasks
	Close()

	put(ctx context.Context, o stored, accept func() error) error
	get(ctx context.Context, id string) (o stored, delivered bool, err error)
	delivered(ctx context.Context, id string) error
}

// A stored order is a row, and what its deliver task is given.
type stored struct {
	ID       string    `json:"id"`
	Placed   time.Time `json:"placed"`
	Rejected bool      `json:"rejected,omitempty"`
	Order
}

func (rec *record) stored() stored {
	return stored{ID: rec.id, Placed: rec.placed, Rejected: rec.rejected, Order: rec.order}
}

func (o *stored) record() *record {
	return &record{id: o.ID, placed: o.Placed, rejected: o.Rejected, order: o.Order}
}

// OpenDatabase has the service keep its orders in a database: from now on Place stores the order and its deliver task in
// one transaction. The target is a postgres:// URL or the path of a SQLite file. c.Source is the pool of the tasks that
// stay in memory.
func (s *Service) OpenDatabase(ctx context.Context, target string, c riverpool.Config) (Database, error) {
	task := riverpool.Define(deliver, s.deliver, riverpool.Options{Timeout: receiptTimeout + partnerTimeout, Retry: taskpool.Backoff(20, 100*time.Millisecond, 10*time.Minute)})
	c.Tasks = []riverpool.Definition{task}
	db, err := openDatabase(ctx, target, c, task)
	if err != nil {
		return nil, fmt.Errorf("orders: no database at %s: %w", redacted(target), err)
	}
	s.db = db
	return db, nil
}

func openDatabase(ctx context.Context, target string, c riverpool.Config, task *riverpool.Task[stored]) (Database, error) {
	if strings.HasPrefix(target, "postgres://") || strings.HasPrefix(target, "postgresql://") {
		db, err := pgxpool.New(ctx, target)
		if err != nil {
			return nil, err
		}
		return opened(ctx, riverpgxv5.New(db), c, database[pgx.Tx]{
			task:  task,
			begin: db.Begin,
			exec: func(ctx context.Context, tx pgx.Tx, sql string, args ...any) error {
				_, err := tx.Exec(ctx, sql, args...)
				return err
			},
			commit: func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) },
			rollback: func(ctx context.Context, tx pgx.Tx) {
				_ = tx.Rollback(context.WithoutCancel(ctx)) // after a commit it does nothing
			},
			row:   func(ctx context.Context, sql string, args ...any) scanner { return db.QueryRow(ctx, sql, args...) },
			close: db.Close,
		})
	}
	db, err := sql.Open("sqlite", "file:"+target+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // SQLite has one writer
	c.Sole = true
	return opened(ctx, riversqlite.New(db), c, database[*sql.Tx]{
		task:  task,
		begin: func(ctx context.Context) (*sql.Tx, error) { return db.BeginTx(ctx, nil) },
		exec: func(ctx context.Context, tx *sql.Tx, sql string, args ...any) error {
			_, err := tx.ExecContext(ctx, sql, args...)
			return err
		},
		commit:   func(_ context.Context, tx *sql.Tx) error { return tx.Commit() },
		rollback: func(_ context.Context, tx *sql.Tx) { _ = tx.Rollback() }, // after a commit it does nothing
		row: func(ctx context.Context, sql string, args ...any) scanner {
			return db.QueryRowContext(ctx, sql, args...)
		},
		close: func() { db.Close() },
	})
}

type scanner interface{ Scan(dest ...any) error }

// A database is a Database on one of the engines, whose transactions are TTx.
type database[TTx any] struct {
	*riverpool.Queue[TTx]
	task     *riverpool.Task[stored]
	begin    func(ctx context.Context) (TTx, error)
	exec     func(ctx context.Context, tx TTx, sql string, args ...any) error
	commit   func(ctx context.Context, tx TTx) error
	rollback func(ctx context.Context, tx TTx)
	row      func(ctx context.Context, sql string, args ...any) scanner
	close    func()
}

func opened[TTx any](ctx context.Context, driver riverdriver.Driver[TTx], c riverpool.Config, d database[TTx]) (Database, error) {
	q, err := riverpool.New(driver, c)
	if err == nil {
		d.Queue = q
		err = q.Migrate(ctx)
	}
	if err == nil {
		err = d.within(ctx, func(tx TTx) error {
			return d.exec(ctx, tx, "CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, body text NOT NULL, delivered boolean NOT NULL)")
		})
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return &d, nil
}

func (d *database[TTx]) Close() { d.close() }

// within runs do in a transaction, which commits if it returns nil.
func (d *database[TTx]) within(ctx context.Context, do func(tx TTx) error) error {
	tx, err := d.begin(ctx)
	if err != nil {
		return away(err)
	}
	defer d.rollback(ctx, tx)
	if err := do(tx); err != nil {
		return err
	}
	return away(d.commit(ctx, tx))
}

// put stores an order and, unless it is rejected, its deliver task. accept is asked last: what it refuses is not stored.
func (d *database[TTx]) put(ctx context.Context, o stored, accept func() error) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return d.within(ctx, func(tx TTx) error {
		if err := d.exec(ctx, tx, "INSERT INTO orders (id, body, delivered) VALUES ($1, $2, false)", o.ID, string(body)); err != nil {
			return away(err)
		}
		if !o.Rejected {
			if err := d.SubmitTx(ctx, tx, d.task.Job(o)); err != nil {
				return err
			}
		}
		return accept()
	})
}

// get finds an order; its ID is empty if there is none.
func (d *database[TTx]) get(ctx context.Context, id string) (o stored, delivered bool, err error) {
	var body string
	err = d.row(ctx, "SELECT body, delivered FROM orders WHERE id = $1", id).Scan(&body, &delivered)
	if errors.Is(err, sql.ErrNoRows) { // pgx.ErrNoRows is one
		return stored{}, false, nil
	}
	if err != nil {
		return stored{}, false, away(err)
	}
	return o, delivered, json.Unmarshal([]byte(body), &o)
}

func (d *database[TTx]) delivered(ctx context.Context, id string) error {
	return d.within(ctx, func(tx TTx) error {
		return away(d.exec(ctx, tx, "UPDATE orders SET delivered = true WHERE id = $1", id))
	})
}

// away says of an error, as riverpool does, that the database did not take it.
func away(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", riverpool.ErrDatabase, err)
}

// redacted is a URL without what stands before the host: a password, maybe.
func redacted(target string) string {
	if scheme, rest, ok := strings.Cut(target, "://"); ok {
		return scheme + "://" + rest[strings.LastIndex(rest, "@")+1:]
	}
	return target
}

// deliver is the stored task of an order. It may run more than once.
func (s *Service) deliver(ctx context.Context, o stored) error {
	rec := o.record()
	ctx = context.WithValue(ctx, recordKey{}, rec)
	if err := s.storeReceipt(ctx, rec); err != nil {
		return err
	}
	telling, cancel := context.WithTimeout(ctx, partnerTimeout)
	defer cancel()
	if err := s.notify(telling, rec); err != nil {
		return err
	}
	return s.db.delivered(ctx, o.ID)
}
