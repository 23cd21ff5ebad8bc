package pooltest

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// signalChecks: what looks like the end of a response, or like the client's leaving,
// and is neither; and what looks like a response and was cut off.
func signalChecks(a Adapter) []check {
	all := []check{
		{"signal/context that a handler outside ends", func(r *run) { endedOutside(r, true) }},
		{"signal/context that a handler outside ends later", func(r *run) { endedOutside(r, false) }},
		{"signal/context that the server was given ends", baseEnds},
		{"signal/written after the write timeout", writeTimeout},
		{"signal/hijacked connection holds nobody up", hijackedAtDone},
	}
	if a.HTTP2 != 0 {
		all = append(all, check{"signal/context that a handler outside ends, HTTP/2", endedOutsideHTTP2},
			check{"signal/write timeout, HTTP/2", writeTimeoutHTTP2})
	}
	if a.HTTP2 == taskpool.ReleaseStreamClosed {
		all = append(all, check{"signal/end of the stream is everybody's", sharedEnd})
	}
	return all
}

// An outside is a handler outside that goes on when what is inside has returned.
type outside struct {
	*run
	let, in *gate
	other   *probe
}

func (r *run) outside() *outside {
	return &outside{r, r.gate(), r.gate(), r.probe("other", taskpool.StartAfterResponse)}
}

// around ends the context that the handlers inside get for /, before they run or when
// they have returned.
func (o *outside) around(before bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path != "/" {
				next.ServeHTTP(w, req)
				return
			}
			ctx, cancel := context.WithCancel(req.Context())
			if before {
				cancel()
			}
			next.ServeHTTP(w, req.WithContext(ctx))
			cancel()
			o.in.open()
			<-o.let.opened
		})
	}
}

func (o *outside) inside(h Handler) Handler {
	return func(x Exchange) error {
		if x.Path() == "/other" {
			o.other.add(x.Context())
		}
		return h(x)
	}
}

// heldUp checks that nothing is released while the outermost handler runs, although
// another whole request goes by, and lets it return.
func (o *outside) heldUp(s *site) {
	o.Helper()
	o.wait(o.in.opened, "the outermost handler")
	s.get(s.dial(), keepAlive, "/other")
	o.other.pass()
	if staged := s.source.stats().Staged; staged != 3 {
		o.errorf("released before the outermost handler has returned: %d of 3 tasks are staged", staged)
	}
	o.let.open()
}

// endedOutside: a handler outside ends the request's context before the handler runs;
// or when what is inside has returned, as a timeout does that was not reached.
func endedOutside(r *run, before bool) {
	o, q := r.outside(), r.quartet()
	s := r.serve(setup{outer: o.around(before)}, o.inside(q.in(plain)))
	c := s.dial()
	s.send(c, keepAlive, "/")
	o.heldUp(s)
	if resp := s.receive(c, keepAlive); resp.body != "plain" {
		r.errorf("the client has %q", resp.wire)
	}
	q.stays(r.adapter.Release)
	q.settle(s, true)
}

func endedOutsideHTTP2(r *run) {
	o, q := r.outside(), r.quartet()
	s := r.serve(setup{outer: o.around(true)}, o.inside(q.in(plain)))
	c := s.http2(false)
	answered := make(chan response, 1)
	go func() {
		resp, _ := c.get("/")
		answered <- resp
	}()
	o.heldUp(s)
	if resp := <-answered; resp.body != "plain" {
		r.errorf("the client has %+v", resp)
	}
	q.stays(r.adapter.HTTP2)
	q.settle(s, true)
}

// stays checks what was released of a client that has stayed.
func (q *quartet) stays(release taskpool.Release) {
	q.Helper()
	q.waitReleased(true)
	q.after.released(release)
	if q.after.outcome.Disconnected {
		q.errorf("Outcome.Disconnected is set, and the client is there")
	}
}

