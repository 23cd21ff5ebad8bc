package riverpool_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/riverpool"
)

type note struct {
	Text string `json:"text"`
}

// A journal is what tasks have noted, in the order in which they did.
type journal chan string

func newJournal() journal { return make(journal, 1000) }

// next waits for the next entries.
func (j journal) next(t *testing.T, n int) []string {
	t.Helper()
	got := make([]string, 0, n)
	late := time.After(patience)
	for len(got) < n {
		select {
		case s := <-j:
			got = append(got, s)
		case <-late:
			t.Fatalf("waited %v: got %q, want %d entries", patience, got, n)
		}
	}
	return got
}

func (j journal) want(t *testing.T, want ...string) {
	t.Helper()
	if got := j.next(t, len(want)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// empty says that nothing more was noted, once nothing can be any more.
func (j journal) empty(t *testing.T) {
	t.Helper()
	select {
	case s := <-j:
		t.Errorf("got %q as well", s)
	default:
	}
}

// noting is a task that notes its text.
func noting(j journal, name string, o riverpool.Options) *riverpool.Task[note] {
	return riverpool.Define(name, func(_ context.Context, n note) error { j <- n.Text; return nil }, o)
}

func tasks(t ...riverpool.Definition) []riverpool.Definition { return t }

var quiet = slog.New(slog.DiscardHandler)

// made makes a queue on a migrated database.
func made[TTx any](t testing.TB, db *database[TTx], c riverpool.Config) *riverpool.Queue[TTx] {
	t.Helper()
	if c.Source == nil {
		c.Source = taskpool.New(taskpool.Config{Logger: quiet})
	}
	if c.Logger == nil {
		c.Logger = quiet
	}
	q, err := riverpool.New(db.driver, c)
	must(t, err)
	must(t, q.Migrate(t.Context()))
	return q
}

// start starts a queue that ends with the test.
func start[TTx any](t testing.TB, db *database[TTx], c riverpool.Config) *riverpool.Queue[TTx] {
	t.Helper()
	q := made(t, db, c)
	must(t, q.Start(t.Context()))
	t.Cleanup(func() { done(t, q) })
	return q
}

func done[TTx any](t testing.TB, q *riverpool.Queue[TTx]) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if _, err := q.Done(ctx); err != nil {
		t.Error("Done:", err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// slogFunc is a logger that hands on the messages.
func slogFunc(f func(msg string)) *slog.Logger { return slog.New(logFunc(f)) }

type logFunc func(msg string)

func (f logFunc) Enabled(context.Context, slog.Level) bool      { return true }
func (f logFunc) Handle(_ context.Context, r slog.Record) error { f(r.Message); return nil }
func (f logFunc) WithAttrs([]slog.Attr) slog.Handler            { return f }
func (f logFunc) WithGroup(string) slog.Handler                 { return f }
