package pooltest

import (
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
	_, ok = w.(interface{ Unwrap() http.ResponseWriter })
	add("Unwrap", ok)

	c := http.NewResponseController(w)
	add("controller.SetReadDeadline", c.SetReadDeadline(time.Time{}) == nil)
	add("controller.SetWriteDeadline", c.SetWriteDeadline(time.Time{}) == nil)
	add("controller.EnableFullDuplex", c.EnableFullDuplex() == nil)
	add("controller.Flush", c.Flush() == nil)
	return has
}

// sameInterfaces: the handler's writer can do what it can without the
// middleware, no less and no more.
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
