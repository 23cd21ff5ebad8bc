package pooltest

import "slices"

// completeChecks: the client has the complete response, the last chunk or the
// end of the connection included, while tasks of the request are still blocked.
func completeChecks() []check {
	return append(matrix("complete", completeWhileBlocked), check{"complete/over TLS", completeOverTLS})
}

func completeWhileBlocked(r *run, p program, m mode) {
	q := r.quartet()
	s := r.serve(setup{}, q.in(p.run))
	c := s.dial()
	resp := s.get(c, m, "/")
	p.verify(r, m, resp)
	if !resp.closed { // nor do the tasks delay the connection's next request
		if next := s.get(c, keepAlive, "/next"); next.body != "plain" {
			r.errorf("the next response on the connection is %q", next.wire)
		}
	}
	q.waitReleased(p.success())
	q.blocked()
	q.settle(s, p.success())
}

func completeOverTLS(r *run) {
	q := r.quartet()
	s := r.serve(setup{tls: true}, q.in(plain))
	c := s.dial()
	c.startTLS()
	if resp := s.get(c, keepAlive, "/"); resp.body != "plain" {
		r.errorf("the client has %q", resp.wire)
	}
	q.waitReleased(true)
	q.blocked()
	q.after.released(r.adapter.Release)
	q.settle(s, true)
}

// wireChecks: what the server writes is what it writes without the middleware,
// byte for byte and write for write, whether the handler adds tasks or not.
func wireChecks() []check {
	return slices.Concat(matrix("wire", sameWire), []check{
		{"wire/body with a length", func(r *run) { sameEcho(r, "Content-Length: 5\r\n\r\nhello") }},
		{"wire/chunked body", func(r *run) {
			sameEcho(r, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")
		}},
		{"wire/expected body", sameContinue},
		{"wire/flushed event", flushedEvent},
	})
}

func sameWire(r *run, p program, m mode) {
	bare := r.serve(setup{bare: true}, p.run)
	want := bare.get(bare.dial(), m, "/")
	p.verify(r, m, want)

	idle := r.serve(setup{}, p.run)
	r.same("a handler without tasks", idle, idle.get(idle.dial(), m, "/"), bare, want)

	q := r.quartet()
	busy := r.serve(setup{}, q.in(p.run))
	r.same("a handler with tasks", busy, busy.get(busy.dial(), m, "/"), bare, want)
	q.waitReleased(p.success())
	q.settle(busy, p.success())
}

// same compares what the first client of a site received with what the first
// client of the bare one did.
func (r *run) same(what string, s *site, got response, bare *site, want response) {
	r.Helper()
	if got.wire != want.wire || got.closed != want.closed || got.cut != want.cut {
		r.errorf("%s: on the wire %q, closed %v, cut %v; without the middleware %q, closed %v, cut %v",
			what, got.wire, got.closed, got.cut, want.wire, want.closed, want.cut)
	}
	if g, w := s.listener.writes(1), bare.listener.writes(1); !slices.Equal(g, w) {
		r.errorf("%s: the server's writes are %v; without the middleware %v", what, g, w)
	}
}
