package pooltest

import (
	"io"
	"net/http"
)

// heldStream: over HTTP/2 it is the end of the stream that is held, and no other
// stream.
func heldStream(r *run, h Handler) {
	bare := r.serve(setup{bare: true}, h).http2(false).mustGet("/")
	q := r.quartet()
	s := r.serve(setup{}, q.in(h))
	c := s.http2(false)
	resp, cancel, err := c.open("/")
	defer cancel()
	if err != nil {
		r.fatalf("%v", err)
	}
	defer resp.Body.Close()
	body := make([]byte, len(bare.body))
	if _, err := io.ReadFull(resp.Body, body); err != nil || string(body) != bare.body || resp.StatusCode != bare.status {
		r.fatalf("the response is %d %q, %v; without the middleware %+v", resp.StatusCode, body, err, bare)
	}
	resp.Header.Del("Date")
	r.sameHeader(resp.Header, bare.header, false)
	ended, rest := make(chan struct{}), resp.Body
	go func() {
		defer close(ended)
		if more, err := io.ReadAll(rest); err != nil || len(more) > 0 {
			r.errorf("the stream ends with %q, %v", more, err)
		}
		r.journal.note("the stream ends")
	}()
	q.waitHeld(true)
	q.now.pass()
	q.success.pass()
	for range 3 {
		c.mustGet("/other")
	}
	q.after.pass()
	r.wait(ended, "the stream to end")
	q.endedBefore("the stream ends")
	q.settle(s, true)
}

// heldStreamReset: a client that resets the stream has gone; its tasks go on.
func heldStreamReset(r *run) {
	q, returned := r.quartet(), r.gate()
	s := r.serve(setup{outer: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			next.ServeHTTP(w, req)
			returned.open()
		})
	}}, q.in(plain))
	resp, cancel, err := s.http2(false).open("/")
	defer cancel()
	if err != nil {
		r.fatalf("%v", err)
	}
	q.waitHeld(true)
	cancel()
	_ = resp.Body.Close()
	r.wait(returned.opened, "the request of a client that has gone to end")
	q.blocked()
	q.after.lives()
	q.settle(s, true)
}
