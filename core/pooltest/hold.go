package pooltest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// holdChecks: with a taskpool.Hold the client has the response while the tasks
// of the request are blocked, and its end when they have ended.
func holdChecks(a Adapter) []check {
	if a.NoHold {
		return []check{{"hold/is refused", holding(taskpool.HoldOptions{}, holdRefused)}}
	}
	all := holdPrograms()
	add := func(name string, o taskpool.HoldOptions, f func(r *run)) {
		all = append(all, check{"hold/" + name, holding(o, f)})
	}
	until := taskpool.HoldOptions{}
	add("released after the flush", until, heldReleaseAfterFlush)
	if a.Reenter != nil || a.Handler != nil {
		add("re-entered", until, heldReentered)
	}
	add("limit", taskpool.HoldOptions{Limit: time.Millisecond}, heldToLimit)
	add("shutdown", until, heldThroughShutdown)
	add("withheld body", until, func(r *run) { withheld(r, "Content-Length: 10\r\n", false) })
	if !a.NoDisconnect {
		add("client gone", until, heldClientGone)
	}
	if a.HTTP2 != 0 {
		if a.Handler != nil && !a.NoDisconnect {
			add("h2c/client resets the stream", until, heldStreamReset)
		}
		add("h2c/small", until, func(r *run) { heldStream(r, plain) })
		add("h2c/empty", until, func(r *run) { heldStream(r, func(Exchange) error { return nil }) })
	}
	return slices.Concat(all, holdLastChecks(), notHeldChecks(a))
}

// holding has the sites of a check hold their requests.
func holding(o taskpool.HoldOptions, f func(r *run)) func(r *run) {
	return func(r *run) {
		r.hold = &o
		f(r)
	}
}

// holdPrograms: every program, and in every mode those of each kind of body. What
// is not answered when the handler has returned or panicked is not held.
func holdPrograms() []check {
	var all []check
	for _, p := range programs {
		for _, m := range append(modes, mode{"POST", "POST", "1.1", ""}) {
			if everyMode := p.name == "small" || p.name == "content-length"; !p.own && (everyMode || m == keepAlive) {
				all = append(all, check{"hold/" + p.name + "/" + m.name,
					holding(taskpool.HoldOptions{}, func(r *run) { held(r, p, m) })})
			}
		}
	}
	return all
}

// holdRefused: what cannot hold says so, with each request that asks for it.
func holdRefused(r *run) {
	s := r.serve(setup{}, func(Exchange) error {
		r.errorf("the handler runs")
		return nil
	})
	if resp := s.get(s.dial(), keepAlive, "/"); resp.status != http.StatusInternalServerError {
		r.errorf("the client has %q, want an error", resp.wire)
	}
	if s.source.count() == 0 {
		r.errorf("the middleware has not begun a scope, by which it is told of the Hold")
	}
}

// held is the rule: the client has the status, the headers and the body while
// all tasks are blocked. Then they end, one by one, and only when the last one
// has, there is another write, the connection is closed, or its next request is
// served.
func held(r *run, p program, m mode) {
	bare := r.serve(setup{bare: true}, p.run)
	want := bare.get(bare.dial(), m, "/")
	q := r.quartet()
	s := r.serve(setup{}, q.inTurn(p.run))
	c := s.dial()
	s.send(c, m, "/")
	o := s.begin(c, m, len(want.body))
	if !want.closed {
		s.send(c, keepAlive, "/next")
	}
	q.waitHeld(p.success())
	sent := len(s.listener.writes(1))
	q.startedAfterWrite(1, sent)
	q.passInTurn(s, p.success())
	got, err := o.finish(nil)
	if err != nil {
		r.fatalf("%v", err)
	}
	p.verify(r, m, got)
	r.sameHeader(got.header, want.header, p.length)
	if !got.closed {
		if next := s.receive(c, keepAlive); next.body != "plain" {
			r.errorf("the next response on the connection is %q", next.wire)
		}
	}
	q.settle(s, p.success())
	q.endedBefore(servesNext, fmt.Sprintf("connection 1: write %d begins", sent+1), "connection 1: closed by the server")
}

const servesNext = "the next request is served"

// inTurn is in, and notes when another request is served.
func (q *quartet) inTurn(h Handler) Handler {
	first := q.in(h)
	return func(x Exchange) error {
		if x.Path() == "/next" {
			q.journal.note(servesNext)
		}
		return first(x)
	}
}

// begin reads what there is of a response that is held: the head and n bytes.
func (s *site) begin(c *client, m mode, n int) *opening {
	s.Helper()
	o, err := c.begin(m.method, n)
	if err != nil {
		s.fatalf("the client has %q of the response, and %v", c.wire, err)
	}
	s.journal.note("the client has the head and %d bytes of the body", n)
	return o
}

// waitHeld waits for the tasks of a held request, and leaves them blocked.
func (q *quartet) waitHeld(success bool) {
	q.Helper()
	q.waitReleased(success)
	q.after.released(taskpool.ReleaseHeld)
	q.blocked()
}

// startedAfterWrite checks that no staged task has started before the n-th write
// of the connection had returned.
func (q *quartet) startedAfterWrite(conn, n int) {
	q.Helper()
	wrote := q.journal.index(fmt.Sprintf("connection %d: write %d returns", conn, n))
	for _, p := range []*probe{q.after, q.success, q.failure} {
		at := q.journal.index("task \"" + p.name + "\" starts")
		if at >= 0 && (wrote < 0 || at < wrote) {
			q.errorf("task %q started before the response was flushed", p.name)
		}
	}
}

