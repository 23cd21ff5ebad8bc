package pooltest

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
)

// handedChecks: what the server and handlers outside look for in the Request that
// they handed on is there when the middleware has returned.
func handedChecks() []check {
	return []check{
		{"request/form files are removed", func(r *run) { formFiles(r, false) }},
		{"request/form files are removed, HTTP/2", func(r *run) { formFiles(r, true) }},
		{"request/route is seen outside", routeOutside},
		{"request/route is seen outside after a panic", routeOutsideOfPanic},
		{"request/trailers, announced", func(r *run) { requestTrailers(r, "Trailer: X-Sum\r\n") }},
		{"request/trailers, not announced", func(r *run) { requestTrailers(r, "") }},
	}
}

// formFiles: the server removes what it has spooled of a form.
func formFiles(r *run, http2 bool) {
	var path string
	q := r.quartet()
	s := r.serve(setup{}, q.in(func(x Exchange) error {
		_, req := httpOf(x)
		if err := req.ParseMultipartForm(1); err != nil {
			r.errorf("ParseMultipartForm: %v", err)
			return nil
		}
		f, err := req.MultipartForm.File["f"][0].Open()
		if err != nil {
			r.errorf("the form's file: %v", err)
			return nil
		}
		defer f.Close()
		if file, ok := f.(*os.File); ok {
			path = file.Name()
		} else {
			r.errorf("the form's file is a %T, not spooled", f)
		}
		return plain(x)
	}))
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("f", "f.bin")
	if err != nil {
		r.Fatal(err)
	}
	_, _ = part.Write(make([]byte, 1<<10)) // more than ParseMultipartForm is told to keep in memory: the 10 MB beside that are not for files
	_ = w.Close()
	if http2 {
		c := s.http2(false)
		resp, err := (&http.Client{Transport: c.transport, Timeout: r.patience}).Post(c.url+"/", w.FormDataContentType(), &form)
		if err != nil {
			r.fatalf("%v", err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	} else {
		c := s.dial()
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: pooltest\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", w.FormDataContentType(), form.Len())
		_, _ = c.Write(form.Bytes())
		if resp, err := c.receive("POST"); err != nil || resp.body != "plain" {
			r.fatalf("%q, %v", resp.wire, err)
		}
	}
	q.waitReleased(true)
	if !r.adapter.CopiesRequest && !r.eventually(func() bool { _, err := os.Stat(path); return os.IsNotExist(err) }) {
		r.errorf("the file %s of a form is left", path)
		_ = os.Remove(path)
	}
	q.settle(s, true)
}

// route sets what a router sets.
func route(x Exchange) {
	_, req := httpOf(x)
	req.Pattern = "GET /{id}"
	req.SetPathValue("id", "7")
}

// watchRoute is a handler outside that reads the route when what is inside has returned.
func watchRoute(into *string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			defer func() { *into = req.Pattern + " " + req.PathValue("id") }()
			next.ServeHTTP(w, req)
		})
	}
}

func routeOutside(r *run) { sameRoute(r, plain, true) }

func routeOutsideOfPanic(r *run) {
	sameRoute(r, func(Exchange) error { panic("pooltest: wanted") }, false)
}

func sameRoute(r *run, h Handler, success bool) {
	var want, got string
	routed := func(x Exchange) error {
		route(x)
		return h(x)
	}
	bare := r.serve(setup{bare: true, outer: watchRoute(&want)}, routed)
	bare.get(bare.dial(), keepAlive, "/")
	bare.finish()
	q := r.quartet()
	s := r.serve(setup{outer: watchRoute(&got)}, q.in(routed))
	s.get(s.dial(), keepAlive, "/")
	q.waitReleased(success)
	q.settle(s, success)
	if got != want || (want == " ") != r.adapter.CopiesRequest {
		r.errorf("a handler outside reads the route %q, and without the middleware %q", got, want)
	}
}

// requestTrailers: the trailers of a request are seen by the handler and outside.
func requestTrailers(r *run, announced string) {
	request := "POST / HTTP/1.1\r\nHost: pooltest\r\n" + announced +
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n"
	ask := func(bare bool) string {
		var outside, inside string
		q := r.quartet()
		s := r.serve(setup{bare: bare, outer: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				next.ServeHTTP(w, req)
				outside = req.Trailer.Get("X-Sum")
			})
		}}, q.in(func(x Exchange) error {
			_, req := httpOf(x)
			_, err := io.Copy(x, req.Body)
			inside = req.Trailer.Get("X-Sum")
			return err
		}))
		resp, err := s.dial().roundTrip("POST", request)
		if err != nil || !strings.Contains(resp.body, "hello") {
			r.fatalf("%q, %v", resp.wire, err)
		}
		if bare {
			s.finish()
		} else {
			q.waitReleased(true)
			q.settle(s, true)
		}
		return inside + " inside, " + outside + " outside"
	}
	stale := r.adapter.CopiesRequest && announced == "" // the copy was made before they came
	if want, got := ask(true), ask(false); got != want || (want == "42 inside, 42 outside") == stale {
		r.errorf("the trailer is %s, and without the middleware %s", got, want)
	}
}
