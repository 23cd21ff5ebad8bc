package httppool_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// full is a ResponseWriter with every optional interface; it notes what is called.
type full struct {
	*httptest.ResponseRecorder
	calls []string
}

var errNoted = errors.New("noted")

func (f *full) note(call string)                    { f.calls = append(f.calls, call) }
func (f *full) Flush()                              { f.note("Flush") }
func (f *full) FlushError() error                   { f.note("FlushError"); return errNoted }
func (f *full) SetReadDeadline(time.Time) error     { f.note("SetReadDeadline"); return errNoted }
func (f *full) SetWriteDeadline(time.Time) error    { f.note("SetWriteDeadline"); return errNoted }
func (f *full) EnableFullDuplex() error             { f.note("EnableFullDuplex"); return errNoted }
func (f *full) ReadFrom(r io.Reader) (int64, error) { f.note("ReadFrom"); return 7, errNoted }
func (f *full) CloseNotify() <-chan bool            { f.note("CloseNotify"); return nil }
func (f *full) WriteString(string) (int, error)     { f.note("WriteString"); return 5, errNoted }
func (f *full) Unwrap() http.ResponseWriter         { f.note("Unwrap"); return nil }
func (f *full) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	f.note("Hijack")
	return nil, nil, errNoted
}
func (f *full) Push(string, *http.PushOptions) error { f.note("Push"); return errNoted }

// interfaces lists the methods of w.
func interfaces(w http.ResponseWriter) (names []string) {
	t := reflect.TypeOf(w)
	for i := range t.NumMethod() {
		names = append(names, t.Method(i).Name)
	}
	return names
}

func TestWriterHasExactlyTheInterfacesOfTheOneBelow(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	seen := map[string]bool{}
	for m := range httppool.Wrappers {
		base := httppool.View(&full{ResponseRecorder: httptest.NewRecorder()}, m)
		_, w, _ := httppool.Begin(p, base, httptest.NewRequest(http.MethodGet, "/", nil))
		got, want := strings.Join(interfaces(w), " "), strings.Join(interfaces(base), " ")
		if got != want {
			t.Errorf("combination %d: got %s, want %s", m, got, want)
		}
		seen[got] = true
	}
	if len(seen) != httppool.Wrappers {
		t.Errorf("got %d different combinations, want %d", len(seen), httppool.Wrappers)
	}
}

func TestWriterHandsEveryCallDown(t *testing.T) {
	f := &full{ResponseRecorder: httptest.NewRecorder()}
	_, w, _ := httppool.Begin(taskpool.New(taskpool.Config{}), f, httptest.NewRequest(http.MethodGet, "/", nil))
	check := func(call string, err error) {
		t.Helper()
		if len(f.calls) == 0 || f.calls[len(f.calls)-1] != call || !errors.Is(err, errNoted) {
			t.Errorf("%s: got calls %v and error %v", call, f.calls, err)
		}
	}
	w.(http.Flusher).Flush()
	check("Flush", errNoted)
	check("FlushError", w.(interface{ FlushError() error }).FlushError())
	check("SetReadDeadline", w.(interface{ SetReadDeadline(time.Time) error }).SetReadDeadline(time.Time{}))
	check("SetWriteDeadline", w.(interface{ SetWriteDeadline(time.Time) error }).SetWriteDeadline(time.Time{}))
	check("EnableFullDuplex", w.(interface{ EnableFullDuplex() error }).EnableFullDuplex())
	n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))
	check("ReadFrom", err)
	if n != 7 {
		t.Errorf("ReadFrom: got %d, want 7", n)
	}
	w.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // it is there, so it is handed down
	check("CloseNotify", errNoted)
	_, err = w.(io.StringWriter).WriteString("hello")
	check("WriteString", err)
	_, _, err = w.(http.Hijacker).Hijack()
	check("Hijack", err)
	check("Push", w.(http.Pusher).Push("/", nil))
	if got := w.(interface{ Unwrap() http.ResponseWriter }).Unwrap(); got != http.ResponseWriter(f) {
		t.Errorf("Unwrap: got %v, want the writer below", got)
	}
}

func TestStatusIsTheFirstFinalOne(t *testing.T) {
	for name, c := range map[string]struct {
		write func(w http.ResponseWriter)
		want  int
	}{
		"nothing":             {func(http.ResponseWriter) {}, 200},
		"a body":              {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") }, 200},
		"bytes":               {func(w http.ResponseWriter) { _, _ = w.Write(nil) }, 200},
		"a reader":            {func(w http.ResponseWriter) { _, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("x")) }, 200},
		"a flush":             {func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }, 200},
		"early hints":         {func(w http.ResponseWriter) { w.WriteHeader(103); w.WriteHeader(404) }, 404},
		"twice":               {func(w http.ResponseWriter) { w.WriteHeader(201); w.WriteHeader(500) }, 201},
		"after a body":        {func(w http.ResponseWriter) { _, _ = w.Write(nil); w.WriteHeader(500) }, 200},
		"switching protocols": {func(w http.ResponseWriter) { w.WriteHeader(101) }, 101},
	} {
		t.Run(name, func(t *testing.T) {
			f := &full{ResponseRecorder: httptest.NewRecorder()}
			ended := make(chan taskpool.Outcome, 1)
			h := httppool.Middleware(taskpool.New(taskpool.Config{}))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				must(t, taskpool.FromContext(r.Context()).AfterResponse(func(ctx context.Context) error {
					o, _ := taskpool.FromContext(ctx).Outcome()
					ended <- o
					return nil
				}))
				c.write(w)
			}))
			h.ServeHTTP(f, httptest.NewRequest(http.MethodGet, "/", nil))
			if got := <-ended; got.Status != c.want || got.Release != taskpool.ReleaseNoServer {
				t.Errorf("got %+v, want status %d released by no server", got, c.want)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// discard is the least a ResponseWriter can be.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func TestRequestWithoutTasksCostsTwoAllocations(t *testing.T) {
	h := httppool.Middleware(taskpool.New(taskpool.Config{}))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w, r := discard{http.Header{}}, httptest.NewRequest(http.MethodGet, "/", nil)
	if got := testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }); got > 2 {
		t.Errorf("got %v allocations, want at most 2: the scope, and the observer with the request's copy", got)
	}
}

func BenchmarkRequestWithoutTasks(b *testing.B) {
	h := httppool.Middleware(taskpool.New(taskpool.Config{}))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w, r := discard{http.Header{}}, httptest.NewRequest(http.MethodGet, "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
