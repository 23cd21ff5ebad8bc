package pooltest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"

	"github.com/elite-libs/taskpool/core"
)

// reuseChecks: one request has one scope, however often the middleware is
// installed, and two requests have two, however much they share.
func reuseChecks() []check {
	var all []check
	for _, p := range programs {
		all = append(all, check{"twice/" + p.name, func(r *run) { installedTwice(r, p) }})
	}
	return append(all,
		check{"twice/on two pools", onTwoPools},
		check{"twice/nested frameworks", nested},
		check{"reuse/next request on the connection", nextRequest})
}

// installedTwice: the inner middleware joins the scope. Each task runs once, and
// nothing is released before the outer one has returned.
func installedTwice(r *run, p program) {
	bare := r.serve(setup{bare: true}, p.run)
	want := bare.get(bare.dial(), keepAlive, "/")
	q := r.quartet()
	s := r.serve(setup{install: twice}, q.in(p.run))
	r.same("installed twice", s, s.get(s.dial(), keepAlive, "/"), bare, want)
	q.waitReleased(p.success())
	q.after.released(r.adapter.Release)
	q.settle(s, p.success())
}

// onTwoPools: the inner middleware begins a scope of its own on its own pool.
func onTwoPools(r *run) {
	second := taskpool.New(taskpool.Config{Workers: 16, Logger: slog.New(slog.DiscardHandler)})
	q := r.quartet()
	s := r.serve(setup{install: over(second)}, q.in(func(x Exchange) error {
		if taskpool.FromContext(x.Context()).Pool() != second {
			r.errorf("the handler's scope is not the inner middleware's")
		}
		return plain(x)
	}))
	s.get(s.dial(), keepAlive, "/")
	q.waitReleased(true)
	q.after.released(r.adapter.Release)
	for _, p := range q.all() {
		p.let.open()
	}
	if results := s.finish(); len(results) != 0 {
		r.errorf("the outer pool has got %d tasks", len(results))
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	if report, err := second.Done(ctx); err != nil || report.Succeeded != 3 || report.Discarded != 1 {
		r.errorf("the inner pool: %+v, %v", report, err)
	}
}

// nested: a handler of the framework serves with the framework, on the same
// pool. The two are one request: what either stages is released when the outer
// one has returned, as the outcome of both says.
func nested(r *run) {
	if r.adapter.Handler == nil {
		installedTwice(r, programs[0]) // only an http.Handler can be called from within
		return
	}
	q := r.quartet()
	before, after := r.probe("before", taskpool.StartOnFailure), r.probe("after", taskpool.StartOnFailure)
	src := make(chan taskpool.Source, 1)
	inner := sync.OnceValue(func() http.Handler {
		return r.adapter.Handler(q.in(func(x Exchange) error {
			pending := taskpool.FromContext(x.Context()).Pending()
			if !slices.ContainsFunc(pending, func(j taskpool.Job) bool { return j.Name == before.name }) {
				r.errorf("the inner handler has another scope than the outer one")
			}
			return plain(x)
		}), <-src)
	})
	s := r.serve(setup{}, func(x Exchange) error {
		before.add(x.Context())
		inner().ServeHTTP(httpOf(x))
		after.add(x.Context())
		taskpool.FromContext(x.Context()).Fail(errVeto)
		if staged := taskpool.FromContext(x.Context()).Pool().Stats().Staged; staged != 5 {
			r.errorf("released before the outer handler has returned: %d of 5 tasks are staged", staged)
		}
		r.journal.note("the outer handler returns")
		return nil
	})
	src <- s.source
	if resp := s.get(s.dial(), keepAlive, "/"); resp.status != 200 || resp.body != "plain" {
		r.errorf("the client has %q", resp.wire)
	}
	q.waitReleased(false)
	if r.journal.index(`task "after response" starts`) < r.journal.index("the outer handler returns") {
		r.errorf("a staged task started before the outer handler had returned")
	}
	q.judge(row{status: 200, vetoed: true})
	for _, p := range []*probe{before, after} {
		p.released(r.adapter.Release)
		p.let.open()
	}
	q.settle(s, false)
}

// nextRequest: the scope of a request is never seen by the next one, which may
// have its connection, its buffers and its framework's context.
func nextRequest(r *run) {
	q, next := r.quartet(), r.quartet()
	for _, p := range next.all() {
		p.name = "next " + p.name
	}
	var first taskpool.Scope
	s := r.serve(setup{}, func(x Exchange) error {
		scope := taskpool.FromContext(x.Context())
		if _, known := scope.Outcome(); known || len(scope.Pending()) != 0 {
			r.errorf("the request's scope is not fresh")
		}
		if x.Path() == "/" {
			first = scope
			return q.in(answer(201, ""))(x)
		}
		next.add(x.Context())
		return say(x, "next")
	})
	c := s.dial()
	s.get(c, keepAlive, "/")
	q.waitReleased(true)
	s.get(c, keepAlive, "/next")
	next.after.released(r.adapter.Release)
	for _, want := range []struct {
		p      *probe
		status int
	}{{q.after, 201}, {next.after, 200}} {
		if got := want.p.outcome.Status; got != want.status {
			r.errorf("task %q: Outcome.Status is %d, want %d", want.p.name, got, want.status)
		}
		if o, known := taskpool.FromContext(want.p.ctx).Outcome(); !known || o.Status != want.status {
			r.errorf("task %q: later its outcome is %+v", want.p.name, o)
		}
	}
	for _, p := range []*probe{q.now, q.after, q.success} {
		p.pass()
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	if _, err := first.Drain(ctx); err != nil { // the other scope's tasks are still blocked
		r.errorf("Drain of the first scope: %v", err)
	}
	if err := first.Add(q.now.task); !errors.Is(err, taskpool.ErrScopeClosed) {
		r.errorf("the first scope accepts when its tasks have ended: %v, want %v", err, taskpool.ErrScopeClosed)
	}
	for _, p := range slices.Concat(q.all(), next.all()) {
		p.let.open()
	}
	q.settle(s, true)
	next.settle(s, true)
}
