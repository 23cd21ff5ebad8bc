package pooltest

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// A run is one check on one adapter. Only the check's own goroutine may end it
// with Fatal; handlers and tasks call errorf.
type run struct {
	testing.TB
	adapter  Adapter
	patience time.Duration
	journal  *journal
	log      serverLog

	perRequest bool                  // sites have a taskpool.PerRequest instead of a pool
	hold       *taskpool.HoldOptions // sites have it within a taskpool.Hold, if this is not nil
	long       bool                  // there is time for the long form

	mu    sync.Mutex // protects what follows
	gates []*gate
	ended bool
}

// newRun is a run beside which there is no other: no goroutine of the process may
// be left that was started since.
func newRun(t testing.TB, a Adapter, patience time.Duration) *run {
	before := goroutines()
	r := &run{TB: t, adapter: a, patience: patience}
	t.Cleanup(func() { r.goroutinesEnd(before) }) // the first to be registered is the last to be called
	r.begin()
	return r
}

// begin is newRun for one of several at a time.
func (r *run) begin() {
	r.journal = new(journal)
	r.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = true
	})
}

// atOnce is how many checks run at a time. They hardly use a processor: they wait
// for servers to stop, which look every so often whether a connection is left.
const atOnce = 8

// runsAlone reports whether no check may run beside this one: it looks at the
// whole process, or at what an adapter or a server decides by the clock. (That a
// client has gone is told apart from what looks like it within a tenth of a second.)
func (c check) runsAlone() bool {
	return c.name == "hostile" || slices.ContainsFunc([]string{"client gone", "client resets", "write timeout"}, func(s string) bool {
		return strings.Contains(c.name, s)
	})
}

// runChecks runs each check as a subtest. Goroutines cannot be told apart by the
// check that left them, so they are counted when all have ended.
func runChecks(t *testing.T, a Adapter, all []check) {
	t.Helper()
	newRun(t, a, patience) // for its end
	one := func(c check) {
		t.Run(c.name, func(t *testing.T) {
			r := &run{TB: t, adapter: a, patience: patience}
			if c.name == "hostile" {
				r.patience *= 3 // hundreds of clients at a time, perhaps under the race detector
			}
			r.begin()
			c.run(r)
		})
	}
	queue := make(chan check)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for c := range queue {
				one(c)
			}
		})
	}
	var alone []check
	for _, c := range all {
		if c.runsAlone() {
			alone = append(alone, c)
		} else {
			queue <- c
		}
	}
	close(queue)
	workers.Wait()
	for _, c := range alone {
		one(c)
	}
}

// eventually waits for what can only be looked at, not waited for. It looks less
// and less often, as a look at all goroutines costs a processor.
func (r *run) eventually(done func() bool) bool {
	pause := time.Millisecond
	again := time.NewTimer(pause)
	defer again.Stop()
	deadline := time.Now().Add(r.patience)
	for !done() {
		if time.Now().After(deadline) {
			return false
		}
		<-again.C
		pause = min(2*pause, 20*time.Millisecond)
		again.Reset(pause)
	}
	return true
}

// wait waits for c to be closed, and ends the check if that takes too long.
func (r *run) wait(c <-chan struct{}, what string) {
	r.Helper()
	if !r.within(c) {
		r.Fatalf("waited %v for %s\n%s", r.patience, what, r.journal)
	}
}

// within is wait for handlers, which must not end the check.
func (r *run) within(c <-chan struct{}) bool {
	t := time.NewTimer(r.patience)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return false
	}
}

// errorf fails the check and shows the journal. What a failed check has left
// behind may come too late to be heard.
func (r *run) errorf(format string, args ...any) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.Errorf(format+"\n%s", append(args, r.journal)...)
}

func (r *run) fatalf(format string, args ...any) {
	r.Helper()
	r.Fatalf(format+"\n%s", append(args, r.journal)...)
}

// A gate is opened once.
type gate struct {
	opened chan struct{}
	done   atomic.Bool
}

// gate makes a gate that the end of the check opens at the latest, before
// servers are stopped. So handlers and tasks wait for gates without a limit, and
// a failed check hangs nowhere.
func (r *run) gate() *gate {
	g := &gate{opened: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gates = append(r.gates, g)
	return g
}

func (g *gate) open() {
	if g.done.CompareAndSwap(false, true) {
		close(g.opened)
	}
}

func (r *run) openAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.gates {
		g.open()
	}
}

// mostLogged is how much of a server's log is kept: hostile clients have it write for as long as a soak takes.
const mostLogged = 64 << 10

// A serverLog is what the server of a check has logged first.
type serverLog struct {
	mu   sync.Mutex
	text strings.Builder // protected by mu
}

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() < mostLogged {
		l.text.Write(p)
	}
	return len(p), nil
}

func (l *serverLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
