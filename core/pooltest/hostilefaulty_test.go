package pooltest_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
)

// The parts of adapters that are faulty only where clients are hostile.

// overHTTP1 serves an adapter's handler over HTTP/1 alone: after HTTP/2 it takes
// longer to shut down than the kit's tests wait for what is wrong.
func overHTTP1(a pooltest.Adapter) pooltest.Adapter {
	handler, server := a.Handler, a.Server
	a.Handler, a.Server, a.HTTP2 = nil, nil, 0
	a.Serve = func(t testing.TB, ln net.Listener, h pooltest.Handler, srcs ...taskpool.Source) (stop func()) {
		srv := &http.Server{Handler: handler(h, srcs...)}
		if server != nil {
			server(srv)
		}
		return serveHTTP1(t, srv, ln)
	}
	return a
}

// whenGone is what is done about a client that has gone when the handler returns.
func whenGone(do func(next http.Handler, w http.ResponseWriter, r *http.Request)) func(http.Handler, http.ResponseWriter, *http.Request) {
	return func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if r.Context().Err() != nil {
			do(next, w, r)
		}
	}
}

func runAgain(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) }

// stageAgain means to save what is staged.
func stageAgain(_ http.Handler, _ http.ResponseWriter, r *http.Request) {
	s := taskpool.FromContext(r.Context())
	_ = s.Submit(s.Pending()...)
}

// fail takes a client that has gone for a failure.
func fail(_ http.Handler, _ http.ResponseWriter, r *http.Request) {
	taskpool.FromContext(r.Context()).Fail(errors.New("the client has gone"))
}

// forsake does not tell the scope that the handler has returned if the client has gone.
func forsake(src taskpool.Source, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, x := src.Begin(r.Context())
		seen := new(observed)
		panicked := true
		defer func() {
			if r.Context().Err() != nil {
				return
			}
			x.Returned(taskpool.Outcome{Status: cmp.Or(seen.status, http.StatusOK), Panicked: panicked})
			context.AfterFunc(r.Context(), func() { x.Sent(taskpool.ReleaseHandlerReturned) })
		}()
		next.ServeHTTP(seen.wrap(w), r.WithContext(ctx))
		panicked = false
	})
}

// readRest reads what the handler has left of the body.
func readRest(next http.Handler, w http.ResponseWriter, r *http.Request) {
	next.ServeHTTP(w, r)
	_, _ = io.Copy(io.Discard, r.Body)
}

// keeping never forgets a scope.
func keeping() middleware {
	var mu sync.Mutex
	var all []taskpool.Exchange
	return on(func(src taskpool.Source) taskpool.Source {
		return source{src, func(ctx context.Context) (context.Context, taskpool.Exchange) {
			ctx, x := src.Begin(ctx)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, x)
			return ctx, x
		}}
	})
}

func hostileFaults() []fault {
	return []fault{
		{"a handler runs again when its client has gone",
			overHTTP1(adapter("", around(whenGone(runAgain)))), "hostile", "the handler runs twice for one request"},
		{"what is staged is staged again when the client has gone",
			overHTTP1(adapter("", within(whenGone(stageAgain)))), "hostile", "2 times run; want succeeded, 1 times"},
		{"tasks are lost when the client has gone",
			overHTTP1(adapter("", forsake)), "hostile", "canceled, 0 times run"},
		{"a client that has gone is taken for a failure",
			overHTTP1(adapter("", within(whenGone(fail)))), "hostile", "discarded, 0 times run; want succeeded"},
		{"not released while the body is withheld",
			overHTTP1(adapter("", within(readRest))), "hostile", "withholds a body: nothing that was staged has run"},
		{"not released while the body is withheld, and the sweep is missing",
			overHTTP1(exact("", on(noSweep))), "hostile", "withholds a body: nothing that was staged has run"},
		{"tasks are lost with a stream that is reset",
			adapter("", forsake), "hostile", "h2c with a pool for each request: /"},
	}
}

// What leaks shows only if nothing else is wrong, and is counted for the whole
// process: these do not run beside others.
func TestLeakUnderHostileClientsIsFound(t *testing.T) {
	let := make(chan struct{})
	var sockets []net.Listener
	var mu sync.Mutex
	t.Cleanup(func() {
		close(let)
		for _, ln := range sockets {
			_ = ln.Close()
		}
	})
	leave := func(http.Handler, http.ResponseWriter, *http.Request) { go func() { <-let }() }
	open := func(http.Handler, http.ResponseWriter, *http.Request) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		sockets = append(sockets, ln)
	}
	for _, f := range []fault{
		{"a goroutine", overHTTP1(adapter("", around(whenGone(leave)))), "hostile", "goroutines are left"},
		{"a pool", overHTTP1(adapter("", keeping())), "hostile", "a pool that is done is still held by something"},
		{"a file descriptor", overHTTP1(adapter("", around(whenGone(open)))), "hostile", "file descriptors are left: "},
	} {
		t.Run(f.name, func(t *testing.T) { f.find(t, 2*time.Second) })
	}
}
