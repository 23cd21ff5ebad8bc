package riverpool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// A Queue stores tasks in a database and works those that are stored. It is a
// taskpool.Source: the middleware and Serve take it for the pool, so that one
// shutdown ends both. TTx is the driver's transaction, *sql.Tx or pgx.Tx. It is
// safe for concurrent use. Make it with New; the zero Queue refuses everything.
type Queue[TTx any] struct {
	config Config
	driver riverdriver.Driver[TTx]
	client *river.Client[TTx]
	policy taskpool.Retry // for tasks without one
	known  map[string]bool

	settling  settler
	migrating sync.Mutex

	mu       sync.Mutex // protects what follows
	started  bool
	stopping bool
	running  map[int64]string // the names of the stored tasks that run
}

// New makes a Queue on a driver of River's, such as riverpgxv5.New(pool) or
// riversqlite.New(db), with a database that stays open until Done has returned.
// It does not connect. Its errors are ErrConfig.
func New[TTx any](driver riverdriver.Driver[TTx], c Config) (*Queue[TTx], error) {
	c, err := c.withDefaults()
	switch {
	case err != nil:
		return nil, err
	case isNil(driver) || !driver.PoolIsSet():
		return nil, fmt.Errorf("%w: a driver without a database", ErrConfig)
	}
	q := &Queue[TTx]{config: c, driver: driver, known: map[string]bool{}, running: map[int64]string{}}
	q.settling.exec = q.driver.GetExecutor().Exec
	q.settling.postgres = driver.DatabaseName() == riverdriver.DatabaseNamePostgres
	q.settling.table = q.table("river_job")
	rc := c.river()
	if len(c.Tasks) > 0 {
		rc.Workers = river.NewWorkers()
	}
	for _, t := range c.Tasks {
		d := t.definition()
		q.known[d.name] = true
		river.AddWorkerArgs(rc.Workers, args{kind: d.name}, &worker[TTx]{q: q, task: d})
	}
	if c.River != nil {
		c.River(rc)
	}
	policy := rc.RetryPolicy
	if policy == nil {
		policy = &river.DefaultClientRetryPolicy{}
	}
	q.policy = asRetry(policy)
	if q.client, err = river.NewClient(driver, rc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return q, nil
}

// made reports whether q was made by New.
func (q *Queue[TTx]) made() bool { return q != nil && q.client != nil }

// Client returns River itself: for its periodic jobs, its pauses and its UI. nil
// for the zero Queue. Start and Stop it through the Queue alone.
func (q *Queue[TTx]) Client() *river.Client[TTx] {
	if q == nil {
		return nil
	}
	return q.client
}

// table names one of River's tables in SQL. River has checked the schema's name.
func (q *Queue[TTx]) table(name string) string {
	if q.config.Schema != "" {
		return `"` + q.config.Schema + `".` + name
	}
	return name
}

// Migrate brings River's tables up to date. It does nothing where they are, and
// waits for another process that is at it. On Postgres it needs two connections.
func (q *Queue[TTx]) Migrate(ctx context.Context) error {
	m, err := q.migrator()
	if err != nil {
		return err
	}
	q.migrating.Lock()
	defer q.migrating.Unlock()
	if q.settling.postgres { // of two processes at once one would fail: River takes no lock (rivermigrate, v0.51.2)
		const key = 0x7461736b706f6f6c // "taskpool"
		tx, err := q.driver.GetExecutor().Begin(ctx)
		if err != nil {
			return databaseError(err)
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // which gives up the lock
		if _, err := tx.PGAdvisoryXactLock(ctx, key); err != nil {
			return databaseError(err)
		}
	}
	if _, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return databaseError(err)
	}
	return nil
}

func (q *Queue[TTx]) migrator() (*rivermigrate.Migrator[TTx], error) {
	if !q.made() {
		return nil, errNoQueue
	}
	m, err := rivermigrate.New(q.driver, &rivermigrate.Config{Schema: q.config.Schema, Logger: q.config.river().Logger})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return m, nil
}

// Submit stores jobs, all or none, and returns when the database has them. Once
// it has returned nil, each runs at least once, whatever becomes of the request or
// the process. It blocks for a commit, for as long as ctx lets it.
//
// With SQLite and its one connection, do not call it while the same goroutine has
// a transaction open: it would wait for that. SubmitTx is for there.
func (q *Queue[TTx]) Submit(ctx context.Context, jobs ...Job) error {
	p, err := q.params(ctx, jobs, 0)
	if err != nil || len(p) == 0 {
		return err
	}
	_, err = q.insert(ctx, p)
	return err
}

// SubmitTx stores jobs in a transaction: they exist if and only if it commits,
// and then each runs at least once. On an error roll back: Postgres then refuses
// to commit.
func (q *Queue[TTx]) SubmitTx(ctx context.Context, tx TTx, jobs ...Job) error {
	p, err := q.params(ctx, jobs, 0)
	switch {
	case err != nil || len(p) == 0:
		return err
	case isNil(tx):
		return errNoTx
	}
	if _, err = q.client.InsertManyTx(ctx, tx, p); err != nil {
		return databaseError(err)
	}
	return nil
}

func (q *Queue[TTx]) insert(ctx context.Context, p []river.InsertManyParams) ([]*rivertype.JobInsertResult, error) {
	rows, err := q.client.InsertMany(ctx, p)
	if err != nil {
		return nil, databaseError(err)
	}
	return rows, nil
}

// unfinished are the states in which a unique task keeps another one out. River's
// default counts completed ones as well.
var unfinished = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// params are jobs as River stores them, none of them to start within hold.
func (q *Queue[TTx]) params(ctx context.Context, jobs []Job, hold time.Duration) ([]river.InsertManyParams, error) {
	if !q.made() {
		return nil, errNoQueue
	}
	var carried []byte
	if q.config.Carry != nil {
		if m := q.config.Carry.Inject(ctx); len(m) > 0 {
			carried, _ = json.Marshal(metadata{m}) // a map of strings always encodes
		}
	}
	p := make([]river.InsertManyParams, 0, len(jobs))
	unique := map[string]bool{}
	for i := range jobs {
		j := &jobs[i]
		if err := j.check(); err != nil {
			return nil, err
		}
		d := j.task.definition()
		if q.config.Sole && !q.known[d.name] {
			return nil, fmt.Errorf("%w: %s is not in Config.Tasks, and no other process would run it", ErrUnknownTask, d.name)
		}
		o := &river.InsertOpts{MaxAttempts: d.options.Attempts, Queue: d.options.Queue, Metadata: carried, Priority: 2 - int(j.Priority)}
		if wait := sum(j.Delay, hold); wait > 0 {
			o.ScheduledAt = time.Now().Add(wait)
		}
		if d.options.Unique {
			key := d.name + " " + string(j.raw)
			if unique[key] { // River refuses what it would skip in a later call
				continue
			}
			unique[key] = true
			o.UniqueOpts = river.UniqueOpts{ByArgs: true, ByState: unfinished}
		}
		p = append(p, river.InsertManyParams{Args: args{kind: d.name, raw: j.raw}, InsertOpts: o})
	}
	return p, nil
}

// Start begins to work stored tasks, in the background until Done. It returns
// when River has connected; ctx bounds that and, as the server ends first, nothing
// else. Its values are seen by the tasks. Without Config.Tasks it does nothing. It
// may be called again after an error; after Done it returns taskpool.ErrDone.
func (q *Queue[TTx]) Start(ctx context.Context) error {
	if !q.made() {
		return errNoQueue
	}
	if len(q.config.Tasks) == 0 {
		return nil
	}
	q.mu.Lock()
	was, stopping := q.started, q.stopping
	q.started = true
	q.mu.Unlock()
	switch {
	case stopping:
		return taskpool.ErrDone
	case was:
		return nil
	}
	err := q.start(ctx)
	if err != nil {
		_ = q.client.Stop(context.WithoutCancel(ctx)) // River would take itself for started
		q.mu.Lock()
		q.started = false
		q.mu.Unlock()
	}
	return err
}

func (q *Queue[TTx]) start(ctx context.Context) error {
	m, err := q.migrator()
	if err != nil {
		return err
	}
	schema, err := m.Validate(ctx, nil) // River itself would start, and log errors for ever
	switch {
	case err != nil:
		return databaseError(err)
	case !schema.OK:
		return fmt.Errorf("%w: %v", ErrNotMigrated, schema.Messages)
	}
	if q.config.Sole {
		if err := q.takeOver(ctx); err != nil {
			return databaseError(err)
		}
	}
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		return databaseError(err)
	}
	return nil
}

// takeOver has what ran in a process that is dead start again, and ends its
// leadership, which River would heed for another 15 s. What was cut in its last
// attempt runs once more: River's rescue would discard it.
func (q *Queue[TTx]) takeOver(ctx context.Context) error {
	exec := q.driver.GetExecutor().Exec
	return errors.Join(
		exec(ctx, "UPDATE "+q.table("river_job")+" SET state = 'available' WHERE state = 'running'"),
		exec(ctx, "DELETE FROM "+q.table("river_leader")),
	)
}

// Run is for a process that only works stored tasks: it starts, and at the end of
// ctx finishes within limit, as Done does. A limit of 0 or less means 25 s. The
// error is that of Start or of Done.
func (q *Queue[TTx]) Run(ctx context.Context, limit time.Duration) error {
	if q.made() && len(q.config.Tasks) == 0 {
		return fmt.Errorf("%w: no Tasks to run", ErrConfig)
	}
	if err := q.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	if limit <= 0 {
		limit = 25 * time.Second
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	_, err := q.Done(end)
	return err
}
