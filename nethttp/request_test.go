package httppool_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// handed serves one request with a handler inside of the middleware and returns the
// Request that the middleware was given.
func handed(t *testing.T, h http.HandlerFunc) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/7", nil)
	httppool.Middleware(taskpool.New(taskpool.Config{}))(h).ServeHTTP(httptest.NewRecorder(), r)
	return r
}

func TestRouteIsSeenOnTheRequestThatWasHandedIn(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{id}", func(http.ResponseWriter, *http.Request) {})
	if r := handed(t, mux.ServeHTTP); r.Pattern != "GET /{id}" || r.PathValue("id") != "7" {
		t.Errorf("got pattern %q and id %q", r.Pattern, r.PathValue("id"))
	}
}

// Nothing but the path value is changed: net/http has no other face of it.
func TestPathValueAloneIsSeenOnTheRequestThatWasHandedIn(t *testing.T) {
	r := handed(t, func(_ http.ResponseWriter, r *http.Request) { r.SetPathValue("id", "7") })
	if r.PathValue("id") != "7" {
		t.Error("got no path value")
	}
}

func TestFormsAreSeenOnTheRequestThatWasHandedIn(t *testing.T) {
	if r := handed(t, func(_ http.ResponseWriter, r *http.Request) { _ = r.ParseForm() }); r.Form == nil || r.PostForm == nil {
		t.Errorf("got forms %v and %v", r.Form, r.PostForm)
	}
}

// A handler outside may read its Request beside the ones inside: what they leave
// alone is not written. The race detector tells.
func TestRequestThatIsLeftAloneIsNotWritten(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	read, watching := make(chan struct{}), make(chan struct{})
	go func() {
		close(watching)
		for {
			select {
			case <-read:
				return
			default:
				_ = r.URL.Path + r.Pattern + r.Method
			}
		}
	}()
	<-watching
	httppool.Middleware(taskpool.New(taskpool.Config{}))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).
		ServeHTTP(httptest.NewRecorder(), r)
	close(read)
}

// … and no more than they changed: a form that was parsed is given back alone, where no ServeMux has noted its route.
func TestWhatIsGivenBackIsWrittenAlone(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/?a=b", nil)
	read, ended := make(chan struct{}), make(chan struct{})
	httppool.Middleware(taskpool.New(taskpool.Config{}))(http.HandlerFunc(func(_ http.ResponseWriter, r2 *http.Request) {
		go func() { // with no order between this and the handler's return
			defer close(ended)
			<-read
			_ = r.URL.Path + r.Pattern + r.Method + r.Host + r.Header.Get("A")
		}()
		close(read)
		_ = r2.FormValue("a")
	})).ServeHTTP(httptest.NewRecorder(), r)
	<-ended
	if r.Form.Get("a") != "b" {
		t.Errorf("got form %v", r.Form)
	}
}

func TestContextOfTheRequestThatWasHandedInStays(t *testing.T) {
	r := handed(t, func(_ http.ResponseWriter, r *http.Request) { r.Pattern = "/" })
	if s := taskpool.FromContext(r.Context()); s.Pool() != nil {
		t.Error("the Request that was handed in has the scope")
	}
}

// The preface of HTTP/2 that a handler of package h2c gets is no request.
func TestPrefaceOfHTTP2HasNoScope(t *testing.T) {
	r := &http.Request{Method: "PRI", ProtoMajor: 2, Header: http.Header{}}
	h := func(_ http.ResponseWriter, r *http.Request) {
		if taskpool.FromContext(r.Context()).Pool() != nil {
			t.Error("got a scope")
		}
	}
	httppool.Middleware(taskpool.New(taskpool.Config{}))(http.HandlerFunc(h)).ServeHTTP(httptest.NewRecorder(), r)
}

// A server that is not net/http's, as one of HTTP/3: it has the local address in its
// contexts, and ends them when the response is written.
func TestServerOfAnotherKindIsWaitedFor(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	got := make(chan taskpool.Outcome, 1)
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), http.LocalAddrContextKey, &net.UDPAddr{}))
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
	r.ProtoMajor = 3
	httppool.Middleware(p)(outcomes(t, got)).ServeHTTP(httptest.NewRecorder(), r)
	if st := p.Stats(); st.Staged != 1 {
		t.Errorf("got %+v before the response was sent, want one staged task", st)
	}
	cancel()
	if o := <-got; o.Release != taskpool.ReleaseStreamClosed || o.Disconnected {
		t.Errorf("got %+v, want one released by the stream's end", o)
	}
}

