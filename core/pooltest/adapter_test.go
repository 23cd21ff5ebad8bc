package pooltest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
)

// A middleware is a small adapter for net/http, enough for the kit.
type middleware func(src taskpool.Source, next http.Handler) http.Handler

func adapter(name string, m middleware) pooltest.Adapter {
	return pooltest.Adapter{
		Name: name,
		Handler: func(h pooltest.Handler, srcs ...taskpool.Source) http.Handler {
			return m.install(pooltest.HTTP(h), srcs)
		},
		Release: taskpool.ReleaseHandlerReturned,
		HTTP2:   taskpool.ReleaseHandlerReturned,
		Hijack:  taskpool.ReleaseHandlerReturned,
	}
}

func (m middleware) install(next http.Handler, srcs []taskpool.Source) http.Handler {
	for _, src := range slices.Backward(srcs) {
		next = m(src, next)
	}
	return next
}

// exact is adapter for a middleware on a server that tells of its connections.
func exact(name string, m middleware) pooltest.Adapter {
	a := adapter(name, m)
	a.Release, a.Server = taskpool.ReleaseFlushed, track
	return a
}

// observe is the correct middleware. On a server that track prepared it is exact.
func observe(src taskpool.Source, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve(src, next, w, r, func(base context.Context, x taskpool.Exchange, hijacked bool) {
			c, _ := base.Value(connKey{}).(*tracked)
			if c == nil || hijacked || r.ProtoMajor != 1 || base.Err() != nil {
				context.AfterFunc(base, func() { x.Sent(taskpool.ReleaseHandlerReturned) })
				return
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.waiting = append(c.waiting, x)
		})
	})
}

// serve is all but the trigger.
func serve(src taskpool.Source, next http.Handler, w http.ResponseWriter, r *http.Request,
	arm func(base context.Context, x taskpool.Exchange, hijacked bool)) {
	serveHeld(src, next, w, r, flushAndHold, arm)
}

// A holding flushes the response and holds the request, or reports that it did not.
type holding func(w http.ResponseWriter, x taskpool.Exchange, panicked, hijacked bool) bool

func flushAndHold(w http.ResponseWriter, x taskpool.Exchange, panicked, hijacked bool) bool {
	if !x.Held() || panicked || hijacked || http.NewResponseController(w).Flush() != nil {
		return false
	}
	x.Hold()
	return true
}

// serveHeld is all but the trigger, and what is done about a Hold.
func serveHeld(src taskpool.Source, next http.Handler, w http.ResponseWriter, r *http.Request,
	hold holding, arm func(base context.Context, x taskpool.Exchange, hijacked bool)) {
	base := r.Context()
	ctx, x := src.Begin(base)
	seen := new(observed)
	panicked := true
	defer func() {
		status := seen.status
		if status == 0 && !panicked && !seen.hijacked {
			status = http.StatusOK
		}
		hasTasks := x.Returned(taskpool.Outcome{Status: status, Panicked: panicked, Disconnected: errors.Is(base.Err(), context.Canceled)})
		if !hold(w, x, panicked, seen.hijacked) && hasTasks {
			arm(base, x, seen.hijacked)
		}
	}()
	next.ServeHTTP(seen.wrap(w), r.WithContext(ctx))
	panicked = false
}

// observed is what was seen of a response.
type observed struct {
	status   int
	hijacked bool
}

func (o *observed) header(code int) {
	if o.status == 0 && code >= 200 {
		o.status = code
	}
}

// The optional interfaces of the two writers of net/http.
type (
	common interface {
		http.ResponseWriter
		http.Flusher
		http.CloseNotifier //nolint:staticcheck // as the writers have it
		io.StringWriter
		FlushError() error
		SetReadDeadline(time.Time) error
		SetWriteDeadline(time.Time) error
		EnableFullDuplex() error
	}
	http1 interface {
		common
		http.Hijacker
		io.ReaderFrom
	}
	http2 interface {
		common
		http.Pusher
	}
	writer struct {
		http.ResponseWriter
		*observed
	}
	writer1 struct {
		http1
		*observed
	}
	writer2 struct {
		http2
		*observed
	}
)

func (o *observed) wrap(w http.ResponseWriter) http.ResponseWriter {
	switch w := w.(type) {
	case http1:
		return writer1{w, o}
	case http2:
		return writer2{w, o}
	}
	return writer{w, o}
}

func (w writer) WriteHeader(code int)  { w.header(code); w.ResponseWriter.WriteHeader(code) }
func (w writer1) WriteHeader(code int) { w.header(code); w.http1.WriteHeader(code) }
func (w writer2) WriteHeader(code int) { w.header(code); w.http2.WriteHeader(code) }

// The first of these that is called sends the implicit 200.

func (w writer) Write(p []byte) (int, error)  { w.header(200); return w.ResponseWriter.Write(p) }
func (w writer1) Write(p []byte) (int, error) { w.header(200); return w.http1.Write(p) }
func (w writer2) Write(p []byte) (int, error) { w.header(200); return w.http2.Write(p) }

func (w writer1) Flush()            { w.header(200); w.http1.Flush() }
func (w writer2) Flush()            { w.header(200); w.http2.Flush() }
func (w writer1) FlushError() error { w.header(200); return w.http1.FlushError() }
func (w writer2) FlushError() error { w.header(200); return w.http2.FlushError() }

func (w writer1) WriteString(s string) (int, error) { w.header(200); return w.http1.WriteString(s) }
func (w writer2) WriteString(s string) (int, error) { w.header(200); return w.http2.WriteString(s) }

func (w writer1) ReadFrom(r io.Reader) (int64, error) { w.header(200); return w.http1.ReadFrom(r) }

// track has observe be exact: it releases when the server says that it is idle,
// or that the connection is closed.
func track(srv *http.Server) {
	var conns sync.Map // net.Conn to *tracked
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		c := new(tracked)
		conns.Store(nc, c)
		return context.WithValue(ctx, connKey{}, c)
	}
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		if c, ok := conns.Load(nc); ok && state >= http.StateIdle {
			c.(*tracked).release()
		}
	}
}

type connKey struct{}

type tracked struct {
	mu      sync.Mutex
	waiting []taskpool.Exchange
}

func (c *tracked) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.waiting {
		x.Sent(taskpool.ReleaseFlushed)
	}
	c.waiting = nil
}

func (w writer1) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hijacked = true
	return w.http1.Hijack()
}
