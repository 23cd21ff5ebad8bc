package pooltest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/elite-libs/taskpool/core"
)

// hostileChecks: whatever clients do, at random, every task that was accepted has
// one fate and runs at most once, no handler runs twice for one request, and
// nothing is left of it all: no goroutine, no file descriptor, no timer, no pool.
func hostileChecks() []check { return []check{{"hostile", hostile}} }

// The sweep comes soon, so that clients that withhold their bodies cost little
// time; the headers are small, so that it is cheap to send too many.
const (
	hostileGrace  = 20 * time.Millisecond
	hostileHeader = 8 << 10
)

// A manner is a way to talk to a server, and to be hostile in.
type manner struct {
	name      string
	tls       bool
	tricks    []trick
	few, many int64 // requests of the short and of the long form
}

func (a Adapter) manners() []manner {
	all := []manner{{"HTTP/1", false, http1Tricks, 150, 2500}, {"HTTP/1, point by point", false, []trick{leavesNext}, points, points}}
	if a.HTTP2 != 0 {
		all = append(all, manner{"h2c", false, http2Tricks, 150, 2500}, manner{"h2", true, http2Tricks, 100, 1250})
	}
	return all
}

// hostile has clients come to a server for each manner, with one pool and with one
// for each request, until they have made so many requests. To all at once, since a
// server that shuts down waits for up to a second for the connections that it has
// sent away (net/http rstAvoidanceDelay and http2goAwayTimeout, Go 1.26).
func hostile(r *run) {
	const together = 24
	seed, began := r.seed(), time.Now()
	r.listen(nil).Close() // the first one opens what the runtime needs for all
	before := descriptors()
	var all []*books
	for _, m := range r.adapter.manners() {
		all = append(all, r.books(m, false), r.books(m, true))
	}
	beside := func(do func(i int, b *books)) {
		var each sync.WaitGroup
		for i, b := range all {
			each.Go(func() { do(i, b) })
		}
		each.Wait()
	}
	beside(func(i int, b *books) { b.crowd(seed+uint64(i), together, b.does, b.enough) })
	beside(func(_ int, b *books) { b.site.finish() })
	for _, b := range all {
		b.check(b.site.finish())
	}
	if !r.Failed() {
		r.descriptorsEnd(before)
	}
	for _, b := range all {
		if !r.Failed() { // it says enough
			b.collected()
		}
	}
	if r.long {
		for _, b := range all {
			r.Logf("%s: %d clients with %d requests: %d handlers ran, %d tasks accepted, 0 lost",
				b.name, b.numbers.Load(), b.requests.Load(), len(b.all), len(b.site.results))
		}
		r.Logf("all in %v", time.Since(began).Round(10*time.Millisecond))
	}
}

// The books are of one server: they say which handlers ran, and what they added.
type books struct {
	*target
	site *site
	does []trick
	wish int64 // requests

	mu   sync.Mutex // protects what follows
	all  []*entry
	seen map[string]bool // paths
}

func (r *run) books(m manner, perRequest bool) *books {
	name := m.name + " with one pool"
	if perRequest {
		name = m.name + " with a pool for each request"
	}
	b := &books{target: &target{run: r, name: name, tls: m.tls, step: 1}, does: m.tricks, wish: m.few, seen: make(map[string]bool)}
	switch {
	case r.long:
		b.wish = m.many
	case testing.Short():
		b.step, b.wish = 3, b.wish/3
	}
	b.site = r.serve(setup{
		tls: m.tls, perRequest: perRequest, grace: hostileGrace, maxHeader: hostileHeader, results: 40 * int(b.wish), quiet: true,
	}, b.handle)
	b.addr = b.site.listener.Addr().String()
	return b
}

func (b *books) enough() bool { return b.requests.Load() >= b.wish || b.Failed() }

// collected: nothing holds a pool that is done, and so no timer of it is armed.
func (b *books) collected() {
	b.Helper()
	source := b.site.source
	var pools []weak.Pointer[taskpool.Pool]
	for p := range source.pools {
		pools = append(pools, weak.Make(p))
	}
	source.Source, source.pools = nil, nil
	if !b.eventually(func() bool {
		runtime.GC() // more than once: what a framework keeps in a sync.Pool lives one longer
		return !slices.ContainsFunc(pools, func(p weak.Pointer[taskpool.Pool]) bool { return p.Value() != nil })
	}) {
		b.errorf("%s: a pool that is done is still held by something", b.name)
	}
}

// An entry is one call of the handler.
type entry struct {
	id       int
	path     string
	success  bool
	accepted [4]atomic.Bool // by Start
	runs     [4]atomic.Int32
}

var kinds = [...]taskpool.Start{taskpool.StartNow, taskpool.StartAfterResponse, taskpool.StartOnSuccess, taskpool.StartOnFailure}

func (e *entry) name(kind taskpool.Start) string { return fmt.Sprintf("%d, %v", e.id, kind) }

var errTask = errors.New("pooltest: the error of a task")

// fails says that a task returns an error.
func (e *entry) fails(kind taskpool.Start) bool { return e.id%5 == int(kind) }

// handle adds a task of each kind under an id of the call's own.
func (b *books) handle(x Exchange) error {
	program, v := b.from(x)
	d, ours := deeds[program]
	if !ours {
		if strings.HasPrefix(x.Path(), "/never") {
			b.errorf("%s: a request was to be refused by the server, and its handler ran: %s", b.name, x.Path())
		}
		d = deeds["small"]
	}
	e := b.enter(x.Path(), d.success, ours)

	scope := taskpool.FromContext(x.Context())
	for _, kind := range kinds {
		err := scope.Submit(taskpool.Job{Name: e.name(kind), Start: kind, Run: func(context.Context) error {
			e.runs[kind].Add(1)
			if v != nil && kind == taskpool.StartAfterResponse {
				v.released.open()
			}
			if e.fails(kind) {
				return errTask
			}
			return nil
		}})
		// HTTP/2 calls handlers of connections that are gone, and no server waits for those.
		if e.accepted[kind].Store(err == nil); err != nil && !errors.Is(err, taskpool.ErrDone) {
			b.errorf("%s: Submit: %v", b.name, err)
		}
	}
	return d.run(v, x)
}

// enter notes a call of the handler. A path that is ours is of one request, unlike
// those of garbage.
func (b *books) enter(path string, success, ours bool) *entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ours && b.seen[path] {
		b.errorf("%s: the handler runs twice for one request: %s", b.name, path)
	}
	b.seen[path] = true
	e := &entry{id: len(b.all), path: path, success: success}
	b.all = append(b.all, e)
	return e
}

// check: each task of each call that was accepted has one fate, the right one.
func (b *books) check(results map[string]taskpool.Result) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	accepted, wrong := 0, 0
	for _, e := range b.all {
		for _, kind := range kinds {
			if !e.accepted[kind].Load() {
				continue
			}
			accepted++
			want, runs := taskpool.FateSucceeded, int32(1)
			switch {
			case kind == taskpool.StartOnSuccess && !e.success || kind == taskpool.StartOnFailure && e.success:
				want, runs = taskpool.FateDiscarded, 0
			case e.fails(kind):
				want = taskpool.FateFailed
			}
			if got, ran := results[e.name(kind)].Fate, e.runs[kind].Load(); got != want || ran != runs {
				if wrong++; wrong <= 5 {
					b.errorf("%s: %s, the task %v: %v, %d times run; want %v, %d times", b.name, e.path, kind, got, ran, want, runs)
				}
			}
		}
	}
	if len(results) != accepted {
		b.errorf("%s: %d tasks were accepted, %d have a fate", b.name, accepted, len(results))
	}
}
