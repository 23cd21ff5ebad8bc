package pooltest

import (
	"bufio"
	"io"
	"net"
	"slices"

	"github.com/elite-libs/taskpool/core"
)

// hijackChecks: a connection that is no longer the server's, and one on which
// requests do not wait for responses.
func hijackChecks() []check {
	return []check{
		{"hijack", hijacked},
		{"hijack/adds while the hijacker runs", hijackerAdds},
		{"pipelined/responses before tasks end", pipelined},
		{"pipelined/tasks before the next response", pipelinedRelease},
	}
}

// hijacked: what was staged starts when the hijacker has returned, or where the
// framework refuses, as for any response.
func hijacked(r *run) {
	let := r.gate()
	q := r.quartet()
	s := r.serve(setup{}, q.in(func(x Exchange) error {
		err := x.Hijack(func(conn net.Conn) {
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil {
				r.errorf("the hijacked connection: %v", err)
			}
			_, _ = io.WriteString(conn, "echo "+line)
			<-let.opened
			r.journal.note("the hijacker returns")
		})
		if refused := err != nil; refused != (r.adapter.Hijack == 0) {
			r.errorf("Hijack: %v", err)
		}
		if err != nil {
			return plain(x)
		}
		return nil
	}))
	c := s.dial()
	if r.adapter.Hijack == 0 {
		if resp := s.get(c, keepAlive, "/"); resp.body != "plain" {
			r.errorf("the client has %q", resp.wire)
		}
		q.waitReleased(true)
		q.after.released(r.adapter.Release)
		q.settle(s, true)
		return
	}
	s.send(c, keepAlive, "/")
	_, _ = io.WriteString(c, "hello\n")
	if line, err := c.from.ReadString('\n'); line != "echo hello\n" {
		r.fatalf("the hijacker said %q, %v", line, err)
	}
	if staged := s.source.stats().Staged; staged != 3 {
		r.errorf("released before the hijacker has returned: %d of 3 tasks are staged", staged)
	}
	let.open()
	q.waitReleased(true)
	if at := r.journal.index(`task "after response" starts`); at < r.journal.index("the hijacker returns") {
		r.errorf("a staged task started before the hijacker had returned")
	}
	q.after.released(r.adapter.Hijack)
	if status := q.after.outcome.Status; status != 0 {
		r.errorf("Outcome.Status is %d, want 0: nobody knows it", status)
	}
	q.settle(s, true)
}

// hijackerAdds: a hijacker belongs to its request, also where it runs when the
// handler has returned, and nothing was added before.
func hijackerAdds(r *run) {
	late := r.probe("late", taskpool.StartAfterResponse)
	s := r.serve(setup{}, func(x Exchange) error {
		ctx := x.Context()
		err := x.Hijack(func(conn net.Conn) {
			_, _ = bufio.NewReader(conn).ReadString('\n')
			late.add(ctx)
			_, _ = io.WriteString(conn, "added\n")
		})
		if err == nil {
			return nil
		}
		late.add(ctx)
		return say(x, "added\n")
	})
	c := s.dial()
	s.send(c, keepAlive, "/")
	if r.adapter.Hijack != 0 {
		_, _ = io.WriteString(c, "hello\n")
		if line, err := c.from.ReadString('\n'); line != "added\n" {
			r.fatalf("the hijacker said %q, %v", line, err)
		}
	}
	late.waitStarted()
	late.pass()
	s.finish()
}

// pipelined: two requests are sent before the first response. Both responses
// come while the tasks of both are blocked.
func pipelined(r *run) {
	q, q2 := r.quartet(), r.quartet()
	for _, p := range q2.all() {
		p.name = "second " + p.name
	}
	h := func(x Exchange) error {
		if x.Path() == "/" {
			return q.in(answer(200, "first"))(x)
		}
		q2.add(x.Context())
		return say(x, "second")
	}
	ask := func(s *site) (both []response) {
		c := s.dial()
		_, _ = io.WriteString(c, keepAlive.request("/")+keepAlive.request("/second"))
		for _, body := range []string{"first", "second"} {
			resp := s.receive(c, keepAlive)
			if resp.body != body {
				r.errorf("body %q, want %q", resp.body, body)
			}
			both = append(both, resp)
		}
		return both
	}
	bare := r.serve(setup{bare: true}, h)
	want := ask(bare)
	s := r.serve(setup{}, h)
	got := ask(s)
	for i := range want {
		r.same("pipelined requests", s, got[i], bare, want[i])
	}
	q.waitReleased(true)
	q2.after.released(r.adapter.Release)
	for _, p := range slices.Concat(q.all(), q2.all()) {
		p.let.open()
	}
	q.settle(s, true)
	q2.settle(s, true)
}

// pipelinedRelease: what the first request staged does not wait for the second
// one's handler, unless the response does.
func pipelinedRelease(r *run) {
	let, second := r.gate(), r.gate()
	q := r.quartet()
	first := q.in(plain)
	s := r.serve(setup{}, func(x Exchange) error {
		if x.Path() == "/second" {
			second.open()
			<-let.opened
		}
		return first(x)
	})
	c := s.dial()
	_, _ = io.WriteString(c, keepAlive.request("/")+keepAlive.request("/second"))
	if r.adapter.Batches && r.adapter.Release == taskpool.ReleaseFlushed {
		r.wait(second.opened, "the second handler")
		if staged := s.source.stats().Staged; staged != 3 {
			r.errorf("released before the response was sent: %d of 3 tasks are staged", staged)
		}
		let.open()
	}
	q.waitReleased(true)
	q.after.released(r.adapter.Release)
	let.open()
	s.receive(c, keepAlive)
	s.receive(c, keepAlive)
	q.settle(s, true)
}

// releasedInTime checks what let a task start where a client withholds what the
// adapter waits for.
func (p *probe) releasedInTime() {
	p.Helper()
	p.waitStarted()
	if got := p.outcome.Release; got != p.adapter.Release && got != taskpool.ReleaseOverdue {
		p.errorf("Outcome.Release is %v, want %v or %v", got, p.adapter.Release, taskpool.ReleaseOverdue)
	}
}
