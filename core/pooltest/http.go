package pooltest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/elite-libs/taskpool/core"
)

// HTTP makes a net/http handler of a Handler. It answers an error with 500.
func HTTP(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(HTTPExchange{w, r}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

// HTTPExchange is the Exchange of net/http. A framework of that family whose
// ways differ embeds it and overrides what does.
type HTTPExchange struct {
	W http.ResponseWriter
	R *http.Request
}

// Context returns the request's context.
func (x HTTPExchange) Context() context.Context { return x.R.Context() }

// Path returns the path of the request's URL.
func (x HTTPExchange) Path() string { return x.R.URL.Path }

// Body returns the request's body.
func (x HTTPExchange) Body() io.Reader { return x.R.Body }

// SetHeader sets a header of the response.
func (x HTTPExchange) SetHeader(name, value string) { x.W.Header().Set(name, value) }

// Status is http.ResponseWriter.WriteHeader.
func (x HTTPExchange) Status(code int) { x.W.WriteHeader(code) }

// Write is http.ResponseWriter.Write.
func (x HTTPExchange) Write(p []byte) (int, error) { return x.W.Write(p) }

// Flush is the Flush of the http.ResponseController.
func (x HTTPExchange) Flush() { _ = http.NewResponseController(x.W).Flush() }

// Hijack hijacks, calls fn before it returns, and closes the connection.
func (x HTTPExchange) Hijack(fn func(net.Conn)) error {
	conn, buffered, err := http.NewResponseController(x.W).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	fn(hijackedConn{conn, buffered})
	return nil
}

// A hijackedConn gives out first what the server had read ahead.
type hijackedConn struct {
	net.Conn
	ahead *bufio.ReadWriter
}

func (c hijackedConn) Read(p []byte) (int, error) { return c.ahead.Read(p) }

// HTTP returns the writer and the request, for the checks that only the
// net/http family can be put to.
func (x HTTPExchange) HTTP() (http.ResponseWriter, *http.Request) { return x.W, x.R }

// httpOf returns what is behind an Exchange of the net/http family.
func httpOf(x Exchange) (http.ResponseWriter, *http.Request) {
	h, ok := x.(interface {
		HTTP() (http.ResponseWriter, *http.Request)
	})
	if !ok {
		panic("pooltest: the Exchange of an Adapter with a Handler has to embed HTTPExchange")
	}
	return h.HTTP()
}

// serveHTTP serves an Adapter's Handler with a server of the kit's own.
func (r *run) serveHTTP(ln net.Listener, s setup, h Handler, srcs []taskpool.Source) (stop func()) {
	handler := r.adapter.Handler(h, srcs...)
	if s.outer != nil {
		handler = s.outer(handler)
	}
	srv := &http.Server{
		Handler:   handler,
		ErrorLog:  log.New(&r.log, "", 0), // panics are wanted here
		Protocols: new(http.Protocols),

		MaxHeaderBytes: s.maxHeader,
		WriteTimeout:   s.writeTimeout,
	}
	if s.base != nil {
		srv.BaseContext = func(net.Listener) context.Context { return s.base }
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	if r.adapter.Server != nil && len(srcs) > 0 {
		r.adapter.Server(srv)
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	return func() {
		r.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), r.patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			r.Errorf("the server did not shut down: %v\n%s", err, r.journal)
			_ = srv.Close()
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			r.Errorf("Serve: %v", err)
		}
	}
}
