package pooltest

import (
	"io"
	"strings"

	"github.com/elite-libs/taskpool/core"
)

// echo answers with the body of the request.
func echo(x Exchange) error {
	_, err := io.Copy(x, x.Body())
	return err
}

// sameEcho: the body of a request reaches the handler.
func sameEcho(r *run, rest string) {
	request := "POST / HTTP/1.1\r\nHost: pooltest\r\n" + rest
	ask := func(s *site) response {
		resp, err := s.dial().roundTrip("POST", request)
		if err != nil {
			r.fatalf("%v", err)
		}
		if !strings.HasPrefix(resp.body, "hello") {
			r.errorf("the handler did not see the body: %q", resp.wire)
		}
		return resp
	}
	bare := r.serve(setup{bare: true}, echo)
	want := ask(bare)
	q := r.quartet()
	s := r.serve(setup{}, q.in(echo))
	r.same("a POST", s, ask(s), bare, want)
	q.waitReleased(true)
	q.settle(s, true)
}

// sameContinue: a handler that reads has the server ask for the body.
func sameContinue(r *run) {
	ask := func(s *site) response {
		c := s.dial()
		early, err := c.head("POST / HTTP/1.1\r\nHost: pooltest\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		if err != nil {
			r.fatalf("%v", err)
		}
		if !strings.HasPrefix(early, "HTTP/1.1 100 ") {
			r.errorf("instead of a 100: %q", early)
		}
		resp, err := c.roundTrip("POST", "hello")
		if err != nil {
			r.fatalf("%v", err)
		}
		if resp.body != "hello" {
			r.errorf("the handler did not see the body: %q", resp.wire)
		}
		return resp
	}
	bare := r.serve(setup{bare: true}, echo)
	want := ask(bare)
	q := r.quartet()
	s := r.serve(setup{}, q.in(echo))
	r.same("an expected body", s, ask(s), bare, want)
	q.waitReleased(true)
	q.settle(s, true)
}

// flushedEvent: an event reaches the client when it is flushed. Where a handler
// cannot flush, nothing does before it has returned.
func flushedEvent(r *run) {
	let, written := r.gate(), r.gate()
	q := r.quartet()
	s := r.serve(setup{}, q.in(func(x Exchange) error {
		x.SetHeader("Content-Type", "text/event-stream")
		_ = say(x, "data: first\n\n")
		x.Flush()
		written.open()
		<-let.opened
		return say(x, "data: last\n\n")
	}))
	c := s.dial()
	s.send(c, keepAlive, "/")
	r.wait(written.opened, "the handler to flush")
	if r.adapter.NoFlush {
		if w := s.listener.writes(1); len(w) > 0 {
			r.errorf("NoFlush is set, and the server has written: %v", w)
		}
	} else if _, err := c.from.Peek(1); err != nil {
		r.fatalf("after the flush: %v", err)
	}
	if q.after.hasStarted() {
		r.errorf("a staged task started in the middle of the stream")
	}
	let.open()
	if resp := s.receive(c, keepAlive); resp.body != "data: first\n\ndata: last\n\n" || resp.cut {
		r.errorf("body %q", resp.body)
	}
	q.waitReleased(true)
	if got := q.after.outcome.Release; got != r.adapter.Release {
		r.errorf("Outcome.Release is %v, want %v", got, r.adapter.Release)
	}
	q.settle(s, true)
}

// released checks what let a task start.
func (p *probe) released(want taskpool.Release) {
	p.Helper()
	p.waitStarted()
	if got := p.outcome; got.Release != want || got.Exact() != (want == taskpool.ReleaseFlushed) {
		p.errorf("task %q: Outcome.Release is %v, Exact is %v; want %v", p.name, got.Release, got.Exact(), want)
	}
}
