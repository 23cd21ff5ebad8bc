package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// patience bounds what a test waits for. It is no measure of anything.
const patience = time.Minute

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Error("what was waited for does not come") // not Fatal: most who wait are handlers
	}
}

// A counter counts what is sent through it.
type counter struct {
	http.RoundTripper
	sent atomic.Int64
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.sent.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// start serves product on upstreams that answer as these handlers do, and checks at the end that no goroutine is left.
func start(t *testing.T, c taskpool.Config, handlers ...http.HandlerFunc) (srv *httptest.Server, pool *taskpool.Pool, calls *counter) {
	t.Helper()
	before := runtime.NumGoroutine()
	mux := http.NewServeMux()
	up := httptest.NewServer(mux)
	var us []upstream
	for i, h := range handlers {
		name := string(rune('a' + i))
		mux.HandleFunc("/"+name, h)
		us = append(us, upstream{name, up.URL + "/" + name})
	}
	calls = &counter{RoundTripper: up.Client().Transport}
	c.Logger = slog.New(slog.DiscardHandler)
	pool = taskpool.New(c)
	srv = httptest.NewServer(httppool.Middleware(pool)(product(&http.Client{Transport: calls}, us)))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := pool.Done(ctx); err != nil {
			t.Error(err)
		}
		srv.Close() // which waits for connections, but not for their goroutines to return
		up.Close()
		for runtime.NumGoroutine() > before {
			runtime.Gosched()
			if ctx.Err() != nil {
				stacks := make([]byte, 1<<16)
				t.Fatalf("%d goroutines, want %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
	return srv, pool, calls
}

func get200(t *testing.T, srv *httptest.Server) string {
	t.Helper()
	status, body := fetch(t, srv)
	if status != http.StatusOK {
		t.Errorf("got %d %q, want 200", status, body)
	}
	return body
}

func fetch(t *testing.T, srv *httptest.Server) (status int, body string) {
	t.Helper()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(text)
}

func TestPartsStandInTheirOrder(t *testing.T) {
	b, c := make(chan struct{}), make(chan struct{}) // closed as they answer: the last comes first
	srv, _, _ := start(t, taskpool.Config{Workers: 3},
		func(w http.ResponseWriter, _ *http.Request) { await(t, b); fmt.Fprint(w, 1) },
		func(w http.ResponseWriter, _ *http.Request) { await(t, c); fmt.Fprint(w, 2); close(b) },
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, 3); close(c) },
	)
	if got, want := get200(t, srv), "a: 1\nb: 2\nc: 3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWorkersBoundTheCallsOfAllRequests(t *testing.T) {
	const workers, requests = 4, 20
	var mu sync.Mutex // protects following fields
	calls, running, most := 0, 0, 0
	full := make(chan struct{}) // closed when as many calls as may run do
	h := func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		calls++
		running++
		most = max(most, running)
		if calls == workers {
			close(full)
		}
		mu.Unlock()
		await(t, full)
		mu.Lock()
		running--
		mu.Unlock()
	}
	srv, _, _ := start(t, taskpool.Config{Workers: workers}, h, h, h)
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() { get200(t, srv) })
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	if calls != 3*requests || most != workers {
		t.Errorf("got %d calls, %d at once, want %d and %d", calls, most, 3*requests, workers)
	}
}

func TestFirstErrorAnswersAndCancelsTheRest(t *testing.T) {
	called, gone := make(chan struct{}), make(chan struct{})
	srv, pool, calls := start(t, taskpool.Config{Workers: 2},
		func(_ http.ResponseWriter, r *http.Request) { close(called); await(t, r.Context().Done()); close(gone) },
		func(w http.ResponseWriter, _ *http.Request) { await(t, called); http.Error(w, "", http.StatusTeapot) },
		func(http.ResponseWriter, *http.Request) {}, // queued meanwhile
	)
	status, body := fetch(t, srv)
	if status != http.StatusBadGateway || body != "b: got 418 I'm a teapot\n" {
		t.Errorf("got %d %q, want 502 and the first error", status, body)
	}
	await(t, gone)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if r, err := pool.Drain(ctx); r.Failed != 3 || err != nil {
		t.Errorf("got %+v, %v, want three that failed", r, err)
	}
	if got := calls.sent.Load(); got != 2 {
		t.Errorf("got %d calls, want none after the first error", got)
	}
}

func TestOverloadAnswers503AndCancelsTheRest(t *testing.T) {
	gone := make(chan struct{}, 1)
	h := func(_ http.ResponseWriter, r *http.Request) { await(t, r.Context().Done()); gone <- struct{}{} }
	srv, pool, _ := start(t, taskpool.Config{Workers: 1, QueueLimit: 1}, h, h, h)
	status, body := fetch(t, srv)
	if status != http.StatusServiceUnavailable || !strings.Contains(body, taskpool.ErrOverloaded.Error()) {
		t.Errorf("got %d %q, want 503", status, body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if r, err := pool.Drain(ctx); r.Failed != 2 || err != nil {
		t.Errorf("got %+v, %v, want two that failed", r, err)
	}
}

func TestClientThatGoesCancelsTheCalls(t *testing.T) {
	called, gone := make(chan struct{}), make(chan struct{})
	srv, _, _ := start(t, taskpool.Config{},
		func(_ http.ResponseWriter, r *http.Request) { close(called); await(t, r.Context().Done()); close(gone) },
	)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-called
		cancel()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := srv.Client().Do(req); err == nil {
		resp.Body.Close()
		t.Error("there is an answer for nobody")
	}
	await(t, gone)
}
