package taskpool_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core"
)

var errTask = errors.New("the task failed")

func failing(context.Context) error { return errTask }

func panicking(context.Context) error { panic("boom") }

func exiting(context.Context) error {
	runtime.Goexit()
	return nil
}

// untilCanceled is a task that gives up when its context ends.
func untilCanceled(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// inFull says whether the tests of random things have time for their long form, as
// make chaos does.
func inFull() bool { return os.Getenv("CHAOS") == "1" }

// newPool makes a pool that logs nothing unless c says where.
func newPool(c taskpool.Config) *taskpool.Pool {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return taskpool.New(c)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (want == nil) != (got == nil) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// drain waits for everything that the pool has to do.
func drain(t testing.TB, p *taskpool.Pool) taskpool.Report {
	t.Helper()
	r, err := p.Drain(context.Background())
	must(t, err)
	return r
}

// done ends the pool, for tests in which nothing hinders that.
func done(t testing.TB, p *taskpool.Pool) taskpool.Report {
	t.Helper()
	r, err := p.Done(context.Background())
	must(t, err)
	return r
}

// An opened is a request with both of its faces: what the handler has, and what the
// adapter has.
type opened struct {
	taskpool.Scope
	taskpool.Exchange
}

// begin is what an adapter does at the beginning of a request.
func begin(src taskpool.Source, ctx context.Context) (context.Context, opened) {
	ctx, x := src.Begin(ctx)
	return ctx, opened{x.Scope(), x}
}

// finish is what an adapter does at the end of a request.
func finish(s opened, o taskpool.Outcome, r taskpool.Release) {
	s.Returned(o)
	s.Sent(r)
}

// canceled is a context that has ended.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// counts are the counts of a report or of the stats, to be compared.
type counts struct{ Succeeded, Failed, Panicked, Discarded, Canceled, Abandoned int }

func (c counts) sum() int {
	return c.Succeeded + c.Failed + c.Panicked + c.Discarded + c.Canceled + c.Abandoned
}

func (c counts) less(d counts) counts {
	return counts{c.Succeeded - d.Succeeded, c.Failed - d.Failed, c.Panicked - d.Panicked,
		c.Discarded - d.Discarded, c.Canceled - d.Canceled, c.Abandoned - d.Abandoned}
}

func (c *counts) add(f taskpool.Fate) {
	*[]*int{&c.Succeeded, &c.Failed, &c.Panicked, &c.Discarded, &c.Canceled, &c.Abandoned}[f-1]++
}

func countsOf(r taskpool.Report) counts {
	return counts{r.Succeeded, r.Failed, r.Panicked, r.Discarded, r.Canceled, r.Abandoned}
}

func fatesOf(s taskpool.Stats) counts {
	return counts{int(s.Succeeded), int(s.Failed), int(s.Panicked), int(s.Discarded), int(s.Canceled), int(s.Abandoned)}
}

// balanced fails the test unless every accepted task is in exactly one place.
func balanced(t testing.TB, p *taskpool.Pool) taskpool.Stats {
	t.Helper()
	s := p.Stats()
	if got := s.Running + s.Queued + s.Staged + s.Delayed + s.Retrying + fatesOf(s).sum(); got != int(s.Accepted) {
		t.Fatalf("the ledger does not hold: %d tasks accepted, %d in the books: %+v", s.Accepted, got, s)
	}
	if s.Running < 0 || s.Queued < 0 || s.Staged < 0 {
		t.Fatalf("negative stats: %+v", s)
	}
	return s
}

// resultsOf lists results as "name fate", in their order.
func resultsOf(r taskpool.Report) string {
	var all []string
	for _, res := range r.Results {
		all = append(all, res.Name+" "+res.Fate.String())
	}
	return strings.Join(all, ", ")
}

// A gate is a task that says that it has begun and returns when it is opened.
type gate struct{ begun, opened chan struct{} }

func newGate() gate { return gate{make(chan struct{}), make(chan struct{})} }

func (g gate) open() { close(g.opened) }

func (g gate) task(context.Context) error {
	close(g.begun)
	<-g.opened
	return nil
}

// A trail is what happened, in order.
type trail struct {
	mu    sync.Mutex
	steps []string
}

func (t *trail) add(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps = append(t.steps, fmt.Sprintf(format, args...))
}

func (t *trail) task(step string) taskpool.Task {
	return func(context.Context) error {
		t.add("%s", step)
		return nil
	}
}

func (t *trail) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.steps)
}

func (t *trail) String() string { return strings.Join(t.all(), " ") }

// sorted is for steps whose order is left open.
func (t *trail) sorted() string {
	s := t.all()
	slices.Sort(s)
	return strings.Join(s, " ")
}

// A logbook is a slog.Handler that keeps what it is given.
type logbook struct {
	trail
	values func(ctx context.Context) any // if set, also noted of each record's context
}

func (l *logbook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logbook) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logbook) WithGroup(string) slog.Handler            { return l }

func (l *logbook) Handle(ctx context.Context, r slog.Record) error {
	line := fmt.Sprintf("%v %s", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "stack" {
			a.Value = slog.StringValue("…")
		}
		line += " " + a.String()
		return true
	})
	if l.values != nil {
		line += fmt.Sprintf(" ctx=%v", l.values(ctx))
	}
	l.add("%s", line)
	return nil
}

func (l *logbook) lines() string { return strings.Join(l.all(), "\n") }

// endings notes what Hooks.Ended is given.
type endings struct {
	mu    sync.Mutex
	fates map[string][]taskpool.Fate
}

func (e *endings) hook(_ context.Context, r taskpool.Result) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fates == nil {
		e.fates = make(map[string][]taskpool.Fate)
	}
	e.fates[r.Name] = append(e.fates[r.Name], r.Fate)
}

// once gives the fate of each name, and fails the test where there is more than
// one of it.
func (e *endings) once(t testing.TB) map[string]taskpool.Fate {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	fates := make(map[string]taskpool.Fate)
	for name, f := range e.fates {
		if len(f) != 1 {
			t.Errorf("Ended was called %d times for %s: %v", len(f), name, f)
		}
		fates[name] = f[0]
	}
	return fates
}

// A load counts the tasks that execute at one moment.
type load struct{ now, most atomic.Int64 }

func (l *load) enter() {
	n := l.now.Add(1)
	for {
		most := l.most.Load()
		if n <= most || l.most.CompareAndSwap(most, n) {
			return
		}
	}
}

func (l *load) leave() { l.now.Add(-1) }

// waitDrain is Scope.Drain in a task that counts as executing.
func (l *load) waitDrain(ctx context.Context, s taskpool.Scope) error {
	l.leave()
	defer l.enter()
	_, err := s.Drain(ctx)
	return err
}

// elapsed is the time since start, exact in a bubble.
func elapsed(start time.Time) time.Duration { return time.Since(start) }

// logger logs into a logbook.
func logger(l *logbook) *slog.Logger { return slog.New(l) }
