package httppool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// DefaultLimit is how long Serve takes to shut down if it is told no limit: a
// little less than the 30 s after which Kubernetes and others kill.
const DefaultLimit = 25 * time.Second

// Serve listens on srv.Addr and serves until ctx ends; then it shuts down within
// limit and returns. It tracks the server (see Track). src is the Source that the
// middleware was given; a nil one is refused with an error.
//
// Shutting down is in this order. The server accepts no more and finishes its
// requests; for that it has half of limit, then what is still open is closed, so
// that a stream cannot eat the time of the tasks. Then src.Done finishes the
// tasks with all the time that is left. If they do not end in it, Done cuts them
// short, which takes a second more for a task that does not heed its context, and
// another for a hook that hangs. A limit of 0 or less means DefaultLimit.
//
// The error joins those of serving, of the server's shutdown and of Done; it is
// nil if nothing was cut short or given up, and names the first of the tasks that
// were. What tasks returned is in no error: they are
// logged, and in the Report of src.Done, which may be called again for it. If
// it cannot listen, Serve returns the error at once and finalizes nothing.
// If somebody else shuts the server down, the same follows as when ctx ends.
func Serve(ctx context.Context, srv *http.Server, src taskpool.Source, limit time.Duration) error {
	return listen(ctx, srv, src, limit, ":http", func(ln net.Listener) error { return srv.Serve(ln) })
}

// ServeTLS is Serve over TLS, with HTTP/2. The files may be empty if
// srv.TLSConfig has certificates; see http.Server.ServeTLS.
func ServeTLS(ctx context.Context, srv *http.Server, certFile, keyFile string, src taskpool.Source, limit time.Duration) error {
	return listen(ctx, srv, src, limit, ":https", func(ln net.Listener) error { return srv.ServeTLS(ln, certFile, keyFile) })
}

// ServeListener is Serve on a listener, which it closes.
func ServeListener(ctx context.Context, srv *http.Server, ln net.Listener, src taskpool.Source, limit time.Duration) error {
	return serve(ctx, srv, src, limit, func() error { return srv.Serve(ln) })
}

// ServeListenerTLS is ServeTLS on a listener, which it closes.
func ServeListenerTLS(ctx context.Context, srv *http.Server, ln net.Listener, certFile, keyFile string, src taskpool.Source, limit time.Duration) error {
	return serve(ctx, srv, src, limit, func() error { return srv.ServeTLS(ln, certFile, keyFile) })
}

func listen(ctx context.Context, srv *http.Server, src taskpool.Source, limit time.Duration, addr string, run func(net.Listener) error) error {
	if srv == nil {
		return errNilServer
	}
	if srv.Addr != "" {
		addr = srv.Addr
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("httppool: %w", err)
	}
	return serve(ctx, srv, src, limit, func() error { return run(ln) })
}

var (
	errNilServer = errors.New("httppool: nil http.Server")
	errNilSource = errors.New("httppool: nil Source: pass the one that the middleware was given")
)

func serve(ctx context.Context, srv *http.Server, src taskpool.Source, limit time.Duration, run func() error) error {
	switch {
	case srv == nil:
		return errNilServer
	case src == nil:
		return errNilSource
	}
	if limit <= 0 {
		limit = DefaultLimit
	}
	Track(srv)
	conns := watch(srv)
	served := make(chan error, 1)
	go func() { served <- run() }()
	select {
	case <-ctx.Done():
	case failed := <-served:
		if !conns.seen.Load() && !errors.Is(failed, http.ErrServerClosed) {
			return fmt.Errorf("httppool: %w", failed)
		}
		served <- failed // for the wait in shutdown
	}
	return shutdown(srv, conns, src, limit, served)
}

// A census counts the connections of a server.
type census struct {
	seen  atomic.Bool  // there has been one
	open  atomic.Int64 // now, not counting those that were hijacked
	fresh sync.Map     // those of them that have never sent a byte
}

func watch(srv *http.Server) *census {
	c := new(census)
	next := srv.ConnState // never nil: the server is tracked
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		next(nc, state)
		keyable := reflect.TypeOf(nc).Comparable()
		switch state {
		case http.StateNew:
			c.seen.Store(true)
			c.open.Add(1)
			if keyable {
				c.fresh.Store(nc, nil)
			}
			return
		case http.StateClosed, http.StateHijacked:
			c.open.Add(-1)
		}
		if keyable {
			c.fresh.Delete(nc)
		}
	}
	return c
}

// busy reports whether a connection is open that has sent something. Shutdown
// closes the idle ones, but waits 5 s for those that are fresh, as browsers and
// clients leave them that connect in advance (net/http closeIdleConns, Go 1.26).
func (c *census) busy() bool {
	open := c.open.Load()
	c.fresh.Range(func(any, any) bool { open--; return true })
	return open > 0
}

// shutdown ends the server, then the tasks, within limit. The context that ended
// has no say in how long that takes.
func shutdown(srv *http.Server, conns *census, src taskpool.Source, limit time.Duration, served <-chan error) error {
	all, cancelAll := context.WithTimeout(context.Background(), limit)
	defer cancelAll()
	half, cancelHalf := context.WithTimeout(all, limit/2)
	defer cancelHalf()

	if held, ok := src.(interface{ Free() }); ok { // a taskpool.Hold: its requests would be cut off
		held.Free()
	}
	err := srv.Shutdown(half)
	if err != nil {
		if conns.busy() {
			err = fmt.Errorf("httppool: requests were still open at half of the limit of %v: %w", limit, err)
		} else {
			err = nil
		}
		err = errors.Join(err, srv.Close())
	}
	if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(fmt.Errorf("httppool: %w", failed), err)
	}
	_, doneErr := src.Done(all)
	return errors.Join(err, doneErr)
}
