package riverpool_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/riverpool"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

func TestBadInputIsRefusedAndStoresNothing(t *testing.T) {
	t.Parallel()
	onEach(t, badInputIsRefusedAndStoresNothing[*sql.Tx], badInputIsRefusedAndStoresNothing[pgx.Tx])
}

func badInputIsRefusedAndStoresNothing[TTx any](t *testing.T, db *database[TTx]) {
	good := noting(nil, "good", riverpool.Options{})
	named := func(name string, o riverpool.Options) riverpool.Job {
		return riverpool.Define[note](name, nil, o).Job(note{})
	}
	anything := riverpool.Define[any]("anything", nil, riverpool.Options{})
	with := func(change func(*riverpool.Job)) riverpool.Job {
		job := good.Job(note{})
		change(&job)
		return job
	}
	q := made(t, db, riverpool.Config{})
	sole := made(t, db, riverpool.Config{Sole: true, Tasks: tasks(good)})
	for _, tt := range []struct {
		name string
		job  riverpool.Job
		want error
	}{
		{"zero Job", riverpool.Job{}, riverpool.ErrBadJob},
		{"nil Task", (*riverpool.Task[note])(nil).Job(note{}), riverpool.ErrBadJob},
		{"no name", named("", riverpool.Options{}), riverpool.ErrBadJob},
		{"short name", named("x", riverpool.Options{}), riverpool.ErrBadJob},
		{"long name", named(strings.Repeat("x", 128), riverpool.Options{}), riverpool.ErrBadJob},
		{"name with a space", named("two words", riverpool.Options{}), riverpool.ErrBadJob},
		{"bad queue", named("queue", riverpool.Options{Queue: "No Queue"}), riverpool.ErrBadJob},
		{"negative Attempts", named("attempts", riverpool.Options{Attempts: -1}), riverpool.ErrBadJob},
		{"too many Attempts", named("attempts", riverpool.Options{Attempts: math.MaxInt16 + 1}), riverpool.ErrBadJob},
		{"negative Timeout", named("timeout", riverpool.Options{Timeout: -1}), riverpool.ErrBadJob},
		{"unknown Priority", with(func(j *riverpool.Job) { j.Priority = 2 }), riverpool.ErrBadJob},
		{"negative Delay", with(func(j *riverpool.Job) { j.Delay = -1 }), riverpool.ErrBadJob},
		{"nil", anything.Job(nil), riverpool.ErrArgs},
		{"bool", anything.Job(true), riverpool.ErrArgs},
		{"string", anything.Job("{}"), riverpool.ErrArgs},
		{"slice", anything.Job([]note{{}}), riverpool.ErrArgs},
		{"number", anything.Job(7), riverpool.ErrArgs},
		{"no JSON", anything.Job(make(chan int)), riverpool.ErrArgs},
		{"NUL", good.Job(note{"a\x00b"}), riverpool.ErrArgs},
		{"NUL after a backslash", good.Job(note{`\` + "\x00"}), riverpool.ErrArgs},
		{"NUL in a key", anything.Job(map[string]int{"\x00": 1}), riverpool.ErrArgs},
	} {
		wantErr(t, q.Submit(t.Context(), good.Job(note{}), tt.job), tt.want)
		tx, err := db.begin(t.Context())
		must(t, err)
		wantErr(t, q.SubmitTx(t.Context(), tx, good.Job(note{}), tt.job), tt.want)
		must(t, db.commit(tx))
		wantErr(t, taskpool.Handle(t.Context(), q, func(ctx context.Context) error {
			return q.OnSuccess(ctx, good.Job(note{}), tt.job)
		}), tt.want)
		if rows := db.rows(t); len(rows) != 0 {
			t.Fatalf("%s: got %q, want nothing stored", tt.name, rows)
		}
	}
	wantErr(t, sole.Submit(t.Context(), named("other", riverpool.Options{})), riverpool.ErrUnknownTask)
	var tx TTx
	wantErr(t, q.SubmitTx(t.Context(), tx, good.Job(note{})), riverpool.ErrBadJob)
	must(t, q.Submit(t.Context()))
	must(t, q.SubmitTx(t.Context(), tx))
	must(t, q.OnSuccess(t.Context()))
	if rows := db.rows(t); len(rows) != 0 {
		t.Fatalf("got %q, want nothing stored", rows)
	}
	must(t, q.Submit(t.Context(), good.Job(note{`\u0000 is no NUL`}), named("ok", riverpool.Options{})))
}

func TestANotMigratedDatabaseSaysSo(t *testing.T) {
	t.Parallel()
	onEach(t, aNotMigratedDatabaseSaysSo[*sql.Tx], aNotMigratedDatabaseSaysSo[pgx.Tx])
}

func aNotMigratedDatabaseSaysSo[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	task := noting(j, "note", riverpool.Options{})
	q, err := riverpool.New(db.driver, riverpool.Config{Source: taskpool.New(taskpool.Config{}), Tasks: tasks(task), Logger: quiet})
	must(t, err)
	t.Cleanup(func() { done(t, q) })
	wantErr(t, q.Submit(t.Context(), task.Job(note{})), riverpool.ErrNotMigrated)
	wantErr(t, q.Start(t.Context()), riverpool.ErrNotMigrated)
	var wg sync.WaitGroup
	for range 3 { // processes that start at once
		wg.Go(func() {
			if err := q.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	must(t, q.Start(t.Context()))
	must(t, q.Start(t.Context())) // once is enough
	must(t, q.Submit(t.Context(), task.Job(note{"now"})))
	j.want(t, "now")
}

func TestAClosedDatabaseStoresNothing(t *testing.T) {
	t.Parallel()
	onEach(t, aClosedDatabaseStoresNothing[*sql.Tx], aClosedDatabaseStoresNothing[pgx.Tx])
}

func aClosedDatabaseStoresNothing[TTx any](t *testing.T, db *database[TTx]) {
	task := noting(nil, "note", riverpool.Options{})
	pool := taskpool.New(taskpool.Config{Logger: quiet})
	q := made(t, db, riverpool.Config{Source: pool, Tasks: tasks(task)})
	db.close()
	wantErr(t, q.Submit(t.Context(), task.Job(note{})), riverpool.ErrDatabase)
	wantErr(t, taskpool.Handle(t.Context(), q, func(ctx context.Context) error {
		return q.OnSuccess(ctx, task.Job(note{}))
	}), riverpool.ErrDatabase)
	wantErr(t, q.Start(t.Context()), riverpool.ErrDatabase)
	wantErr(t, q.Migrate(t.Context()), riverpool.ErrDatabase)
	if _, err := pool.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	done(t, q)
}

func TestADatabaseThatWasAwayIsUsedAgain(t *testing.T) {
	t.Parallel()
	away, err := url.Parse(postgresURL(t))
	must(t, err)
	query := away.Query()
	socket := query.Get("host")
	if socket == "" {
		t.Skip("RIVERPOOL_PG names no socket to cut off: run the tests with testdata/postgres")
	}
	line := newLine(t, socket+"/.s.PGSQL.5432")
	host, port, err := net.SplitHostPort(line.Addr().String())
	must(t, err)
	query.Set("host", host)
	query.Set("port", port)
	away.RawQuery = query.Encode()
	direct := openPostgres(t, 0)
	schema, err := direct.query("SELECT current_schema()")
	must(t, err)
	pc, err := pgxpool.ParseConfig(away.String())
	must(t, err)
	pc.ConnConfig.RuntimeParams["search_path"] = schema[0]
	pool, err := pgxpool.NewWithConfig(t.Context(), pc)
	must(t, err)
	defer pool.Close()

	j := newJournal()
	task := noting(j, "note", riverpool.Options{})
	q := start(t, &database[pgx.Tx]{driver: riverpgxv5.New(pool)}, riverpool.Config{Tasks: tasks(task)})
	must(t, q.Submit(t.Context(), task.Job(note{"before"})))
	j.want(t, "before")
	line.cut()
	for _, store := range []func(context.Context, ...riverpool.Job) error{q.Submit, q.OnSuccess} {
		wantErr(t, taskpool.Handle(t.Context(), q, func(ctx context.Context) error {
			return store(ctx, task.Job(note{"away"}))
		}), riverpool.ErrDatabase)
	}
	line.mend()
	eventually(t, "stored again", func() bool { return q.Submit(t.Context(), task.Job(note{"after"})) == nil })
	j.want(t, "after")
	j.empty(t)
	if rows := direct.rows(t); len(rows) != 2 {
		t.Errorf("got %q, want the two that were accepted", rows)
	}
}

// A line carries connections to a socket, until it is cut.
type line struct {
	net.Listener
	to string

	mu    sync.Mutex // protects what follows
	isCut bool
	conns []net.Conn
}

func newLine(t *testing.T, to string) *line {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := &line{Listener: ln, to: to}
	t.Cleanup(func() { ln.Close(); l.cut() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", l.to)
			if err != nil || !l.keep(conn, far) {
				conn.Close()
				continue
			}
			go func() { _, _ = io.Copy(far, conn); far.Close() }()
			go func() { _, _ = io.Copy(conn, far); conn.Close() }()
		}
	}()
	return l
}

func (l *line) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		conns[1].Close()
		return false
	}
	l.conns = append(l.conns, conns...)
	return true
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = false
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	db := openSQLite(t, os.DevNull)
	good := noting(nil, "good", riverpool.Options{})
	for name, c := range map[string]riverpool.Config{
		"nil Task":           {Tasks: tasks(nil)},
		"nil *Task":          {Tasks: tasks((*riverpool.Task[note])(nil))},
		"nothing to run":     {Tasks: tasks(riverpool.Define[note]("good", nil, riverpool.Options{}))},
		"two of a name":      {Tasks: tasks(good, noting(nil, "good", riverpool.Options{}))},
		"bad name":           {Tasks: tasks(noting(nil, "a b", riverpool.Options{}))},
		"negative Timeout":   {Timeout: -1},
		"endless task":       {Tasks: tasks(noting(nil, "good", riverpool.Options{Timeout: -1}))},
		"negative Hold":      {Hold: -1},
		"negative Workers":   {Tasks: tasks(good), Workers: -1},
		"a queue of none":    {Tasks: tasks(good), Queues: map[string]int{"bank": 0}},
		"Sole without Tasks": {Sole: true},
		"bad Schema":         {Schema: "x; DROP TABLE y"},
		"Hold inside":        {Source: taskpool.Hold(taskpool.New(taskpool.Config{}), taskpool.HoldOptions{})},
		"nil *Pool":          {Source: (*taskpool.Pool)(nil)},
		"River's own":        {River: func(c *river.Config) { c.MaxAttempts = -1 }},
	} {
		c.Logger = quiet
		q, err := riverpool.New(db.driver, c)
		if q != nil || !errors.Is(err, riverpool.ErrConfig) {
			t.Errorf("%s: got %v, %v, want ErrConfig", name, q, err)
		}
	}
	_, err := riverpool.New[*sql.Tx](nil, riverpool.Config{})
	wantErr(t, err, riverpool.ErrConfig)
	_, err = riverpool.New(riversqlite.New(nil), riverpool.Config{})
	wantErr(t, err, riverpool.ErrConfig)
}

func TestTheZeroQueueRefuses(t *testing.T) {
	t.Parallel()
	for _, q := range []*riverpool.Queue[*sql.Tx]{nil, new(riverpool.Queue[*sql.Tx])} {
		job := noting(nil, "note", riverpool.Options{}).Job(note{})
		wantErr(t, q.Submit(t.Context(), job), riverpool.ErrConfig)
		wantErr(t, q.SubmitTx(t.Context(), nil, job), riverpool.ErrConfig)
		wantErr(t, q.OnSuccess(t.Context(), job), riverpool.ErrConfig)
		wantErr(t, q.Migrate(t.Context()), riverpool.ErrConfig)
		wantErr(t, q.Start(t.Context()), riverpool.ErrConfig)
		wantErr(t, q.Run(t.Context(), time.Second), riverpool.ErrConfig)
		_, err := q.Done(t.Context())
		wantErr(t, err, riverpool.ErrConfig)
		ctx, _ := q.Begin(t.Context())
		wantErr(t, taskpool.FromContext(ctx).Add(func(context.Context) error { return nil }), taskpool.ErrNoScope)
		if q.Client() != nil {
			t.Error("got a client")
		}
		var none context.Context
		if ctx, _ = q.Begin(none); ctx == nil {
			t.Error("got no context of a Queue that begins nothing")
		}
	}
}

func TestArgumentsThatNoLongerFitAreAnError(t *testing.T) {
	t.Parallel()
	onEach(t, argumentsThatNoLongerFitAreAnError[*sql.Tx], argumentsThatNoLongerFitAreAnError[pgx.Tx])
}

// What an older version stored, or a client in another language.
func argumentsThatNoLongerFitAreAnError[TTx any](t *testing.T, db *database[TTx]) {
	ended := make(chan taskpool.Result, 1)
	task := noting(nil, "note", riverpool.Options{Attempts: 1})
	q := start(t, db, riverpool.Config{Tasks: tasks(task), Hooks: taskpool.Hooks{
		Ended: func(_ context.Context, r taskpool.Result) { ended <- r },
	}})
	old := riverpool.Define[json.RawMessage]("note", nil, riverpool.Options{Attempts: 1})
	must(t, q.Submit(t.Context(), old.Job(json.RawMessage(`{"text":7}`))))
	if r := <-ended; r.Fate != taskpool.FateFailed || !errors.Is(r.Err, riverpool.ErrArgs) {
		t.Errorf("got %+v, want it failed with ErrArgs", r)
	}
}
