package pooltest

import (
	"errors"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/elite-libs/taskpool/core"
)

// A row is one of the outcome table: what a handler does, what the pool has to
// take it for, and so which staged tasks start.
type row struct {
	name      string
	run       Handler
	status    int  // Outcome.Status, where there is no panic
	success   bool // of the request
	vetoed    bool
	failed    bool // the handler returns errWant
	panicked  bool
	seen      bool // status and success are what the client sees
	recovered bool // inside of the middleware, from a panic
}

var errVeto = errors.New("pooltest: the handler's veto")

func rows() []row {
	fail := func(x Exchange) {
		taskpool.FromContext(x.Context()).Fail(errVeto)
	}
	return []row{
		{name: "implicit 200", status: 200, success: true, run: func(Exchange) error { return nil }},
		{name: "implicit 200 with a body", status: 200, success: true, run: plain},
		{name: "201", status: 201, success: true, run: answer(201, "")},
		{name: "204", status: 204, success: true, run: answer(204, "")},
		{name: "302", status: 302, success: true, run: answer(302, "")},
		{name: "399", status: 399, success: true, run: answer(399, "")},
		{name: "400", status: 400, run: answer(400, "")},
		{name: "404", status: 404, run: answer(404, "no")},
		{name: "503", status: 503, run: answer(503, "no")},
		{name: "103 then 404", status: 404, run: func(x Exchange) error {
			x.Status(103)
			return answer(404, "no")(x)
		}},
		{name: "404 after 201", seen: true, run: func(x Exchange) error {
			x.Status(201)
			x.Status(404)
			return nil
		}},
		{name: "404 after a body", seen: true, run: func(x Exchange) error {
			err := plain(x)
			x.Status(404)
			return err
		}},
		{name: "404 after a flush", seen: true, run: func(x Exchange) error {
			x.Flush()
			x.Status(404)
			return nil
		}},
		{name: "Fail", status: 200, vetoed: true, run: func(x Exchange) error {
			fail(x)
			return plain(x)
		}},
		{name: "Fail of nil", status: 200, success: true, run: func(x Exchange) error {
			taskpool.FromContext(x.Context()).Fail(nil)
			return plain(x)
		}},
		{name: "Fail after a flush", status: 200, vetoed: true, run: func(x Exchange) error {
			_ = plain(x)
			x.Flush()
			fail(x)
			return nil
		}},
		{name: "error", status: 500, failed: true, run: func(Exchange) error { return errWant }},
		{name: "panic", status: 500, panicked: true, run: func(Exchange) error { panic("pooltest: wanted") }},
		{name: "panic after a body", status: 200, panicked: true, run: func(x Exchange) error {
			_ = say(x, block, block)
			x.Flush()
			panic("pooltest: wanted")
		}},
		{name: "panic after Fail", status: 500, vetoed: true, panicked: true, run: func(x Exchange) error {
			fail(x)
			panic("pooltest: wanted")
		}},
	}
}

func outcomeChecks(a Adapter) []check {
	var checks []check
	all := rows()
	if a.Handler != nil {
		all = append(all, httpRows()...)
	}
	for _, w := range all {
		checks = append(checks, check{"outcome/" + w.name, func(r *run) { outcomeRow(r, w) }})
	}
	checks = append(checks, check{"outcome/client gone", clientGone},
		check{"outcome/staged by a task", stagedByTask})
	if a.Handler != nil && a.Recovery == NoRecovery {
		checks = append(checks,
			check{"outcome/panic passes untouched", func(r *run) { panicPasses(r, errVeto) }},
			check{"outcome/ErrAbortHandler passes untouched", func(r *run) { panicPasses(r, http.ErrAbortHandler) }})
	}
	return checks
}

func outcomeRow(r *run, w row) {
	bare := r.serve(setup{bare: true}, w.run)
	want := bare.get(bare.dial(), keepAlive, "/")
	if w.panicked && r.adapter.Recovery == RecoveryInside && !want.cut { // some let ErrAbortHandler pass
		w.panicked, w.recovered = false, true
	}
	if w.seen || w.recovered {
		w.status, w.success = want.status, want.status < 400 && !w.vetoed
	}
	q := r.quartet()
	s := r.serve(setup{}, q.in(w.run))
	r.same("with tasks", s, s.get(s.dial(), keepAlive, "/"), bare, want)
	q.waitReleased(w.success)
	q.after.released(r.adapter.Release)
	q.judge(w)
	q.settle(s, w.success)
}