// passInTurn has the tasks end one after the other. Whole requests go by before
// the last one does: whoever did not wait for it would be done long since.
func (q *quartet) passInTurn(s *site, success bool) {
	q.Helper()
	judged := q.success
	if !success {
		judged = q.failure
	}
	q.now.pass()
	judged.pass()
	s.goBy()
	q.after.pass()
}

// goBy has requests without tasks be answered on another connection.
func (s *site) goBy() {
	s.Helper()
	c := s.dial()
	for range 3 {
		s.get(c, keepAlive, "/by")
	}
}

// endedBefore checks that all tasks had ended when what was noted happened, if it
// has.
func (q *quartet) endedBefore(notes ...string) {
	q.Helper()
	for _, note := range notes {
		at := q.journal.index(note)
		for _, p := range q.all() {
			if end := q.journal.index("task \"" + p.name + "\" ends"); at >= 0 && (end > at || end < 0 && p.hasStarted()) {
				q.errorf("%s, and task %q has not ended", note, p.name)
			}
		}
	}
}

// sameHeader: a response that is held has lost at most the Content-Length that
// the server would have made up, not one of the handler's own.
func (r *run) sameHeader(got, want http.Header, own bool) {
	r.Helper()
	if want = maps.Clone(want); got.Get("Content-Length") == "" && !own {
		want.Del("Content-Length")
	}
	if !maps.EqualFunc(got, want, slices.Equal[[]string]) {
		r.errorf("the header is %v; without the middleware %v", got, want)
	}
}

// heldReleaseAfterFlush withholds the return of the flush, all bytes of which the
// client has, and sees that nothing is released, although whole requests with
// their tasks go by.
func heldReleaseAfterFlush(r *run) {
	q, other := r.quartet(), r.probe("other", taskpool.StartAfterResponse)
	other.let.open()
	first := q.in(plain)
	s := r.serve(setup{}, func(x Exchange) error {
		if x.Path() == "/other" {
			other.add(x.Context())
		}
		return first(x)
	})
	s.listener.hold(1)
	c := s.dial()
	s.send(c, keepAlive, "/")
	o := s.begin(c, keepAlive, len("plain"))
	r.wait(s.listener.held.opened, "the flush")
	s.get(s.dial(), keepAlive, "/other")
	if staged := s.source.stats().Staged; staged != 3 || q.after.hasStarted() {
		r.errorf("released before the flush has returned: %d of 3 tasks are staged", staged)
	}
	s.listener.let.open()
	q.waitHeld(true)
	q.startedAfterWrite(1, 1)
	q.passInTurn(s, true)
	if got, err := o.finish(nil); err != nil || got.body != "plain" || got.cut {
		r.errorf("the client has %q, %v", got.wire, err)
	}
	q.settle(s, true)
}

// heldReentered: a request that is routed again is held once, by the outermost.
func heldReentered(r *run) {
	q := r.quartet()
	reentering := setup{}
	into := r.reenter(&reentering)
	s := r.serve(reentering, q.inTurn(func(x Exchange) error { return into(x, again) }))
	q.heldPlain(s)
	q.settle(s, true)
}

// heldPlain asks for the answer of plain, and checks that it is held.
func (q *quartet) heldPlain(s *site) {
	q.Helper()
	c := s.dial()
	s.send(c, keepAlive, "/")
	o := s.begin(c, keepAlive, len("plain"))
	s.send(c, keepAlive, "/next")
	q.waitHeld(true)
	sent := len(s.listener.writes(1))
	q.passInTurn(s, true)
	if got, err := o.finish(nil); err != nil || got.status != 200 || got.body != "plain" || got.cut {
		q.errorf("the client has %q, %v", got.wire, err)
	}
	s.receive(c, keepAlive)
	q.endedBefore(fmt.Sprintf("connection 1: write %d begins", sent+1), servesNext)
}

// heldToLimit: the response ends although tasks are blocked, and they go on.
func heldToLimit(r *run) {
	q := r.quartet()
	s := r.serve(setup{}, q.in(plain))
	if resp := s.get(s.dial(), keepAlive, "/"); resp.body != "plain" || resp.cut {
		r.errorf("the client has %q", resp.wire)
	}
	q.waitHeld(true)
	q.judge(row{status: 200, success: true})
	q.after.lives()
	q.settle(s, true)
}

// heldClientGone: nobody is left to hold the request for; its tasks go on.
func heldClientGone(r *run) {
	q := r.quartet()
	s := r.serve(setup{}, q.in(plain))
	c := s.dial()
	s.send(c, keepAlive, "/")
	s.begin(c, keepAlive, len("plain"))
	q.waitHeld(true)
	_ = c.Close()
	if !r.eventually(func() bool { return r.journal.index("connection 1: closed by the server") >= 0 }) {
		r.errorf("the request is held although the client has gone")
	}
	q.blocked()
	q.judge(row{status: 200, success: true})
	q.after.lives()
	q.settle(s, true)
}

// heldThroughShutdown: a server that stops waits for the requests that are held.
func heldThroughShutdown(r *run) {
	q := r.quartet()
	s := r.serve(setup{}, q.in(plain))
	stop := s.stop
	s.stop = func() {
		stop()
		r.journal.note("the server has stopped")
	}
	c := s.dial()
	s.send(c, keepAlive, "/")
	o := s.begin(c, keepAlive, len("plain"))
	q.waitHeld(true)
	s.stopBeside()
	for _, p := range []*probe{q.now, q.success, q.after} {
		p.pass()
	}
	if got, err := o.finish(nil); err != nil || got.body != "plain" || got.cut {
		r.errorf("the client has %q, %v", got.wire, err)
	}
	q.settle(s, true)
	q.endedBefore("the server has stopped")
}
