package pooltest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/elite-libs/taskpool/core"
)

// capturedChecks: a framework that reuses the object of a request, and has it be
// a context, must not have a task read in it what belongs to another request.
func capturedChecks(a Adapter) []check {
	if len(a.Captured) == 0 {
		return []check{{"captured/the request's own context", func(r *run) {
			captured(r, "/captured/", func(x Exchange, key, value string) context.Context {
				return context.WithValue(x.Context(), contextKey(key), value)
			})
		}}}
	}
	var all []check
	for _, name := range slices.Sorted(maps.Keys(a.Captured)) {
		all = append(all, check{"captured/" + name, func(r *run) { captured(r, "/captured/"+name, a.Captured[name]) }})
	}
	return all
}

const (
	capturedKey  = "pooltest"
	mostRequests = 8 // how many later ones may pass until one has the first one's object
)

// captured holds tasks back that were added through a context of the framework
// until a later request of the connection has put another value into its object.
// Each of them sees its own request's values, or none.
func captured(r *run, path string, capture func(x Exchange, key, value string) context.Context) {
	var requests atomic.Int32
	var first context.Context
	reuse, read := r.gate(), r.gate()
	var reading atomic.Int32
	look := func(name string) taskpool.Task {
		return func(ctx context.Context) error {
			<-reuse.opened
			for _, key := range []any{capturedKey, contextKey(capturedKey), contextKey("derived")} {
				if v := ctx.Value(key); v != nil && v != "first" {
					r.errorf("task %q sees another request's value for %v: %v", name, key, v)
				}
			}
			if err := context.Cause(ctx); err != nil {
				r.errorf("task %q: its context has ended: %v", name, err)
			}
			if reading.Add(-1) == 0 {
				read.open()
			}
			return nil
		}
	}
	stage := func(from string, ctx context.Context) {
		for _, start := range []taskpool.Start{taskpool.StartNow, taskpool.StartAfterResponse} {
			name := from + ", " + start.String()
			reading.Add(1)
			err := taskpool.FromContext(ctx).Submit(taskpool.Job{Name: name, Start: start, Run: look(name)})
			if err != nil {
				reading.Add(-1)
			}
			if err != nil && !errors.Is(err, taskpool.ErrNoScope) {
				r.errorf("task %q was refused: %v", name, err)
			}
		}
	}
	s := r.serve(setup{}, func(x Exchange) error {
		n := requests.Add(1)
		if n == 1 {
			first = capture(x, capturedKey, "first")
			stage("request", x.Context())
			stage("captured", first)
			stage("derived", context.WithValue(first, contextKey("derived"), "first"))
			return plain(x)
		}
		later := capture(x, capturedKey, "later")
		if later == first || n > mostRequests {
			r.journal.note("request %d: the same object is %v", n, later == first)
			reuse.open()
			if !r.within(read.opened) {
				r.errorf("the tasks of the first request do not run beside a later one")
			}
		}
		return plain(x)
	})
	c := s.dial()
	for range mostRequests + 1 {
		if read.done.Load() {
			break
		}
		if resp := s.get(c, keepAlive, path); resp.body != "plain" {
			r.fatalf("the client has %q", resp.wire)
		}
	}
	for name, result := range s.finish() {
		if result.Fate != taskpool.FateSucceeded {
			r.errorf("task %q: %v, want %v", name, result.Fate, taskpool.FateSucceeded)
		}
	}
}
