package pooltest

import (
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/elite-libs/taskpool/core"
)

// reentryChecks: a handler has the framework route its request again, and the
// middleware runs again for it. It stays one request, with one scope and one end.
func reentryChecks(a Adapter) []check {
	if a.Reenter == nil && a.Handler == nil {
		return []check{{"re-entry/there is none", reentryNone}}
	}
	var all []check
	for _, p := range programs {
		all = append(all, check{"re-entry/" + p.name, func(r *run) { reentered(r, p) }})
	}
	return append(all, check{"re-entry/the outer handler goes on", reentryGoesOn})
}

const again = "/again" // what a request is routed to by its re-entry

// reenter has the framework route a request again, to path. A net/http handler
// without a way of its own is called from within; s is the site's setup.
func (r *run) reenter(s *setup) func(x Exchange, path string) error {
	if r.adapter.Reenter != nil {
		return r.adapter.Reenter
	}
	var all http.Handler
	s.outer = func(next http.Handler) http.Handler {
		all = next
		return next
	}
	return func(x Exchange, path string) error {
		w, req := httpOf(x)
		req = req.Clone(req.Context())
		req.URL.Path = path
		all.ServeHTTP(w, req)
		return nil
	}
}

// reentered: what is staged before the re-entry and within it is one scope's, and
// is released once, by what releases any request, with the outcome of the whole.
func reentered(r *run, p program) {
	plainly := setup{bare: true}
	barely := r.reenter(&plainly)
	bare := r.serve(plainly, func(x Exchange) error {
		if x.Path() == again {
			return p.run(x)
		}
		return barely(x, again)
	})
	want := bare.get(bare.dial(), keepAlive, "/")

	before, q := r.probe("before", taskpool.StartAfterResponse), r.quartet()
	var begun atomic.Int32
	reentering := setup{install: counted(&begun)}
	into := r.reenter(&reentering)
	s := r.serve(reentering, func(x Exchange) error {
		if x.Path() == again {
			r.joins(x, before)
			q.add(x.Context())
			return p.run(x)
		}
		defer r.journal.note("the handler returns")
		before.add(x.Context())
		return into(x, again)
	})
	r.same("re-entered", s, s.get(s.dial(), keepAlive, "/"), bare, want)
	q.waitReleased(p.success())
	q.after.released(r.adapter.Release)
	before.released(r.adapter.Release)
	if n := begun.Load(); n != 2 {
		r.errorf("the middleware ran %d times for a request that was routed twice", n)
	}
	before.let.open()
	q.settle(s, p.success())
}

// joins checks that the scope of a re-entered request is the one that has p.
func (r *run) joins(x Exchange, p *probe) {
	pending := taskpool.FromContext(x.Context()).Pending()
	if !slices.ContainsFunc(pending, func(j taskpool.Job) bool { return j.Name == p.name }) {
		r.errorf("the re-entered request has another scope than the outer one")
	}
}

// reentryGoesOn: the return of the re-entry releases nothing, although whole
// requests with their tasks go by meanwhile, and its outcome is not the last word.
func reentryGoesOn(r *run) {
	before, after, other := r.probe("before", taskpool.StartOnFailure), r.probe("after", taskpool.StartOnFailure),
		r.probe("other", taskpool.StartAfterResponse)
	q := r.quartet()
	back, let := r.gate(), r.gate()
	var reentering setup
	into := r.reenter(&reentering)
	s := r.serve(reentering, func(x Exchange) error {
		switch x.Path() {
		case "/other":
			other.add(x.Context())
			return plain(x)
		case again:
			r.joins(x, before)
			q.add(x.Context())
			return plain(x)
		}
		ctx := x.Context()
		before.add(ctx)
		err := into(x, again)
		r.journal.note("the re-entry returns")
		back.open()
		<-let.opened
		after.add(ctx)
		taskpool.FromContext(ctx).Fail(errVeto)
		r.journal.note("the handler returns")
		return err
	})
	c := s.dial()
	s.send(c, keepAlive, "/")
	r.wait(back.opened, "the re-entry to return")
	s.get(s.dial(), keepAlive, "/other")
	other.pass()
	if staged := s.source.stats().Staged; staged != 4 {
		r.errorf("released by the re-entry's return: %d of 4 tasks are staged", staged)
	}
	let.open()
	if resp := s.receive(c, keepAlive); resp.status != 200 || resp.body != "plain" {
		r.errorf("the client has %q", resp.wire)
	}
	q.waitReleased(false)
	q.judge(row{status: 200, vetoed: true})
	for _, p := range []*probe{before, q.after, after} {
		p.released(r.adapter.Release)
		p.let.open()
	}
	q.settle(s, false)
}

// reentryNone: where a request cannot be routed again its middleware runs once.
func reentryNone(r *run) {
	var begun atomic.Int32
	q := r.quartet()
	s := r.serve(setup{install: counted(&begun)}, q.in(plain))
	s.get(s.dial(), keepAlive, "/")
	q.waitReleased(true)
	if n := begun.Load(); n != 1 {
		r.errorf("the middleware ran %d times for one request", n)
	}
	q.settle(s, true)
}
