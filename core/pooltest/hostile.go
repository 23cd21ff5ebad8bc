package pooltest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/elite-libs/taskpool/core"
)

// hostileChecks: whatever clients do, at random, every task that was accepted has
// one fate and runs at most once, and nothing is left of it all: no goroutine, no
// file descriptor, no timer, no pool.
func hostileChecks(a Adapter) []check {
	all := []check{{"hostile/HTTP1", func(r *run) { hostile(r, false, http1Tricks, 150, 5000) }}}
	if a.HTTP2 != 0 {
		all = append(all,
			check{"hostile/h2c", func(r *run) { hostile(r, false, http2Tricks, 150, 5000) }},
			check{"hostile/h2", func(r *run) { hostile(r, true, http2Tricks, 100, 2500) }})
	}
	return all
}

// The sweep comes soon, so that clients that withhold their bodies cost little
// time; the headers are small, so that it is cheap to send too many.
const (
	hostileGrace  = 20 * time.Millisecond
	hostileHeader = 8 << 10
)

// hostile has clients come until they have made so many requests: few, or if
// there is time for the long form, many.
func hostile(r *run, tls bool, tricks []trick, few, many int64) {
	seed, began := r.seed(), time.Now()
	requests, together := few, 24
	if r.long {
		requests, together = many, 48
	}
	r.listen(nil).Close() // the first one opens what the runtime needs for all
	before := descriptors()
	t := &target{run: r, tls: tls}
	books := &books{target: t}
	s := r.serve(setup{tls: tls, grace: hostileGrace, maxHeader: hostileHeader, results: 40 * int(requests), quiet: true}, books.handle)
	t.addr = s.listener.Addr().String()
	t.crowd(seed, together, tricks, func() bool { return t.requests.Load() >= requests || r.Failed() })

	stats := s.finish()
	books.check(stats)
	r.descriptorsEnd(before)
	r.collected(s)
	if r.long {
		r.Logf("%d clients with %d requests: %d handlers ran, %d tasks accepted, 0 lost, %v",
			t.numbers.Load(), t.requests.Load(), len(books.all), len(stats), time.Since(began).Round(10*time.Millisecond))
	}
}

// collected: nothing holds a pool that is done, and so no timer of it is armed.
func (r *run) collected(s *site) {
	r.Helper()
	var pools []weak.Pointer[taskpool.Pool]
	for p := range s.source.pools {
		pools = append(pools, weak.Make(p))
	}
	s.source.Source, s.source.pools = nil, nil
	if !r.eventually(func() bool {
		runtime.GC() // more than once: what a framework keeps in a sync.Pool lives one longer
		for _, p := range pools {
			if p.Value() != nil {
				return false
			}
		}
		return true
	}) {
		r.errorf("a pool that is done is still held by something")
	}
}

// The books say which handlers ran, and what they added.
type books struct {
	*target
	mu  sync.Mutex
	all []*entry // protected by mu
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
	d, ok := deeds[program]
	if !ok {
		if strings.HasPrefix(x.Path(), "/never") {
			b.errorf("a request was to be refused by the server, and its handler ran: %s", x.Path())
		}
		d = deeds["small"]
	}
	e := &entry{path: x.Path(), success: d.success}
	b.mu.Lock()
	e.id = len(b.all)
	b.all = append(b.all, e)
	b.mu.Unlock()

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
			b.errorf("Submit: %v", err)
		}
	}
	return d.run(v, x)
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
					b.errorf("%s, the task %v: %v, %d times run; want %v, %d times", e.path, kind, got, ran, want, runs)
				}
			}
		}
	}
	if len(results) != accepted {
		b.errorf("%d tasks were accepted, %d have a fate", accepted, len(results))
	}
}
