package taskpool

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// An ending is the end of a pool, or of all pools of a PerRequest, from the first
// Done on. The owner's lock protects it; once finished is open it stands.
type ending struct {
	due      int64   // ticks at which the first of those that wait in Done runs out of time; endless if none does
	extra    int     // workers beyond the limit, once it was cut: what runs may be stuck
	over     bool    // everything has its fate
	finished latch   // opened then
	cause    error   // why it was cut; nil if it was not
	lost     *losses // nil if nothing was
	report   Report
	err      error
}

// endless is the tick that never comes.
const endless = math.MaxInt64

// dueOf is the tick at which a context runs out of time. What ctx is, is the
// caller's: it is not to be asked under a lock.
func dueOf(ctx context.Context) int64 {
	if d, ok := ctx.Deadline(); ok {
		return later(ticks(), time.Until(d))
	}
	return endless
}

// misses reports whether what is to start at a tick comes too late for Done.
func (e *ending) misses(at int64) bool { return e.due != endless && at >= e.due }

// concludeLocked ends it. The report is there.
func (e *ending) concludeLocked() {
	e.over = true
	switch {
	case e.cause != nil:
		e.err = &cutError{e.lost, e.cause}
	case e.lost != nil: // it has ended in time because it gave up what would have taken longer
		e.err = &cutError{e.lost, context.DeadlineExceeded}
	}
	e.finished.open()
}

// wait waits until it is over, and has it cut when ctx ends.
func (e *ending) wait(ctx context.Context, c *Config, cut func(cause error)) (Report, error) {
	if !e.finished.isOpen() {
		// What it cuts may need the slot, also if ctx has ended.
		if s := taskOf(ctx); s != nil {
			defer s.lend(&e.finished).end()
		}
		select {
		case <-e.finished.opened:
		case <-ctx.Done():
			cut(context.Cause(ctx))
			<-e.finished.opened
		}
	}
	if e.lost != nil {
		e.lost.tell(c)
	}
	r := e.report
	r.Results = slices.Clone(r.Results)
	return r, e.err
}

// Losses are the tasks that Done has cut short or given up.
type losses struct {
	canceled, abandoned int
	retries             int       // ended as failed, because there was no time for another run
	handlers            int       // that were open when Done was cut
	names               []string  // of the first of the tasks
	lines               []lostLog // still to be logged
	telling             sync.Once
	told                chan struct{} // closed when they are
}

// A lostLog is a line of the log that nobody could write under the lock.
type lostLog struct {
	ctx  context.Context
	task string
	fate Fate
	err  error
	runs int
}

const (
	lostNames = 3   // how many of the tasks the error of Done names
	lostLines = 100 // how many canceled and abandoned ones are logged by name
)

func (l *losses) tasks() int { return l.canceled + l.abandoned + l.retries }

// note counts a task, and reports whether it is to be logged.
func (l *losses) note(name func() string, f Fate) (logged bool) {
	if len(l.names) < lostNames {
		l.names = append(l.names, name())
	}
	switch f {
	case FateCanceled:
		l.canceled++
	case FateAbandoned:
		l.abandoned++
	default: // every failure is logged
		l.retries++
		return true
	}
	return l.canceled+l.abandoned <= lostLines
}

// tell logs what is not logged yet, without waiting for long: a logger may hang.
func (l *losses) tell(c *Config) {
	l.telling.Do(func() {
		l.told = make(chan struct{})
		go func() {
			defer close(l.told)
			for _, t := range l.lines {
				c.logLost(t)
			}
			if more := l.canceled + l.abandoned - lostLines; more > 0 {
				c.log(context.Background(), slog.LevelError, "more tasks canceled or abandoned", slog.Int("tasks", more))
			}
		}()
	})
	within(farewell, l.told)
}

func (c *Config) logLost(t lostLog) {
	c.log(t.ctx, slog.LevelError, "task "+t.fate.String(), slog.String("task", t.task), slog.Any("error", t.err), slog.Int("attempts", t.runs))
}

// within reports whether a channel is closed in time.
func within(d time.Duration, c <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return false
	}
}

// String says how many, and names the first.
func (l *losses) String() string {
	if l == nil {
		return "no task was cut short"
	}
	var parts []string
	part := func(n int, one, many string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 1:
			parts = append(parts, fmt.Sprint(n, " ", many))
		}
	}
	part(l.canceled, "task canceled", "tasks canceled")
	part(l.abandoned, "task abandoned", "tasks abandoned")
	part(l.retries, "retry given up", "retries given up")
	part(l.handlers, "handler still open", "handlers still open")
	names := slices.Clone(l.names)
	if more := l.tasks() - len(names); more > 0 {
		names = append(names, fmt.Sprint("and ", more, " more"))
	}
	if len(names) == 0 {
		return strings.Join(parts, ", ")
	}
	return fmt.Sprintf("%s (%s)", strings.Join(parts, ", "), strings.Join(names, ", "))
}

// loseLocked notes that Done has cut a task short or given it up, and reports
// whether it is to be logged.
func (p *Pool) loseLocked(slot slot, f Fate) (logged bool) {
	name := func() string { return nameOf(slot) }
	p.lossesLocked(func(l *losses, _ bool) { logged = l.note(name, f) })
	return logged
}

// loseUnseenLocked is loseLocked where there is no worker that could log it.
func (p *Pool) loseUnseenLocked(s *scope, slot slot, f Fate, err error) {
	line := lostLog{ctx: s.ctx(), task: nameOf(slot), fate: f, err: err}
	if f == FateAbandoned {
		line.runs = 1
	}
	if j, ok := slot.(*job); ok {
		line.ctx, line.runs = j.ctx(), j.runs()
	}
	name := func() string { return line.task }
	p.lossesLocked(func(l *losses, tells bool) {
		if l.note(name, f) && tells {
			l.lines = append(l.lines, line)
		}
	})
}

// lossesLocked has a loss noted for the callers of the pool's Done, and for those
// of the PerRequest that made it, if there are any: then it is these that it is
// logged for.
func (p *Pool) lossesLocked(note func(l *losses, tells bool)) {
	all := p.source.closing()
	note(p.ending.losses(), !all)
	if all {
		p.source.mu.Lock()
		note(p.source.ending.losses(), true)
		p.source.mu.Unlock()
	}
}

func (e *ending) losses() *losses {
	if e.lost == nil {
		e.lost = new(losses)
	}
	return e.lost
}

// cutError is the error of a Done that ran out of time. Its text is made when it
// is asked for: the cause is the caller's, and could not be asked under the lock.
type cutError struct {
	lost  *losses
	cause error
}

func (e *cutError) Error() string {
	return fmt.Sprintf("taskpool: Done ran out of time: %v: %v", e.lost, e.cause)
}
func (e *cutError) Unwrap() error { return e.cause }
