package pooltest

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// httpChecks are those that only the net/http family can be put to.
func httpChecks() []check {
	return []check{
		{"http/interfaces", func(r *run) {
			sameInterfaces(r, func(s *site) { s.get(s.dial(), keepAlive, "/") }, false)
		}},
		{"http/controls of a writer that has some", partialControls},
		{"http/header written twice", blamesCaller},
		{"http/body over the limit, but for Connection: close", overLimit},
		{"http/sendfile", sameSendfile},
		{"http/released by the outermost handler", outermost},
	}
}

// interfaces are the optional ones of a ResponseWriter that this one has, and
// what its ResponseController can do.
func interfaces(w http.ResponseWriter) []string {
	var has []string
	add := func(name string, ok bool) {
		if ok {
			has = append(has, name)
		}
	}
	_, ok := w.(http.Flusher)
	add("Flusher", ok)
	_, ok = w.(interface{ FlushError() error })
	add("FlushError", ok)
	_, ok = w.(http.Hijacker)
	add("Hijacker", ok)
	_, ok = w.(io.ReaderFrom)
	add("ReaderFrom", ok)
	_, ok = w.(http.Pusher)
	add("Pusher", ok)
	_, ok = w.(http.CloseNotifier) //nolint:staticcheck // deprecated, and still asked for
	add("CloseNotifier", ok)
	_, ok = w.(io.StringWriter)
	add("StringWriter", ok)
	_, ok = w.(interface{ SetReadDeadline(time.Time) error })
	add("SetReadDeadline", ok)
	_, ok = w.(interface{ SetWriteDeadline(time.Time) error })
	add("SetWriteDeadline", ok)
	_, ok = w.(interface{ EnableFullDuplex() error })
	add("EnableFullDuplex", ok)

	c := http.NewResponseController(w)
	add("controller.SetReadDeadline", c.SetReadDeadline(time.Time{}) == nil)
	add("controller.SetWriteDeadline", c.SetWriteDeadline(time.Time{}) == nil)
	add("controller.EnableFullDuplex", c.EnableFullDuplex() == nil)
	add("controller.Flush", c.Flush() == nil)
	return has
}

// sameInterfaces: the handler's writer can do what it can without the middleware, no
// less and no more. It may unwrap.
func sameInterfaces(r *run, get func(*site), tls bool) {
	var want, got []string
	into := func(has *[]string) Handler {
		return func(x Exchange) error {
			w, _ := httpOf(x)
			*has = interfaces(w)
			return nil
		}
	}
	bare := r.serve(setup{bare: true, tls: tls}, into(&want))
	get(bare)
	s := r.serve(setup{tls: tls}, into(&got))
	get(s)
	bare.finish()
	s.finish() // the handlers have returned: what they wrote may be read
	if len(want) == 0 || !slices.Equal(got, want) {
		r.errorf("the handler's writer has\n\t%s\nand without the middleware\n\t%s",
			strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// A partial writer has some of what an http.ResponseController asks for, and no Unwrap.
type partial struct{ http.ResponseWriter }

func (p partial) FlushError() error { return http.NewResponseController(p.ResponseWriter).Flush() }
func (p partial) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(p.ResponseWriter).SetWriteDeadline(t)
}

// partialControls: where a writer outside has some of the controls, they work inside,
// and a flush by way of them is seen.
func partialControls(r *run) {
	outer := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { next.ServeHTTP(partial{w}, req) })
	}
	var can [2]string
	program := func(into *string) Handler {
		return func(x Exchange) error {
			w, _ := httpOf(x)
			c := http.NewResponseController(w)
			*into = fmt.Sprint(c.SetWriteDeadline(time.Time{}) == nil, c.SetReadDeadline(time.Time{}) == nil, c.Flush() == nil)
			w.WriteHeader(http.StatusNotFound) // too late, if that has flushed
			return nil
		}
	}
	bare := r.serve(setup{bare: true, outer: outer}, program(&can[0]))
	want := bare.get(bare.dial(), keepAlive, "/")
	bare.finish()
	q := r.quartet()
	s := r.serve(setup{outer: outer}, q.in(program(&can[1])))
	r.same("a partial writer", s, s.get(s.dial(), keepAlive, "/"), bare, want)
	q.waitReleased(want.status < 400)
	if got := q.after.outcome.Status; got != want.status {
		r.errorf("Outcome.Status is %d, and the client has %d", got, want.status)
	}
	q.settle(s, want.status < 400)
	if can[0] != can[1] {
		r.errorf("the controls work: %s, and without the middleware: %s", can[1], can[0])
	}
}

// blamesCaller: the server's log names who writes the header twice as it does without
// the middleware.
func blamesCaller(r *run) {
	ask := func(s setup) string {
		before := len(r.log.String())
		site := r.serve(s, func(x Exchange) error {
			w, _ := httpOf(x)
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, "plain")
			w.WriteHeader(http.StatusNotFound)
			return nil
		})
		site.get(site.dial(), keepAlive, "/")
		site.finish()
		return r.log.String()[before:]
	}
	if want, got := ask(setup{bare: true}), ask(setup{}); got != want {
		r.errorf("the server logs %q, and without the middleware %q", got, want)
	}
}

