package pooltest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A program is what a handler does, and what a client then sees.
type program struct {
	name   string
	run    Handler
	status int
	body   string
	own    bool // the body is the framework's: only the bare one says what it is
	length bool // it sets the Content-Length itself
	early  bool // it sends a 103
	panics bool
}

// plain answers with 200 and a few bytes.
func plain(x Exchange) error {
	_, err := io.WriteString(x, "plain")
	return err
}

var (
	block    = strings.Repeat("0123456789abcdef", 200) // 3200 bytes
	errWant  = errors.New("pooltest: the error of the handler")
	programs = []program{
		{name: "small", status: 200, body: "plain", run: plain},
		{name: "chunked", status: 200, body: block + block + block, run: func(x Exchange) error {
			return say(x, block, block, block)
		}},
		{name: "content-length", status: 200, body: block + block, length: true, run: func(x Exchange) error {
			x.SetHeader("Content-Length", fmt.Sprint(2*len(block)))
			return say(x, block, block)
		}},
		{name: "204", status: 204, run: answer(204, "")},
		{name: "304", status: 304, run: answer(304, "")},
		{name: "empty", status: 200, run: func(Exchange) error { return nil }},
		{name: "4xx", status: 404, body: "no", run: answer(404, "no")},
		{name: "500", status: 500, body: "failed", run: answer(500, "failed")},
		{name: "103 then 201", status: 201, body: "made", early: true, run: func(x Exchange) error {
			x.SetHeader("Link", "</style.css>; rel=preload")
			x.Status(http.StatusEarlyHints)
			return answer(201, "made")(x)
		}},
		{name: "SSE", status: 200, body: "data: 0\n\ndata: 1\n\ndata: 2\n\n", run: func(x Exchange) error {
			x.SetHeader("Content-Type", "text/event-stream")
			for i := range 3 {
				fmt.Fprintf(x, "data: %d\n\n", i)
				x.Flush()
			}
			return nil
		}},
		{name: "error", status: 500, own: true, run: func(Exchange) error { return errWant }},
		{name: "panic", status: 500, own: true, panics: true, run: func(Exchange) error { panic("pooltest: wanted") }},
	}
)

func answer(status int, body string) Handler {
	return func(x Exchange) error {
		x.Status(status)
		if body == "" {
			return nil
		}
		return say(x, body)
	}
}

func say(x Exchange, parts ...string) error {
	for _, s := range parts {
		if _, err := io.WriteString(x, s); err != nil {
			return err
		}
	}
	return nil
}

// success is whether the pool has to take it for one.
func (p program) success() bool { return p.status < 400 }

// verify checks what the client has.
func (p program) verify(r *run, m mode, got response) {
	r.Helper()
	if p.panics && r.adapter.Recovery == NoRecovery {
		if !got.cut || got.wire != "" {
			r.errorf("after a panic the client has %q, want the end of the connection", got.wire)
		}
		return
	}
	if got.cut {
		r.errorf("the response was cut: %q", got.wire)
	}
	if got.status != p.status {
		r.errorf("status %d, want %d", got.status, p.status)
	}
	want := p.body
	if m.method == "HEAD" {
		want = ""
	}
	if got.body != want && !p.own {
		r.errorf("body %q, want %q", got.body, want)
	}
	if early := len(got.early) == 1 && got.early[0] == http.StatusEarlyHints; early != (p.early && !r.adapter.NoInformational) {
		r.errorf("1xx before the response: %v", got.early)
	}
	if closes := m.version == "1.0" || m.header != ""; closes != got.closed {
		r.errorf("the connection was closed: %v, want %v", got.closed, closes)
	}
}
