package pooltest

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/elite-libs/taskpool/core"
)

// http2Checks: the same over HTTP/2, with TLS and without, where a response is a
// stream and a connection has many.
func http2Checks(a Adapter) []check {
	var all []check
	for _, v := range []struct {
		name string
		tls  bool
	}{{"h2", true}, {"h2c", false}} {
		if a.HTTP2 == 0 {
			all = append(all, check{v.name + "/is refused", func(r *run) { http2Refused(r, v.tls) }})
			continue
		}
		for _, p := range programs {
			all = append(all, check{v.name + "/complete/" + p.name, func(r *run) { http2Complete(r, p, v.tls) }})
		}
		all = append(all,
			check{v.name + "/a slow stream delays no other's tasks", func(r *run) { http2Streams(r, v.tls) }},
			check{v.name + "/full window", func(r *run) { http2Window(r, v.tls) }},
			check{v.name + "/client resets the stream", func(r *run) { http2Reset(r, v.tls) }},
			check{v.name + "/interfaces", func(r *run) { http2Interfaces(r, v.tls) }})
	}
	return all
}

// An http2Client is the standard library's. All its requests are streams of one
// connection.
type http2Client struct {
	*site
	transport *http.Transport
	url       string
}

// http2Receive is how much of a body the server may send before the client reads.
const http2Receive = 64 << 10

