package httppool_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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

func (f *full) note(call string)                 { f.calls = append(f.calls, call) }
func (f *full) Flush()                           { f.note("Flush") }
func (f *full) FlushError() error                { f.note("FlushError"); return errNoted }
func (f *full) SetReadDeadline(time.Time) error  { f.note("SetReadDeadline"); return errNoted }
func (f *full) SetWriteDeadline(time.Time) error { f.note("SetWriteDeadline"); return errNoted }
func (f *full) EnableFullDuplex() error          { f.note("EnableFullDuplex"); return errNoted }
func (f *full) ReadFrom(r io.Reader) (int64, error) {
	f.note("ReadFrom")
	if b, _ := io.ReadAll(r); len(b) == 0 {
		return 0, nil
	}
	return 7, errNoted
}
func (f *full) CloseNotify() <-chan bool        { f.note("CloseNotify"); return nil }
func (f *full) WriteString(string) (int, error) { f.note("WriteString"); return 5, errNoted }
func (f *full) Unwrap() http.ResponseWriter     { f.note("Unwrap"); return nil }
func (f *full) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	f.note("Hijack")
	return nil, nil, errNoted
}
func (f *full) Push(string, *http.PushOptions) error { f.note("Push"); return errNoted }

// interfaces are the optional ones that w has.
func interfaces(w http.ResponseWriter) string {
	var has []string
	add := func(name string, ok bool) {
		if ok {
			has = append(has, name)
		}
	}
	_, ok := w.(http.Flusher)
	add("Flusher", ok)
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
	return strings.Join(has, " ")
}

func TestWriterHasTheInterfacesOfTheOneBelow(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	seen := map[string]bool{}
	for m := range httppool.Views {
		base := httppool.View(&full{ResponseRecorder: httptest.NewRecorder()}, m)
		_, w, _ := httppool.Begin(p, base, httptest.NewRequest(http.MethodGet, "/", nil))
		got, want := interfaces(w), interfaces(base)
		if got != want {
			t.Errorf("combination %d: got %s, want %s", m, got, want)
		}
		seen[got] = true
	}
	if len(seen) != 16 {
		t.Errorf("got %d different combinations, want 16", len(seen))
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
	rc := http.NewResponseController(w)
	check("FlushError", rc.Flush())
	check("SetReadDeadline", rc.SetReadDeadline(time.Time{}))
	check("SetWriteDeadline", rc.SetWriteDeadline(time.Time{}))
	check("EnableFullDuplex", rc.EnableFullDuplex())
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

// A partial writer has some of what a ResponseController asks for, and does not unwrap.
type partial struct{ http.ResponseWriter }

func (p partial) FlushError() error                { return nil }
func (p partial) SetWriteDeadline(time.Time) error { return nil }

func TestControllerCanWhatItCanOnTheWriterBelow(t *testing.T) {
	for name, base := range map[string]http.ResponseWriter{
		"nothing": discard{http.Header{}}, "some": partial{discard{http.Header{}}}, "all": &full{ResponseRecorder: httptest.NewRecorder()},
	} {
		_, w, _ := httppool.Begin(taskpool.New(taskpool.Config{}), base, httptest.NewRequest(http.MethodGet, "/", nil))
		for call, do := range map[string]func(*http.ResponseController) error{
			"Flush":            (*http.ResponseController).Flush,
			"EnableFullDuplex": (*http.ResponseController).EnableFullDuplex,
			"SetReadDeadline":  func(c *http.ResponseController) error { return c.SetReadDeadline(time.Time{}) },
			"SetWriteDeadline": func(c *http.ResponseController) error { return c.SetWriteDeadline(time.Time{}) },
			"Hijack":           func(c *http.ResponseController) error { _, _, err := c.Hijack(); return err },
		} {
			got, want := do(http.NewResponseController(w)), do(http.NewResponseController(base))
			if (got == nil) != (want == nil) || errors.Is(got, http.ErrNotSupported) != errors.Is(want, http.ErrNotSupported) {
				t.Errorf("%s on a writer with %s: got %v, want %v", call, name, got, want)
			}
		}
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
		"an empty reader":     {func(w http.ResponseWriter) { _, _ = w.(io.ReaderFrom).ReadFrom(http.NoBody); w.WriteHeader(404) }, 404},
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
