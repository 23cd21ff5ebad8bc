package pooltest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"testing"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
)

// buffering is the adapter of a framework that is unlike net/http in all that an
// Adapter can say: it reads whole requests, buffers whole responses, and has
// handlers that return errors.
func buffering() pooltest.Adapter {
	return pooltest.Adapter{
		Name: "buffering",
		Serve: func(t testing.TB, ln net.Listener, h pooltest.Handler, srcs ...taskpool.Source) (stop func()) {
			srv := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: buffer(h, srcs)}
			srv.Protocols = new(http.Protocols)
			srv.Protocols.SetHTTP1(true)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = srv.Serve(ln)
			}()
			return func() {
				if err := srv.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
				<-ended
			}
		},
		Release: taskpool.HandlerReturned,
		Errors:  true, NoFlush: true, NoInformational: true, NoDisconnect: true, ReadsBody: true,
	}
}

// An exchange is what the framework's handlers get.
type exchange struct {
	ctx    context.Context
	done   context.Context // ends when the server's handler has returned
	path   string
	body   io.Reader
	header http.Header
	status int
	out    bytes.Buffer
}

func (x *exchange) Context() context.Context     { return x.ctx }
func (x *exchange) Path() string                 { return x.path }
func (x *exchange) Body() io.Reader              { return x.body }
func (x *exchange) SetHeader(name, value string) { x.header.Set(name, value) }
func (x *exchange) Write(p []byte) (int, error)  { return x.out.Write(p) }
func (x *exchange) Flush()                       {}
func (x *exchange) Hijack(func(net.Conn)) error  { return errors.ErrUnsupported }
func (x *exchange) Status(code int)              { x.status = code }

func buffer(h pooltest.Handler, srcs []taskpool.Source) http.Handler {
	for _, src := range slices.Backward(srcs) {
		h = bufferScope(src, h)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		x := &exchange{ctx: context.WithoutCancel(r.Context()), done: r.Context(), path: r.URL.Path,
			body: bytes.NewReader(body), header: w.Header(), status: http.StatusOK}
		if err := h(x); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(x.status)
		_, _ = x.out.WriteTo(w)
	})
}

// bufferScope is the middleware.
func bufferScope(src taskpool.Source, h pooltest.Handler) pooltest.Handler {
	return func(e pooltest.Exchange) (err error) {
		x := e.(*exchange)
		ctx, s := src.Begin(x.ctx)
		x.ctx = ctx
		panicked := true
		defer func() {
			status := x.status
			if err != nil {
				status = http.StatusInternalServerError
			}
			if s.Returned(taskpool.Outcome{Status: status, Err: err, Panicked: panicked}) {
				context.AfterFunc(x.done, func() { s.Sent(taskpool.HandlerReturned) })
			}
		}()
		err = h(x)
		panicked = false
		return err
	}
}
