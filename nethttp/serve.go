package httppool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// DefaultLimit is how long Serve takes to shut down if it is told no limit: a
// little less than the 30 s after which Kubernetes and others kill.
const DefaultLimit = 25 * time.Second

// Serve listens on srv.Addr and serves until ctx ends; then it shuts down within
// limit and returns. It tracks the server (see Track). src is the Source that the
// middleware was given; a nil one is refused with an error. A process with several
// of them joins them: see taskpool.JoinSources.
//
// Shutting down is in this order. The server accepts no more and finishes its
// requests; for that it has half of limit, then what is still open is closed, so
// that a stream cannot eat the time of the tasks. Handlers that still run are waited
// for as long, be it on a connection that was hijacked by package h2c; a hijacked
// connection itself, such as a WebSocket, is left alone, as by http.Server.Shutdown:
// srv.RegisterOnShutdown tells it. Then src.Done finishes the
// tasks with all the time that is left. If they do not end in it, Done cuts them
// short, which takes a second more for a task that does not heed its context, and
// another for a hook that hangs. A limit of 0 or less means DefaultLimit.
//
// The error joins those of serving, of the server's shutdown and of Done; it is
// nil if nothing was cut short or given up, and names the first of the tasks that
// were. What tasks returned is in no error: they are
// logged, and in the Report of src.Done, which may be called again for it. If
// it cannot listen, Serve returns the error at once and finalizes nothing.
// If somebody else shuts the server down, the same follows as when ctx ends. A server
// may be served on several listeners at once.
func Serve(ctx context.Context, srv *http.Server, src taskpool.Source, limit time.Duration) error {
	return ServeWith(ctx, srv, src, ServeOptions{Limit: limit})
}

// ServeTLS is Serve over TLS, with HTTP/2. The files may be empty if
// srv.TLSConfig has certificates; see http.Server.ServeTLS.
func ServeTLS(ctx context.Context, srv *http.Server, certFile, keyFile string, src taskpool.Source, limit time.Duration) error {
	return ServeWith(ctx, srv, src, ServeOptions{TLS: true, CertFile: certFile, KeyFile: keyFile, Limit: limit})
}

// ServeListener is Serve on a listener, which it closes.
func ServeListener(ctx context.Context, srv *http.Server, ln net.Listener, src taskpool.Source, limit time.Duration) error {
	return ServeWith(ctx, srv, src, ServeOptions{Listener: ln, Limit: limit})
}

// ServeListenerTLS is ServeTLS on a listener, which it closes.
func ServeListenerTLS(ctx context.Context, srv *http.Server, ln net.Listener, certFile, keyFile string, src taskpool.Source, limit time.Duration) error {
	return ServeWith(ctx, srv, src, ServeOptions{Listener: ln, TLS: true, CertFile: certFile, KeyFile: keyFile, Limit: limit})
}

// ServeOptions are those of ServeWith. The zero value is what Serve does.
type ServeOptions struct {
	Listener net.Listener // where to serve; it is closed. nil means to listen on srv.Addr

	TLS      bool   // serve over TLS, with HTTP/2
	CertFile string // see http.Server.ServeTLS; may be empty if srv.TLSConfig has certificates
	KeyFile  string

	// Pause is how long the server goes on as ever when ctx has ended, before it
	// accepts no more: the time that a load balancer takes to notice that the
	// process is not Ready and to send no more requests. 0 or less means none.
	Pause time.Duration

	// Limit is how long the shutdown may take, after the Pause. Both together belong
	// below what the platform gives (terminationGracePeriodSeconds, 30 s). 0 or less
	// means DefaultLimit.
	Limit time.Duration
}

// ServeWith is Serve with options.
//
//	mux.Handle("GET /readyz", httppool.Ready(ctx))
//	err := httppool.ServeWith(ctx, srv, pool, httppool.ServeOptions{Pause: 5 * time.Second, Limit: 20 * time.Second})
func ServeWith(ctx context.Context, srv *http.Server, src taskpool.Source, o ServeOptions) error {
	if o.Listener != nil {
		defer func() { _ = o.Listener.Close() }() // the server does so itself, unless it cannot begin
	}
	switch {
	case srv == nil:
		return errNilServer
	case src == nil:
		return errNilSource
	}
	if o.Listener == nil {
		ln, err := listen(ctx, srv.Addr, o.TLS)
		if err != nil {
			return err
		}
		o.Listener = ln
		defer func() { _ = ln.Close() }()
	}
	s := tracked(srv)
	served := make(chan error, 1)
	go func() {
		if o.TLS {
			served <- srv.ServeTLS(o.Listener, o.CertFile, o.KeyFile)
		} else {
			served <- srv.Serve(o.Listener)
		}
	}()
	failed := wait(ctx, served)
	if ctx.Err() != nil && failed == nil && o.Pause > 0 {
		pause, cancel := context.WithTimeout(context.Background(), o.Pause)
		defer cancel()
		failed = wait(pause, served)
	}
	if failed != nil && !s.seen.Load() && !errors.Is(failed, http.ErrServerClosed) {
		return fmt.Errorf("httppool: %w", failed)
	}
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	err := s.shutdown(srv, src, o.Limit)
	if failed == nil {
		failed = <-served
	}
	if !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(fmt.Errorf("httppool: %w", failed), err)
	}
	return err
}

// wait waits for ctx to end, or the server, and returns the server's error.
func wait(ctx context.Context, served <-chan error) error {
	select {
	case <-ctx.Done():
		return nil
	case failed := <-served:
		return failed
	}
}

func listen(ctx context.Context, addr string, tls bool) (net.Listener, error) {
	switch {
	case addr != "":
	case tls:
		addr = ":https"
	default:
		addr = ":http"
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("httppool: %w", err)
	}
	return ln, nil
}

// Ready answers whether a process takes requests: 200 until ctx ends, which is the one
// that Serve is given, and 503 from then on. It is for the readiness probe of a load
// balancer, which needs ServeOptions.Pause to see the 503. For a liveness probe it is
// wrong: a process that finishes its work is well.
func Ready(ctx context.Context) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if ctx.Err() != nil {
			http.Error(w, "shutting down", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	})
}

var (
	errNilServer = errors.New("httppool: nil http.Server")
	errNilSource = errors.New("httppool: nil Source: pass the one that the middleware was given")
)

// shutdown ends the server, then the tasks, within limit. The context that ended
// has no say in how long that takes.
func (s *server) shutdown(srv *http.Server, src taskpool.Source, limit time.Duration) error {
	all, cancelAll := context.WithTimeout(context.Background(), limit)
	defer cancelAll()
	half, cancelHalf := context.WithTimeout(all, limit/2)
	defer cancelHalf()

	if held, ok := src.(interface{ Free() }); ok { // a taskpool.Hold: its requests would be cut off
		held.Free()
	}
	err := srv.Shutdown(half)
	if err == nil {
		err = s.wait(half)
	}
	if err != nil {
		if s.busy() {
			err = fmt.Errorf("httppool: requests were still open at half of the limit of %v: %w", limit, err)
		} else {
			err = nil
		}
		err = errors.Join(err, srv.Close())
	}
	_, doneErr := src.Done(all)
	return errors.Join(err, doneErr)
}