// judge compares the outcome that the tasks see with the row.
func (q *quartet) judge(w row) {
	q.Helper()
	o, a := q.after.outcome, q.adapter
	if !w.panicked && o.Status != w.status {
		q.errorf("Outcome.Status is %d, want %d", o.Status, w.status)
	}
	if o.Success() != w.success || o.Panicked != w.panicked {
		q.errorf("Outcome.Success is %v, want %v; Panicked is %v, want %v", o.Success(), w.success, o.Panicked, w.panicked)
	}
	if vetoed := errors.Is(o.Vetoed, errVeto); vetoed != w.vetoed || !vetoed && o.Vetoed != nil {
		q.errorf("Outcome.Vetoed is %v", o.Vetoed)
	}
	if failed := errors.Is(o.Err, errWant); failed != (w.failed && a.Errors) || !failed && o.Err != nil && !w.panicked && !w.recovered {
		q.errorf("Outcome.Err is %v", o.Err)
	}
	if o.Expired || o.Disconnected {
		q.errorf("Outcome.Expired is %v, Disconnected is %v", o.Expired, o.Disconnected)
	}
}

// clientGone: that the client has gone is no failure, the work was done.
func clientGone(r *run) {
	in, gone := r.gate(), r.gate()
	q := r.quartet()
	s := r.serve(setup{}, q.in(func(x Exchange) error {
		in.open()
		seen := x.Context().Done()
		if r.adapter.NoDisconnect {
			seen = gone.opened
		}
		if !r.within(seen) {
			r.errorf("the request's context did not end when the client had gone")
		}
		return nil
	}))
	c := s.dial()
	s.send(c, keepAlive, "/")
	r.wait(in.opened, "the handler")
	_ = c.Close()
	gone.open()
	q.waitReleased(true)
	o := q.after.outcome
	if o.Disconnected == r.adapter.NoDisconnect || !o.Success() {
		r.errorf("Outcome.Disconnected is %v, Success is %v", o.Disconnected, o.Success())
	}
	if o.Release == taskpool.ReleaseOverdue || o.Release == 0 {
		r.errorf("Outcome.Release is %v", o.Release)
	}
	q.settle(s, true)
}

// stagedByTask: a task adds to its scope after the response. What it stages is
// judged by the outcome that is known by then.
func stagedByTask(r *run) {
	q, late := r.quartet(), r.quartet()
	for _, p := range late.all() {
		p.name = "late " + p.name
	}
	s := r.serve(setup{}, q.in(func(x Exchange) error { return answer(404, "no")(x) }))
	s.get(s.dial(), keepAlive, "/")
	q.waitReleased(false)
	late.add(q.after.ctx)
	late.waitReleased(false)
	for _, p := range late.all() {
		p.let.open()
	}
	q.settle(s, false)
	late.settle(s, false)
}

// panicPasses: what surrounds the middleware sees the handler's own panic, its
// value and its stack: nothing has recovered it and raised it again.
func panicPasses(r *run, value error) {
	var seen any
	var stack string
	q := r.quartet()
	s := r.serve(setup{outer: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			returned := false
			defer func() {
				if !returned {
					stack = string(debug.Stack())
					seen = recover()
					panic(seen)
				}
			}()
			next.ServeHTTP(w, req)
			returned = true
		})
	}}, q.in(func(Exchange) error { return panicWith(value) }))
	resp := s.get(s.dial(), keepAlive, "/")
	if !resp.cut || resp.wire != "" {
		r.errorf("the client has %q, want the end of the connection", resp.wire)
	}
	q.waitReleased(false)
	if !q.after.outcome.Panicked {
		r.errorf("Outcome.Panicked is not set")
	}
	q.settle(s, false)
	if seen != any(value) {
		r.errorf("the panic that comes out is %v, want %v", seen, value)
	}
	if n := strings.Count(stack, "\npanic("); n != 1 || !strings.Contains(stack, "pooltest.panicWith") {
		r.errorf("the panic was raised %d times:\n%s", n, stack)
	}
}

//go:noinline
func panicWith(v any) error { panic(v) }
