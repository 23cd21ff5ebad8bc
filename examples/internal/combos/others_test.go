package combos_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// staged stages for what has no handler of its own.
func (p *party) staged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.stage(r.Context())
		next.ServeHTTP(w, r)
	})
}

func traced(h http.Handler) http.Handler { return otelhttp.NewHandler(h, "site") }

func TestOpenTelemetry(t *testing.T) {
	run(t, []combo{
		{name: "otelhttp inside", build: func(p *party) http.Handler { return p.net(traced(p.site())) }},
		{name: "otelhttp outside", build: func(p *party) http.Handler { return traced(p.net(p.site())) }},
	})
}

// proxied is a reverse proxy for what another server serves.
func proxied(t *testing.T, h http.Handler) http.Handler {
	up := httptest.NewServer(h)
	t.Cleanup(up.Close)
	u, err := url.Parse(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }}
}

func TestReverseProxy(t *testing.T) {
	up := proxied(t, (&party{t: t}).site())
	// The backend's own 100 is passed on beside the server's, if it comes before the body has been sent.
	relayed := map[string]request{"100-continue": {unlike: "one 100 or two"}}
	run(t, []combo{
		{name: "ReverseProxy", parsed: true, except: relayed, build: func(p *party) http.Handler { return p.net(p.staged(up)) }},
		{name: "ReverseProxy, traced", parsed: true, except: relayed, build: func(p *party) http.Handler { return p.net(traced(p.staged(up))) }},
		{name: "ReverseProxy in chi", parsed: true, except: relayed, build: func(p *party) http.Handler { return p.inChiWith(up) }},
	})
}

// sizes are those around the buffers of servers, and past what a form keeps in memory.
func sizes() []int {
	if inFull() {
		return []int{0, 1, 2047, 2048, 4095, 4096, 4097, 1 << 16, 1 << 20, 20 << 20}
	}
	return []int{0, 1, 4096, 1 << 20}
}

const boundary = "------------------------shop"

func form(size int) string {
	return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.jpg\"\r\n\r\n" +
		strings.Repeat("x", size) + "\r\n--" + boundary + "--\r\n"
}

func uploads() (all []request) {
	for _, size := range sizes() {
		body := strings.Repeat("x", size)
		chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", size, body)
		if size == 0 {
			chunked = "0\r\n\r\n"
		}
		of := func(what string) string { return fmt.Sprintf("%s of %d", what, size) }
		all = append(all,
			request{name: of("body"), raw: post("/upload", body)},
			request{name: of("chunked"), raw: method(http.MethodPost, "/upload", "Transfer-Encoding: chunked") + chunked},
			request{name: of("expected"), raw: method(http.MethodPost, "/upload", "Expect: 100-continue", fmt.Sprintf("Content-Length: %d", size)) + pause + body},
			request{name: of("form"), raw: post("/form", form(size), "Content-Type: multipart/form-data; boundary="+boundary)})
		if size == 0 {
			all = append(all[:len(all)-2], all[len(all)-1]) // nothing is expected of an empty body
		}
	}
	return all
}

// TestUploads has forms that spool to disk.
func TestUploads(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	tell := func(w http.ResponseWriter, name string, size int64) { fmt.Fprint(w, name, size) }
	plain := func(p *party) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/upload", p.site())
		mux.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
			p.stage(r.Context())
			if err := r.ParseMultipartForm(1 << 10); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			f := r.MultipartForm.File["photo"][0]
			tell(w, f.Filename, f.Size)
		})
		return mux
	}
	run(t, []combo{
		{name: "net/http", requests: uploads(), build: func(p *party) http.Handler { return p.net(plain(p)) }},
		{name: "net/http, traced", requests: uploads(), build: func(p *party) http.Handler { return p.net(traced(plain(p))) }},
		{name: "Gin", requests: uploads(), build: (*party).formInGin},
		{name: "Echo", requests: uploads(), build: (*party).formInEcho},
		{name: "Fiber", requests: uploads(), app: (*party).formInFiber},
		{name: "Fiber 3", requests: uploads(), app3: (*party).formInFiber3},
	})
}
