package pooltest

import "net"

// http2ShutdownChecks: a server that is stopped while a stream of a connection is
// being answered ends the response, and every accepted task has a fate.
func http2ShutdownChecks(a Adapter) []check {
	if a.HTTP2 == 0 {
		return nil // "h2/is refused" and "h2c/is refused" are the checks then
	}
	return []check{
		{"shutdown/request in flight over h2", func(r *run) { http2StopInFlight(r, true) }},
		{"shutdown/request in flight over h2c", func(r *run) { http2StopInFlight(r, false) }},
	}
}

func http2StopInFlight(r *run, tls bool) {
	in, let := r.gate(), r.gate()
	q := r.quartet()
	s := r.serve(setup{tls: tls}, q.in(func(x Exchange) error {
		in.open()
		<-let.opened
		return say(x, block, block, block)
	}))
	c := s.http2(tls)
	type answer struct {
		response
		err error
	}
	got := make(chan answer, 1)
	go func() {
		resp, err := c.get("/")
		got <- answer{resp, err}
	}()
	r.wait(in.opened, "the handler")
	s.stopBeside()
	let.open()
	if resp := <-got; resp.err != nil || resp.cut || resp.status != 200 || resp.body != block+block+block {
		r.errorf("the client has %d, %d bytes, cut %v, %v", resp.status, len(resp.body), resp.cut, resp.err)
	}
	q.waitReleased(true)
	q.after.released(r.adapter.HTTP2)
	q.blocked()
	q.settle(s, true)
}

// stopBeside has the server begin to stop, and returns when it accepts no more.
// The site's finish waits for its end.
func (s *site) stopBeside() {
	s.Helper()
	stopped, stop := s.gate(), s.stop
	s.stop = func() { s.wait(stopped.opened, "the server to stop") }
	go func() {
		stop()
		stopped.open()
	}()
	if !s.eventually(func() bool {
		conn, err := net.Dial("tcp", s.listener.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}) {
		s.fatalf("the server that stops goes on to accept connections")
	}
}
