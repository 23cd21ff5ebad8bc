package combos_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// get is a request without a body.
func get(path string, headers ...string) string { return method(http.MethodGet, path, headers...) }

func method(method, path string, headers ...string) string {
	head := append([]string{method + " " + path + " HTTP/1.1", "Host: shop.test", "Connection: close"}, headers...)
	return strings.Join(head, "\r\n") + "\r\n\r\n"
}

func post(path, body string, headers ...string) string {
	return method(http.MethodPost, path, append(headers, fmt.Sprintf("Content-Length: %d", len(body)))...) + body
}

var payload = strings.Repeat("background tasks for web servers, ", 150)

// usual is what every combo is asked.
func usual() []request {
	chunked := method(http.MethodPost, "/upload", "Transfer-Encoding: chunked", "Trailer: X-Sum") + "5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n"
	expects := method(http.MethodPost, "/upload", "Expect: 100-continue", "Content-Length: 5")
	return []request{
		{name: "text", raw: get("/text")},
		{name: "gzip", raw: get("/text", "Accept-Encoding: gzip")},
		{name: "HEAD", raw: method(http.MethodHead, "/text", "Accept-Encoding: gzip")},
		{name: "small", raw: get("/small", "Accept-Encoding: gzip", "Origin: http://shop.test")},
		{name: "empty", raw: get("/empty", "Accept-Encoding: gzip")},
		{name: "nothing written", raw: get("/nothing", "Accept-Encoding: gzip")},
		{name: "error", raw: get("/error", "Accept-Encoding: gzip")},
		{name: "redirect", raw: get("/redirect")},
		{name: "range", raw: get("/file", "Range: bytes=10-19")},
		{name: "ranges", raw: get("/file", "Range: bytes=0-4,10-19")},
		{name: "range, gzip", raw: get("/file", "Range: bytes=10-19", "Accept-Encoding: gzip")},
		{name: "range past the end", raw: get("/file", "Range: bytes=90000-")},
		{name: "not modified", raw: get("/file", `If-None-Match: "v1"`)},
		{name: "stream", raw: get("/stream", "Accept-Encoding: gzip")},
		{name: "trailers", raw: get("/trailers", "TE: trailers")},
		{name: "early hints", raw: get("/early")},
		{name: "controls", raw: get("/controls")},
		{name: "abort", raw: get("/abort")},
		{name: "POST", raw: post("/upload", "hello", "Content-Type: text/plain")},
		{name: "chunks and a trailer", raw: chunked},
		{name: "100-continue", raw: expects + pause + "hello"},
		{name: "unread", raw: post("/text", payload)},
		{name: "preflight", raw: method(http.MethodOptions, "/text", "Origin: http://shop.test", "X-None: 1")},
	}
}

// site is the handler that the combos of net/http's family share.
func (p *party) site() http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, h http.HandlerFunc) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			p.stage(r.Context())
			h(w, r)
		})
	}
	handle("/text", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, payload)
	})
	handle("/small", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":1}`)
	})
	handle("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	handle("/nothing", func(http.ResponseWriter, *http.Request) {})
	handle("/error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusBadGateway) })
	handle("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/text", http.StatusSeeOther) })
	handle("/file", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "file.txt", time.Unix(1e9, 0), strings.NewReader(payload))
	})
	handle("/stream", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			p.saw("flush %v", http.NewResponseController(w).Flush())
		}
	})
	handle("/trailers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, payload)
		w.Header().Set("X-Sum", "1")
		w.Header().Set(http.TrailerPrefix+"X-Late", "2")
	})
	handle("/early", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "made")
	})
	handle("/controls", func(w http.ResponseWriter, _ *http.Request) {
		p.saw("%s", controls(w))
		w.WriteHeader(http.StatusAccepted)
	})
	handle("/abort", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	})
	handle("/slow", func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		_, _ = io.WriteString(w, "late")
	})
	handle("/upload", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		p.saw("%d bytes %v %s, trailer %v", n, err, r.Pattern, r.Trailer)
		fmt.Fprintf(w, "%d", n)
	})
	return mux
}

// offersMore reports whether what a handler sees is all that another sees, and besides
// CloseNotifier or StringWriter: beneath an outer middleware that hides them, the
// pool's writer has them all the same, as the server's own has.
func offersMore(got, want string) bool {
	for _, extra := range []string{"CloseNotifier, ", ", StringWriter"} {
		if !strings.Contains(want, extra) {
			got = strings.Replace(got, extra, "", 1)
		}
	}
	return got == want
}

// controls is what can be done with a writer, by assertion and through its controller.
func controls(w http.ResponseWriter) string {
	var can []string
	note := func(what string, ok bool) {
		if ok {
			can = append(can, what)
		}
	}
	_, ok := w.(http.Flusher)
	note("Flusher", ok)
	_, ok = w.(http.Hijacker)
	note("Hijacker", ok)
	_, ok = w.(http.Pusher)
	note("Pusher", ok)
	_, ok = w.(http.CloseNotifier) //nolint:staticcheck // handlers assert it
	note("CloseNotifier", ok)
	_, ok = w.(io.ReaderFrom)
	note("ReaderFrom", ok)
	_, ok = w.(io.StringWriter)
	note("StringWriter", ok)
	rc := http.NewResponseController(w)
	for what, err := range map[string]error{"read deadline": rc.SetReadDeadline(time.Time{}), "write deadline": rc.SetWriteDeadline(time.Time{}), "full duplex": rc.EnableFullDuplex()} {
		if errors.Is(err, http.ErrNotSupported) {
			can = append(can, "no "+what)
		}
	}
	slices.Sort(can)
	return strings.Join(can, ", ")
}
