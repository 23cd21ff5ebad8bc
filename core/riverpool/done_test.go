package riverpool_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/riverpool"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/jackc/pgx/v5"
)

// overhead is what a loaded machine may add to a bound of time. The bounds are about hanging, not about speed.
const overhead = 5 * time.Second

func TestDoneCutsWithoutUsingUpAnAttempt(t *testing.T) {
	t.Parallel()
	onEach(t, doneCutsWithoutUsingUpAnAttempt[*sql.Tx], doneCutsWithoutUsingUpAnAttempt[pgx.Tx])
}

func doneCutsWithoutUsingUpAnAttempt[TTx any](t *testing.T, db *database[TTx]) {
	const limit = 300 * time.Millisecond
	j, ended := newJournal(), newJournal()
	cut := riverpool.Define("cut", func(ctx context.Context, _ note) error {
		j <- "in"
		<-ctx.Done()
		return errNo // whatever it makes of it
	}, riverpool.Options{Attempts: 1})
	q := start(t, db, riverpool.Config{Tasks: tasks(cut), Hooks: taskpool.Hooks{
		Ended: func(_ context.Context, r taskpool.Result) { ended <- r.Name },
	}})
	must(t, q.Submit(t.Context(), cut.Job(note{})))
	j.want(t, "in")
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	if _, err := q.Done(ctx); err != nil {
		t.Errorf("got error %v, want none: nothing is lost", err)
	}
	if took := time.Since(began); took < limit || took > limit+overhead {
		t.Errorf("Done took %v of %v", took, limit)
	}
	ended.empty(t)
	if got, want := db.rows(t), []string{"cut available 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	errs, err := db.query("SELECT id FROM river_job WHERE errors IS NOT NULL")
	must(t, err)
	if len(errs) != 0 {
		t.Errorf("got %d rows with an error, want none", len(errs))
	}
}

func TestATaskThatIgnoresItsContextHoldsDoneForASecond(t *testing.T) {
	t.Parallel()
	onEach(t, aTaskThatIgnoresItsContextHoldsDoneForASecond[*sql.Tx], aTaskThatIgnoresItsContextHoldsDoneForASecond[pgx.Tx])
}

func aTaskThatIgnoresItsContextHoldsDoneForASecond[TTx any](t *testing.T, db *database[TTx]) {
	const limit, farewell = 100 * time.Millisecond, time.Second
	j, free := newJournal(), make(chan struct{})
	deaf := riverpool.Define("deaf", func(ctx context.Context, _ note) error {
		j <- "in"
		<-free
		return nil
	}, riverpool.Options{})
	q := start(t, db, riverpool.Config{Tasks: tasks(deaf)})
	must(t, q.Submit(t.Context(), deaf.Job(note{})))
	j.want(t, "in")
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	_, err := q.Done(ctx)
	took := time.Since(began)
	if err == nil || !strings.Contains(err.Error(), "deaf (id ") {
		t.Errorf("got error %v, want one that names the task", err)
	}
	if took < limit+farewell || took > limit+farewell+overhead {
		t.Errorf("Done took %v, want %v", took, limit+farewell)
	}
	if got, want := db.rows(t), []string{"deaf running 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	close(free) // before the test's own Done
}

func TestServeEndsBoth(t *testing.T) {
	t.Parallel()
	onEach(t, serveEndsBoth[*sql.Tx], serveEndsBoth[pgx.Tx])
}

// One line shuts down: the server, the in-memory tasks, the stored ones that run. What is stored meanwhile stays.
func serveEndsBoth[TTx any](t *testing.T, db *database[TTx]) {
	j, free := newJournal(), make(chan struct{})
	long := riverpool.Define("long", func(context.Context, note) error {
		j <- "in"
		<-free
		j <- "stored"
		return nil
	}, riverpool.Options{})
	next := noting(j, "next", riverpool.Options{})
	q := start(t, db, riverpool.Config{Tasks: tasks(long, next)})
	srv := &http.Server{Handler: httppool.Middleware(q)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		must(t, q.Submit(r.Context(), long.Job(note{})))
		must(t, taskpool.FromContext(r.Context()).OnSuccess(func(ctx context.Context) error {
			j <- "in"
			<-free
			j <- "in memory"
			return q.Submit(ctx, next.Job(note{"too late"}))
		}))
	}))}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- httppool.ServeListener(ctx, srv, ln, q, patience) }()
	resp, err := http.Get("http://" + ln.Addr().String())
	must(t, err)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	j.want(t, "in", "in")
	cancel()
	eventually(t, "the server closed", func() bool {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(free)
	must(t, <-served)
	got := j.next(t, 2)
	slices.Sort(got)
	if want := []string{"in memory", "stored"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	j.empty(t)
	if got, want := db.rows(t), []string{"long completed 1", "next available 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDoneOfAStoredTaskIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, doneOfAStoredTaskIsRefused[*sql.Tx], doneOfAStoredTaskIsRefused[pgx.Tx])
}

func doneOfAStoredTaskIsRefused[TTx any](t *testing.T, db *database[TTx]) {
	var q *riverpool.Queue[TTx]
	got := make(chan error)
	self := riverpool.Define("self", func(ctx context.Context, _ note) error {
		_, err := q.Done(ctx)
		got <- err
		return nil
	}, riverpool.Options{})
	q = start(t, db, riverpool.Config{Tasks: tasks(self)})
	for range 2 { // and the queue goes on
		must(t, q.Submit(t.Context(), self.Job(note{})))
		wantErr(t, <-got, taskpool.ErrSelfWait)
	}
}

func TestRunWorksUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	onEach(t, runWorksUntilItsContextEnds[*sql.Tx], runWorksUntilItsContextEnds[pgx.Tx])
}

func runWorksUntilItsContextEnds[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	task := noting(j, "note", riverpool.Options{})
	web := made(t, db, riverpool.Config{})
	must(t, web.Start(t.Context())) // which does nothing
	wantErr(t, web.Run(t.Context(), patience), riverpool.ErrConfig)
	must(t, web.Submit(t.Context(), task.Job(note{"elsewhere"})))
	worker := made(t, db, riverpool.Config{Tasks: tasks(task)})
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- worker.Run(ctx, patience) }()
	j.want(t, "elsewhere")
	cancel()
	must(t, <-ran)
	if got, want := db.rows(t), []string{"note completed 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	done(t, web)
}

func TestASoleProcessTakesOverAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, aSoleProcessTakesOverAtOnce[*sql.Tx], aSoleProcessTakesOverAtOnce[pgx.Tx])
}