// baseEnds: the context that the server's are made of ends, as with one that a signal
// ends, while a handler runs. The client is there, and gets its answer.
func baseEnds(r *run) {
	base, cancel := context.WithCancel(context.Background())
	defer cancel()
	in := r.gate()
	q := r.quartet()
	s := r.serve(setup{base: base}, q.in(func(x Exchange) error {
		in.open()
		<-x.Context().Done() // the end of base comes first, and to this a moment later
		return plain(x)
	}))
	c := s.dial()
	s.send(c, keepAlive, "/")
	r.wait(in.opened, "the handler")
	cancel()
	if resp := s.receive(c, keepAlive); resp.body != "plain" {
		r.errorf("the client has %q", resp.wire)
	}
	q.stays(r.adapter.Release)
	q.settle(s, true)
}

const writeSoon = 100 * time.Millisecond // long enough for a request to be read

// tooLate answers when the time to write has run out.
func tooLate(x Exchange) error {
	<-time.After(2 * writeSoon)
	return plain(x)
}

// writeTimeout: what is written too late does not reach the client, which the server
// tells nobody. Such a request has not succeeded, and nothing about it is exact.
func writeTimeout(r *run) {
	q := r.quartet()
	s := r.serve(setup{writeTimeout: writeSoon}, q.in(tooLate))
	c := s.dial()
	s.send(c, keepAlive, "/")
	if got, _ := io.ReadAll(c); len(got) > 0 {
		r.errorf("the client has %q", got)
	}
	q.waitReleased(false)
	if o := q.after.outcome; o.Success() || o.Exact() || o.Disconnected {
		r.errorf("the client has nothing, and the outcome is %+v", o)
	}
	q.settle(s, false)
}

func writeTimeoutHTTP2(r *run) {
	q := r.quartet()
	s := r.serve(setup{writeTimeout: writeSoon}, q.in(tooLate))
	if resp, err := s.http2(false).get("/"); err != nil || !resp.cut {
		r.errorf("the client has %+v, %v", resp, err)
	}
	q.waitReleased(false)
	if o := q.after.outcome; o.Success() || o.Exact() {
		r.errorf("the client has nothing, and the outcome is %+v", o)
	}
	q.settle(s, false)
}

// hijackedAtDone: a handler that owns its connection runs on, its task has ended, and
// Done waits for nothing.
func hijackedAtDone(r *run) {
	let := r.gate()
	p := r.probe("on a hijacked connection", taskpool.StartNow)
	s := r.serve(setup{}, func(x Exchange) error {
		p.add(x.Context())
		if err := x.Hijack(func(conn net.Conn) { <-let.opened }); err != nil {
			r.errorf("Hijack: %v", err)
		}
		return nil
	})
	c := s.dial()
	s.send(c, keepAlive, "/")
	p.waitStarted()
	p.pass()
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	if report, err := s.source.Done(ctx); err != nil || report.Succeeded != 1 {
		r.errorf("Done beside a hijacked connection: %+v, %v", report, err)
	}
	let.open()
}

// sharedEnd: a handler that asks for CloseNotify over HTTP/2, and a goroutine of its
// own that waits for it, are told; and so is the pool.
func sharedEnd(r *run) {
	told := r.gate()
	q := r.quartet()
	s := r.serve(setup{}, q.in(func(x Exchange) error {
		closed := closeNotify(x)
		go func() {
			<-closed
			told.open()
		}()
		return plain(x)
	}))
	s.http2(false).mustGet("/")
	if !r.within(told.opened) || !r.within(q.after.started) {
		r.errorf("one of the two was not told of the end of the stream")
		return
	}
	q.waitReleased(true)
	q.after.released(r.adapter.HTTP2)
	q.settle(s, true)
}

// closeNotify asks the handler's writer, or the first below it that can tell.
func closeNotify(x Exchange) <-chan bool {
	for w, _ := httpOf(x); ; {
		if n, ok := w.(http.CloseNotifier); ok { //nolint:staticcheck // still asked for
			return n.CloseNotify()
		}
		w = w.(interface{ Unwrap() http.ResponseWriter }).Unwrap()
	}
}
