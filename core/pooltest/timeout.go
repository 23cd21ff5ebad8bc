package pooltest

import (
	"errors"
	"net/http"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// timeoutChecks: http.TimeoutHandler answers while the handler lives on. How long
// its timeout is decides nothing here: the handler waits until the client has
// the 503.
func timeoutChecks() []check {
	return []check{
		{"timeout/outside of the middleware", func(r *run) {
			timeoutOutside(r, func(s *site) func(string) response {
				c := s.dial()
				return func(path string) response { return s.get(c, keepAlive, path) }
			})
		}},
		{"timeout/outside, over HTTP/2", func(r *run) {
			timeoutOutside(r, func(s *site) func(string) response { return s.http2(false).mustGet })
		}},
		{"timeout/inside of the middleware", timeoutInside},
		{"timeout/not reached", timeoutNotReached},
	}
}

const soon = 10 * time.Millisecond

// timeoutOutside: the response is sent before the handler returns, and other
// requests of the connection are answered meanwhile.
func timeoutOutside(r *run, client func(s *site) (get func(path string) response)) {
	in, answered := r.gate(), r.gate()
	q := r.quartet()
	s := r.serve(setup{outer: func(next http.Handler) http.Handler {
		timed := http.TimeoutHandler(next, soon, "late")
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/" {
				timed.ServeHTTP(w, req)
			} else {
				next.ServeHTTP(w, req)
			}
		})
	}}, q.in(func(x Exchange) error {
		in.open()
		if !r.within(x.Context().Done()) {
			r.errorf("the handler is not told of the timeout")
		}
		<-answered.opened
		return plain(x)
	}))
	get := client(s)
	if resp := get("/"); resp.status != 503 || resp.body != "late" {
		r.errorf("the client has %d %q", resp.status, resp.body)
	}
	r.wait(in.opened, "the handler")                // which a busy machine may call later than that
	if next := get("/next"); next.body != "plain" { // while the handler lives on
		r.errorf("the next response on the connection is %d %q", next.status, next.body)
	}
	if staged := s.source.stats().Staged; staged != 3 {
		r.errorf("released before the handler has returned: %d of 3 tasks are staged", staged)
	}
	answered.open()
	q.waitReleased(false)
	if o := q.after.outcome; !o.Expired || o.Disconnected || o.Release == taskpool.ReleaseOverdue {
		r.errorf("Outcome.Expired is %v, Disconnected is %v, Release is %v", o.Expired, o.Disconnected, o.Release)
	}
	q.settle(s, false)
}

// timeoutInside: what the handler adds when its request is over is served as
// long as its scope has unfinished tasks, and else refused.
func timeoutInside(r *run) {
	answered, returned, added := r.gate(), r.gate(), r.gate()
	q := r.quartet()
	late := r.probe("late", taskpool.StartOnFailure)
	inner := HTTP(func(x Exchange) error {
		if !r.within(x.Context().Done()) {
			r.errorf("the handler is not told of the timeout")
		}
		<-answered.opened
		late.add(x.Context())
		added.open()
		<-returned.opened
		err := taskpool.FromContext(x.Context()).Add(late.task)
		if !errors.Is(err, taskpool.ErrScopeClosed) {
			r.errorf("a handler adds when all tasks have ended: %v, want %v", err, taskpool.ErrScopeClosed)
		}
		return nil
	})
	ended := r.gate()
	s := r.serve(setup{}, q.in(func(x Exchange) error {
		w, req := httpOf(x)
		http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			defer ended.open()
			inner.ServeHTTP(w, req)
		}), soon, "late").ServeHTTP(w, req)
		return nil
	}))
	if resp := s.get(s.dial(), keepAlive, "/"); resp.status != 503 || resp.body != "late" {
		r.errorf("the client has %q", resp.wire)
	}
	q.waitReleased(false)
	q.judge(row{status: 503})
	q.after.released(r.adapter.Release)
	answered.open()
	r.wait(added.opened, "the handler that lives on")
	late.waitStarted()
	late.pass()
	for _, p := range []*probe{q.now, q.after, q.failure} {
		p.pass()
	}
	if !r.eventually(func() bool { st := s.source.stats(); return st.Succeeded+st.Discarded == st.Accepted }) {
		r.errorf("tasks are left: %+v", s.source.stats())
	}
	returned.open()
	r.wait(ended.opened, "the handler to return")
	q.settle(s, false)
}

func timeoutNotReached(r *run) {
	q := r.quartet()
	s := r.serve(setup{outer: func(next http.Handler) http.Handler {
		return http.TimeoutHandler(next, time.Hour, "late")
	}}, q.in(plain))
	if resp := s.get(s.dial(), keepAlive, "/"); resp.status != 200 || resp.body != "plain" {
		r.errorf("the client has %q", resp.wire)
	}
	q.waitReleased(true)
	q.judge(row{status: 200, success: true})
	q.settle(s, true)
}