func aSoleProcessTakesOverAtOnce[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	task := noting(j, "note", riverpool.Options{Attempts: 1})
	c := riverpool.Config{Tasks: tasks(task), Sole: true}
	q := made(t, db, c)
	must(t, q.Submit(t.Context(), task.Job(note{"cut"})))
	must(t, db.exec("UPDATE river_job SET state = 'running', attempt = 1, attempted_at = CURRENT_TIMESTAMP")) // and then it died
	must(t, db.exec("INSERT INTO river_leader (elected_at, expires_at, leader_id, name) VALUES (CURRENT_TIMESTAMP, '2999-01-01 00:00:00.000', 'dead', 'default')"))
	start(t, db, c)
	j.want(t, "cut")
	late := task.Job(note{"late"})
	late.Delay = time.Millisecond // which takes a leader
	must(t, q.Submit(t.Context(), late))
	j.want(t, "late")
}

func TestATaskThatThePoolRefusesRunsAgainElsewhere(t *testing.T) {
	t.Parallel()
	onEach(t, aTaskThatThePoolRefusesRunsAgainElsewhere[*sql.Tx], aTaskThatThePoolRefusesRunsAgainElsewhere[pgx.Tx])
}

// Done has time, but the in-memory pool has ended before the stored task.
func aTaskThatThePoolRefusesRunsAgainElsewhere[TTx any](t *testing.T, db *database[TTx]) {
	j := newJournal()
	nothing := func(context.Context) error { return nil }
	pool := taskpool.New(taskpool.Config{Logger: quiet})
	refused := riverpool.Define("refused", func(ctx context.Context, _ note) error {
		j <- "in"
		eventually(t, "ended", func() bool { return errors.Is(pool.Add(nothing), taskpool.ErrDone) })
		_, _ = pool.Done(context.WithoutCancel(ctx)) // only waits
		err := taskpool.FromContext(ctx).Add(nothing)
		wantErr(t, err, taskpool.ErrDone)
		return err
	}, riverpool.Options{Attempts: 1})
	q := start(t, db, riverpool.Config{Source: pool, Tasks: tasks(refused)})
	must(t, q.Submit(t.Context(), refused.Job(note{})))
	j.want(t, "in")
	done(t, q)
	if got, want := db.rows(t), []string{"refused available 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNilContextIsTheBackground(t *testing.T) {
	t.Parallel()
	onEach(t, nilContextIsTheBackground[*sql.Tx], nilContextIsTheBackground[pgx.Tx])
}

func nilContextIsTheBackground[TTx any](t *testing.T, db *database[TTx]) {
	var none context.Context
	if _, ok := riverpool.RowOf(none); ok {
		t.Error("got the row of no context")
	}
	q := start(t, db, riverpool.Config{Source: taskpool.New(taskpool.Config{}), Tasks: tasks(noting(nil, "note", riverpool.Options{}))})
	must(t, taskpool.Handle(none, q, func(ctx context.Context) error { return ctx.Err() }))
	_, err := q.Done(none)
	must(t, err)
}