// overLimit: an http.MaxBytesReader asks the server's own writer, through a method
// that is private, to close the connection (maxBytesReader.Read and requestTooLarge,
// Go 1.26). No other writer can have that method: this is what every middleware that
// wraps the writer loses, and nothing but this.
func overLimit(r *run) {
	program := func(x Exchange) error {
		w, req := httpOf(x)
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, req.Body, 10)); err == nil {
			r.errorf("a body over the limit is read to its end")
		}
		return answer(http.StatusRequestEntityTooLarge, "too large")(x)
	}
	request := "POST / HTTP/1.1\r\nHost: pooltest\r\nContent-Length: 100\r\n\r\n" + strings.Repeat("x", 100)
	ask := func(s *site) string {
		resp, err := s.dial().roundTrip("POST", request)
		if err != nil {
			r.fatalf("%v", err)
		}
		return strings.Replace(resp.wire, "Connection: close\r\n", "", 1)
	}
	want := ask(r.serve(setup{bare: true}, program))
	q := r.quartet()
	s := r.serve(setup{}, q.in(program))
	if got := ask(s); got != want {
		r.errorf("the client has %q, and without the middleware %q", got, want)
	}
	q.waitReleased(false)
	q.settle(s, false)
}

// sameSendfile: a file that is served reaches the connection as a file. The
// server's connection sees a call of its ReadFrom with an *os.File, which on a
// *net.TCPConn is what sendfile is made of, and sees as many calls as without
// the middleware.
func sameSendfile(r *run) {
	path := filepath.Join(r.TempDir(), "file.txt")
	content := strings.Repeat(block, 30)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		r.Fatal(err)
	}
	var asksFile atomic.Bool
	serve := func(x Exchange) error {
		w, req := httpOf(x)
		_, ok := w.(io.ReaderFrom)
		asksFile.Store(ok)
		http.ServeFile(w, req, path)
		return nil
	}
	ask := func(s *site) response {
		resp := s.get(s.dial(), keepAlive, "/")
		if resp.body != content {
			r.errorf("%d bytes of the file came, want %d", len(resp.body), len(content))
		}
		return resp
	}
	bare := r.serve(setup{bare: true}, serve)
	want := ask(bare)
	sent := slices.ContainsFunc(bare.listener.writes(1), func(w write) bool { return w.file })
	if sent != asksFile.Load() {
		r.errorf("without the middleware the writer is an io.ReaderFrom: %v; the file reaches the connection: %v",
			asksFile.Load(), sent)
	}
	q := r.quartet()
	s := r.serve(setup{}, q.in(serve))
	r.same("a file", s, ask(s), bare, want)
	q.waitReleased(true)
	q.after.released(r.adapter.Release)
	q.settle(s, true)
}

// outermost: a handler may stand around the middleware and have more to say.
// Nothing is released before it has returned.
func outermost(r *run) {
	let, in := r.gate(), r.gate()
	q := r.quartet()
	s := r.serve(setup{outer: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			next.ServeHTTP(w, req)
			in.open()
			<-let.opened
			_, _ = io.WriteString(w, ", and more")
			r.journal.note("the outermost handler returns")
		})
	}}, q.in(plain))
	c := s.dial()
	s.send(c, keepAlive, "/")
	r.wait(in.opened, "the outermost handler")
	if staged := s.source.stats().Staged; staged != 3 {
		r.errorf("released before the outermost handler has returned: %d of 3 tasks are staged", staged)
	}
	let.open()
	if resp := s.receive(c, keepAlive); resp.body != "plain, and more" {
		r.errorf("the client has %q", resp.wire)
	}
	q.waitReleased(true)
	if r.journal.index(`task "after response" starts`) < r.journal.index("the outermost handler returns") {
		r.errorf("a staged task started before the outermost handler had returned")
	}
	q.after.released(r.adapter.Release)
	q.settle(s, true)
}

// httpRows are the rows of the outcome table that need an http.ResponseWriter:
// whatever part of it is the first to be used sends a 200, and a status that is
// set later comes too late.
func httpRows() []row {
	after := func(name string, use func(w http.ResponseWriter)) row {
		return row{name: "404 after " + name, seen: true, run: func(x Exchange) error {
			w, _ := httpOf(x)
			use(w)
			w.WriteHeader(http.StatusNotFound)
			return nil
		}}
	}
	return []row{
		{name: "ErrAbortHandler", panicked: true, run: func(Exchange) error { panic(http.ErrAbortHandler) }},
		after("Flush", func(w http.ResponseWriter) {
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
			}
		}),
		after("WriteString", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "body") }),
		after("ReadFrom", func(w http.ResponseWriter) {
			// Without its WriteTo the reader leaves it to the writer's ReadFrom.
			_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader(block)})
		}),
	}
}
