package httppool_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// start serves h on a loopback listener, for as long as the test runs.
func start(t *testing.T, srv *http.Server) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	return "http://" + ln.Addr().String()
}

// get fetches a URL and returns the body.
func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(body)
}

// outcomes is a handler that stages a task which sends the request's outcome.
func outcomes(t *testing.T, to chan<- taskpool.Outcome) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		must(t, taskpool.FromContext(r.Context()).AfterResponse(func(ctx context.Context) error {
			o, _ := taskpool.FromContext(ctx).Outcome()
			to <- o
			return nil
		}))
	})
}

func TestTrackKeepsTheHooksThatWereThere(t *testing.T) {
	type userKey struct{}
	var mu sync.Mutex
	var states []http.ConnState
	got := make(chan any, 1)
	srv := &http.Server{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Context().Value(userKey{}) }),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, userKey{}, "mine")
		},
		ConnState: func(_ net.Conn, s http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, s)
		},
	}
	httppool.Track(srv)
	httppool.Track(srv)
	get(t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, start(t, srv))
	if v := <-got; v != "mine" {
		t.Errorf("ConnContext: got %v, want the user's value", v)
	}
	must(t, srv.Shutdown(t.Context()))
	mu.Lock()
	defer mu.Unlock()
	if want := []http.ConnState{http.StateNew, http.StateActive, http.StateClosed}; !slices.Equal(states, want) {
		t.Errorf("ConnState: got %v, want %v", states, want)
	}
}

func TestTrackTwiceReleasesOnce(t *testing.T) {
	got := make(chan taskpool.Outcome, 2)
	srv := &http.Server{Handler: httppool.Middleware(taskpool.New(taskpool.Config{}))(outcomes(t, got))}
	httppool.Track(srv)
	httppool.Track(srv)
	url := start(t, srv)
	for range 2 {
		get(t, http.DefaultClient, url)
		if o := <-got; !o.Exact() {
			t.Errorf("got %v, want flushed", o.Release)
		}
	}
}

// A middleware outside may hand a context on that has no end: the server is there all the same.
func TestContextWithoutAnEndStartsNothingEarly(t *testing.T) {
	for _, tracked := range []bool{false, true} {
		t.Run(fmt.Sprintf("tracked %v", tracked), func(t *testing.T) {
			got := make(chan taskpool.Outcome, 1)
			pool := taskpool.New(taskpool.Config{Grace: time.Hour})
			inner := httppool.Middleware(pool)(outcomes(t, got))
			staged := make(chan int, 1)
			srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				inner.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
				staged <- pool.Stats().Staged
			})}
			want := taskpool.ReleaseHandlerReturned
			if tracked {
				httppool.Track(srv)
				want = taskpool.ReleaseFlushed
			}
			get(t, http.DefaultClient, start(t, srv))
			if n := <-staged; n != 1 {
				t.Errorf("%d tasks are staged before the outermost handler returns, want 1", n)
			}
			if o := <-got; o.Release != want {
				t.Errorf("got %+v, want %v", o, want)
			}
		})
	}
}

func TestTrackOfNilServerIsHarmless(*testing.T) { httppool.Track(nil) }

// A handler that outlives its response, as under a timeout, must not wait for
// the next response on the connection.
func TestHandlerThatOutlivesItsResponseIsReleasedAtOnce(t *testing.T) {
	got := make(chan taskpool.Outcome, 1)
	goOn, added := make(chan struct{}), make(chan struct{})
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outcomes(t, got).ServeHTTP(w, r)
		close(added)
		<-goOn
	})
	handler := httppool.Middleware(taskpool.New(taskpool.Config{}))(inner)
	srv := &http.Server{Handler: http.TimeoutHandler(handler, time.Millisecond, "too late")}
	httppool.Track(srv)
	if body := get(t, http.DefaultClient, start(t, srv)); body != "too late" {
		t.Fatalf("got %q, want the timeout's answer", body)
	}
	<-added
	close(goOn)
	if o := <-got; !o.Expired || o.Success() || !o.Exact() {
		t.Errorf("got %+v, want an expired request released after its response", o)
	}
}

// A conn type that is no map key leaves its requests untracked.
type sliceConn struct {
	net.Conn
	_ []byte
}

type sliceListener struct{ net.Listener }

func (l sliceListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return sliceConn{Conn: c}, err
}

func TestConnThatCannotBeAKeyIsUntracked(t *testing.T) {
	got := make(chan taskpool.Outcome, 1)
	srv := &http.Server{Handler: httppool.Middleware(taskpool.New(taskpool.Config{}))(outcomes(t, got))}
	httppool.Track(srv)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go func() { _ = srv.Serve(sliceListener{ln}) }()
	t.Cleanup(func() { _ = srv.Close() })
	get(t, http.DefaultClient, "http://"+ln.Addr().String())
	if o := <-got; o.Release != taskpool.ReleaseHandlerReturned {
		t.Errorf("got %v, want handler returned", o.Release)
	}
}
