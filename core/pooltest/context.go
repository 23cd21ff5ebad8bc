package pooltest

import (
	"context"
	"net/http"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// contextChecks: what a task's context has of the request's, and what it has not.
func contextChecks() []check {
	return []check{
		{"context/outlives the request", contextOutlives},
		{"context/values", contextValues},
		{"context/is the handler's while it runs", contextOfHandler},
	}
}

type contextKey string

// contextOutlives: the task's context has no deadline and is not canceled, when
// the request's has one, is canceled, and the client has gone.
func contextOutlives(r *run) {
	q := r.quartet()
	var request, inner context.Context
	s := r.serve(setup{}, q.in(func(x Exchange) error {
		request = x.Context()
		ctx, cancel := context.WithDeadline(request, time.Now().Add(time.Hour))
		defer cancel()
		inner = ctx
		return plain(x)
	}))
	own := r.probe("in a context with a deadline", taskpool.StartAfterResponse)
	c := s.dial()
	s.get(c, keepAlive, "/")
	q.waitReleased(true)
	own.add(inner) // its scope has unfinished tasks: it accepts
	own.waitStarted()
	_ = c.Close()
	if !r.adapter.NoDisconnect {
		r.wait(request.Done(), "the request's context to end")
	}
	for _, p := range []*probe{q.now, q.after, q.success, own} {
		p.lives()
	}
	own.let.open()
	q.settle(s, true)
}

// lives checks that nothing has ended or will end the task's context.
func (p *probe) lives() {
	p.Helper()
	if err := context.Cause(p.ctx); err != nil {
		p.errorf("task %q: its context has ended: %v", p.name, err)
	}
	if _, ok := p.ctx.Deadline(); ok {
		p.errorf("task %q: its context has a deadline", p.name)
	}
	select {
	case <-p.ctx.Done():
		p.errorf("task %q: its context is done", p.name)
	default:
	}
}

// contextValues: a task sees the values of the context that its scope was taken
// from: those of the server, those from outside of the middleware, and those
// from inside of it.
func contextValues(r *run) {
	s := setup{}
	if r.adapter.Handler != nil {
		s.outer = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				next.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), contextKey("outer"), "o")))
			})
		}
	}
	q, innerQ := r.quartet(), r.quartet()
	for _, p := range innerQ.all() {
		p.name = "inner " + p.name
	}
	site := r.serve(s, q.in(func(x Exchange) error {
		innerQ.add(context.WithValue(x.Context(), contextKey("inner"), "i"))
		return plain(x)
	}))
	site.get(site.dial(), keepAlive, "/")
	q.waitReleased(true)
	innerQ.waitReleased(true)
	expect := func(p *probe, key any, want any) {
		if got := p.ctx.Value(key); got != want {
			r.errorf("task %q: its context has %v for %v, want %v", p.name, got, key, want)
		}
	}
	for _, p := range []*probe{q.now, q.after, q.success, innerQ.now, innerQ.after, innerQ.success} {
		if r.adapter.Handler != nil {
			expect(p, contextKey("outer"), "o")
			if p.ctx.Value(http.ServerContextKey) == nil {
				r.errorf("task %q: its context has lost the server's values", p.name)
			}
		}
		if !site.source.has(taskpool.FromContext(p.ctx).Pool()) {
			r.errorf("task %q: its context has not its scope", p.name)
		}
	}
	for _, p := range []*probe{innerQ.now, innerQ.after, innerQ.success} {
		expect(p, contextKey("inner"), "i")
	}
	for _, p := range []*probe{q.now, q.after, q.success} {
		expect(p, contextKey("inner"), nil)
	}
	for _, p := range innerQ.all() {
		p.let.open()
	}
	q.settle(site, true)
	innerQ.settle(site, true)
}

// contextOfHandler: the handler's own context has the scope, has not ended, and
// derives as the request's does.
func contextOfHandler(r *run) {
	q := r.quartet()
	s := r.serve(setup{}, q.in(func(x Exchange) error {
		ctx := x.Context()
		if err := ctx.Err(); err != nil {
			r.errorf("the handler's context has ended: %v", err)
		}
		if _, known := taskpool.FromContext(ctx).Outcome(); known {
			r.errorf("the outcome is known while the handler runs")
		}
		if n := len(taskpool.FromContext(ctx).Pending()); n < 3 || n > 4 {
			r.errorf("the handler staged 3 tasks, and %d wait", n)
		}
		return plain(x)
	}))
	s.get(s.dial(), keepAlive, "/")
	q.waitReleased(true)
	q.settle(s, true)
}