// logged is a writer for a log.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func TestLogNamesWhoWritesAHeaderOnAHijackedConnection(t *testing.T) {
	var out logged
	srv := &http.Server{ErrorLog: log.New(&out, "", 0)}
	srv.Handler = httppool.Middleware(taskpool.New(taskpool.Config{}))(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		must(t, err)
		w.WriteHeader(500)
		must(t, c.Close())
	}))
	url := start(t, srv)
	resp, err := http.Get(url)
	if err == nil {
		_ = resp.Body.Close()
		t.Error("got an answer")
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	if got := out.b.String(); !strings.Contains(got, "hijacked connection from") || !strings.Contains(got, "(request_test.go:") {
		t.Errorf("got the log %q", got)
	}
}

func TestServeWaitsForAHandlerThatATimeoutLeftRunning(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	goOn := make(chan struct{})
	inner := httppool.Middleware(p)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-goOn }))
	srv := &http.Server{Handler: http.TimeoutHandler(inner, time.Millisecond, "late")}
	ln := openDoor(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	served := make(chan error, 1)
	src := witness{p, func(context.Context) {
		select {
		case <-goOn:
		default:
			t.Error("Done is called while a handler runs")
		}
		close(done)
	}}
	go func() { served <- httppool.ServeListener(ctx, srv, ln, src, time.Minute) }()
	resp, err := http.Get("http://" + ln.Addr().String())
	must(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	must(t, resp.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	cancel()
	<-ln.closed
	close(goOn)
	<-done
	must(t, <-served)
}

func TestServeOnTwoListeners(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	srv := &http.Server{Handler: httppool.Middleware(p)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }))}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 2)
	for range 2 {
		ln := listen(t)
		go func() { served <- httppool.ServeListener(ctx, srv, ln, p, time.Minute) }()
		if got := get(t, http.DefaultClient, "http://"+ln.Addr().String()); got != "x" {
			t.Errorf("got %q", got)
		}
	}
	cancel()
	must(t, <-served)
	must(t, <-served)
}

func TestServeLeavesNoPortBound(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	ln := listen(t)
	addr := ln.Addr().String()
	for name, fails := range map[string]func() error{
		"ServeListenerTLS": func() error { return httppool.ServeListenerTLS(t.Context(), &http.Server{}, ln, "none", "none", p, 0) },
		"ServeTLS":         func() error { return httppool.ServeTLS(t.Context(), &http.Server{Addr: addr}, "none", "none", p, 0) },
	} {
		if name == "ServeTLS" {
			_ = ln.Close()
		}
		if err := fails(); err == nil {
			t.Errorf("%s: got no error", name)
		}
		again, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatalf("%s leaves the port bound: %v", name, err)
		}
		must(t, again.Close())
	}
}

// While the server pauses it says that it is not ready, and answers all the same.
func TestServePausesBetweenNotReadyAndTheEnd(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	mux := http.NewServeMux()
	mux.Handle("/readyz", httppool.Ready(ctx))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") })
	ln := openDoor(t)
	url := "http://" + ln.Addr().String()
	served := make(chan error, 1)
	began := time.Now()
	const pause = time.Second
	go func() {
		served <- httppool.ServeWith(ctx, &http.Server{Handler: httppool.Middleware(p)(mux)}, p,
			httppool.ServeOptions{Listener: ln, Pause: pause, Limit: time.Minute})
	}()
	if got := get(t, http.DefaultClient, url+"/readyz"); got != "ready\n" {
		t.Errorf("got %q before the signal", got)
	}
	cancel()
	resp, err := http.Get(url + "/readyz")
	must(t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %d in the pause, want 503", resp.StatusCode)
	}
	if got := get(t, http.DefaultClient, url); got != "served" {
		t.Errorf("got %q in the pause", got)
	}
	http.DefaultClient.CloseIdleConnections()
	<-ln.closed
	if took := time.Since(began); took < pause {
		t.Errorf("the listener is closed after %v, want no sooner than the pause", took)
	}
	must(t, <-served)
}