func (s *site) http2(tls bool) *http2Client {
	t := &http.Transport{
		MaxConnsPerHost: 1, // a request may come before the connection that is there is offered to it
		Protocols:       new(http.Protocols),
		HTTP2:           &http.HTTP2Config{MaxReceiveBufferPerStream: http2Receive},
	}
	c := &http2Client{s, t, "http://" + s.listener.Addr().String()}
	if tls {
		t.TLSClientConfig = clientTLS()
		t.Protocols.SetHTTP2(true)
		c.url = "https" + strings.TrimPrefix(c.url, "http")
	} else {
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	s.closers = append(s.closers, t.CloseIdleConnections)
	return c
}

// open sends a request and reads the header of the response.
func (c *http2Client) open(path string) (*http.Response, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	req, err := http.NewRequestWithContext(ctx, "GET", c.url+path, nil)
	if err != nil {
		return nil, cancel, err
	}
	resp, err := c.transport.RoundTrip(req)
	return resp, cancel, err
}

// get reads a whole response, up to END_STREAM.
func (c *http2Client) get(path string) (response, error) {
	resp, cancel, err := c.open(path)
	defer cancel()
	if errors.Is(err, context.DeadlineExceeded) {
		return response{}, err
	}
	if err != nil {
		return response{cut: true}, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	resp.Header.Del("Date")
	return response{status: resp.StatusCode, header: resp.Header, body: string(body), cut: err != nil}, nil
}

// mustGet is get; a response that does not come ends the check.
func (c *http2Client) mustGet(path string) response {
	c.Helper()
	resp, err := c.get(path)
	if err != nil {
		c.fatalf("%s: %v", path, err)
	}
	return resp
}

func http2Refused(r *run, tls bool) {
	s := r.serve(setup{tls: tls}, plain)
	if resp := s.http2(tls).mustGet("/"); !resp.cut {
		r.errorf("Adapter.HTTP2 is not set, and the answer over HTTP/2 is %d", resp.status)
	}
}

func http2Complete(r *run, p program, tls bool) {
	bare := r.serve(setup{bare: true, tls: tls}, p.run).http2(tls).mustGet("/")

	q := r.quartet()
	s := r.serve(setup{tls: tls}, q.in(p.run))
	c := s.http2(tls)
	got := c.mustGet("/")
	r.journal.note("the client has the complete response, %d", got.status)
	q.waitReleased(p.success())
	q.blocked()
	q.after.released(r.adapter.HTTP2)

	if got.cut != (p.panics && r.adapter.Recovery == NoRecovery) || !got.cut && got.status != p.status {
		r.errorf("status %d, cut %v; want %d", got.status, got.cut, p.status)
	}
	if got.status != bare.status || got.body != bare.body || got.cut != bare.cut ||
		!maps.EqualFunc(got.header, bare.header, slices.Equal[[]string]) {
		r.errorf("the response is %+v; without the middleware %+v", got, bare)
	}
	q.settle(s, p.success())
}

// http2Streams: what a request staged starts although another stream of its
// connection is still being answered.
func http2Streams(r *run, tls bool) {
	slow, answering := r.gate(), r.gate()
	q := r.quartet()
	in := q.in(plain)
	s := r.serve(setup{tls: tls}, func(x Exchange) error {
		if x.Path() != "/slow" {
			return in(x)
		}
		_ = say(x, block)
		x.Flush()
		answering.open()
		<-slow.opened
		return nil
	})
	c := s.http2(tls)
	ended := make(chan error, 1)
	go func() {
		_, err := c.get("/slow")
		ended <- err
	}()
	r.wait(answering.opened, "the slow stream to be answered in part")
	c.mustGet("/")
	q.waitReleased(true)
	q.after.released(r.adapter.HTTP2)
	q.blocked()
	if n := s.listener.accepted(); n != 1 {
		r.errorf("%d connections, want two streams of one", n)
	}
	slow.open()
	if err := <-ended; err != nil {
		r.errorf("the slow stream: %v", err)
	}
	q.settle(s, true)
}

// http2Window: the handler has returned, and the client's flow control keeps the
// end of the response from it. The response is not sent.
func http2Window(r *run, tls bool) {
	head, tail := strings.Repeat("h", http2Receive), strings.Repeat("t", 100)
	q := r.quartet()
	other := r.probe("other", taskpool.StartAfterResponse)
	in := q.in(func(x Exchange) error {
		_ = say(x, head)
		x.Flush()
		return say(x, tail) // waits in the server's buffer
	})
	s := r.serve(setup{tls: tls}, func(x Exchange) error {
		if x.Path() == "/other" {
			other.add(x.Context())
		}
		return in(x)
	})
	c := s.http2(tls)
	resp, cancel, err := c.open("/")
	defer cancel()
	if err != nil {
		r.fatalf("%v", err)
	}
	defer resp.Body.Close()
	if !r.eventually(func() bool { return r.journal.index("the handler returns") >= 0 }) {
		r.fatalf("the handler waits for the client to read what the server buffers")
	}
	c.mustGet("/other") // another stream, with all its tasks
	other.pass()
	if r.adapter.HTTP2 == taskpool.ReleaseHandlerReturned {
		q.waitReleased(true) // which is no reason to wait
	} else if staged := s.source.stats().Staged; staged != 3 {
		r.errorf("released before the client let the response be sent: %d of 3 tasks are staged", staged)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != head+tail {
		r.errorf("%d bytes of body, %v; want %d", len(body), err, len(head)+len(tail))
	}
	q.waitReleased(true)
	q.after.released(r.adapter.HTTP2)
	q.settle(s, true)
}

// http2Reset: a client that resets the stream has gone; its connection lives.
func http2Reset(r *run, tls bool) {
	q := r.quartet()
	s := r.serve(setup{tls: tls}, q.in(func(x Exchange) error {
		_ = say(x, block)
		x.Flush()
		if !r.within(x.Context().Done()) {
			r.errorf("the request's context did not end when the client had gone")
		}
		return nil
	}))
	c := s.http2(tls)
	resp, cancel, err := c.open("/")
	if err != nil {
		r.fatalf("%v", err)
	}
	cancel()
	_ = resp.Body.Close()
	q.waitReleased(true)
	if o := q.after.outcome; !o.Disconnected || o.Release == taskpool.ReleaseOverdue {
		r.errorf("Outcome.Disconnected is %v, Release is %v", o.Disconnected, o.Release)
	}
	q.settle(s, true)
}

func http2Interfaces(r *run, tls bool) {
	sameInterfaces(r, func(s *site) { s.http2(tls).mustGet("/") }, tls)
}
