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
	"sync"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
)

// A mistake is what a middleware of the buffering framework does wrong.
type mistake uint8

const (
	noMistake       mistake = iota
	errorStatusLost         // what the framework renders later is not looked at
	armedFirst              // the trigger is set before the handler, and lost when that resets the values
	notJoined               // the scope is begun on the server's context, which has none yet
	reusedNotTold           // the scope is not told that the framework reuses its contexts
	holdIgnored             // a Hold is taken for any other Source
	overTooEarly            // the request is taken to be over when the handler has returned, whatever still runs
)

// buffering is the adapter of a framework that is unlike net/http in all that an
// Adapter can say: it reads whole requests, buffers whole responses, renders the
// errors of handlers when all middleware has returned, reuses its exchanges,
// which are contexts, can route a request again, and runs stream writers and hijackers
// when the handler has returned. When it has answered it
// closes every value of the exchange that is an io.Closer.
func buffering(m mistake) pooltest.Adapter {
	return pooltest.Adapter{
		Name: "buffering",
		Serve: func(t testing.TB, ln net.Listener, h pooltest.Handler, srcs ...taskpool.Source) (stop func()) {
			for _, src := range slices.Backward(srcs) {
				h = bufferScope(m, src, h)
			}
			f := &framework{chain: h}
			end := serveHTTP1(t, &http.Server{Handler: f}, ln)
			return func() {
				end()
				f.forget()
			}
		},
		Release: taskpool.ReleaseHandlerReturned,
		Hijack:  taskpool.ReleaseHandlerReturned,
		Stream:  func(x pooltest.Exchange, write func(w io.Writer)) { x.(*exchange).stream = write },
		Errors:  true, LateErrors: true, NoFlush: true, NoInformational: true, NoDisconnect: true, ReadsBody: true, NoHold: true,
		Reenter: func(x pooltest.Exchange, path string) error { return x.(*exchange).reenter(path) },
		Captured: map[string]func(x pooltest.Exchange, key, value string) context.Context{
			"exchange": func(x pooltest.Exchange, key, value string) context.Context {
				x.(*exchange).values[key] = value
				return x.(*exchange)
			},
		},
	}
}

// serveHTTP1 serves on ln until stop is called.
func serveHTTP1(t testing.TB, srv *http.Server, ln net.Listener) (stop func()) {
	srv.ErrorLog, srv.MaxHeaderBytes, srv.Protocols = log.New(io.Discard, "", 0), 8<<10, new(http.Protocols)
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
}

// A framework runs a chain of middleware and a handler.
type framework struct {
	chain pooltest.Handler
	mu    sync.Mutex
	free  []*exchange // protected by mu
}

func (f *framework) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	x := f.acquire()
	defer f.release(x)
	x.server, x.ctx, x.path = r.Context(), context.WithoutCancel(r.Context()), r.URL.Path
	x.body, x.header = bytes.NewReader(body), w.Header()
	if err := f.chain(x); err != nil {
		x.status = http.StatusInternalServerError
		http.Error(w, err.Error(), x.status)
		return
	}
	if x.hijacker != nil {
		x.hijack(w)
		return
	}
	w.WriteHeader(x.status)
	_, _ = x.out.WriteTo(w)
	if x.stream != nil {
		x.stream(w)
	}
}

func (f *framework) acquire() *exchange {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := &exchange{framework: f}
	if last := len(f.free) - 1; last >= 0 {
		x, f.free = f.free[last], f.free[:last]
	}
	x.status, x.values = http.StatusOK, make(map[any]any)
	return x
}

func (f *framework) release(x *exchange) {
	for _, v := range x.values {
		if c, ok := v.(io.Closer); ok {
			_ = c.Close()
		}
	}
	x.out.Reset()
	x.stream, x.hijacker = nil, nil
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free = append(f.free, x)
}

// forget drops what is kept for the next request.
func (f *framework) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free = nil
}

// An exchange is what the framework's handlers get. It is a context, too.
type exchange struct {
	framework *framework
	server    context.Context
	ctx       context.Context
	path      string
	body      io.Reader
	header    http.Header
	status    int
	out       bytes.Buffer
	values    map[any]any
	stream    func(w io.Writer)   // run when the handler has returned
	hijacker  func(conn net.Conn) // the same
}

func (x *exchange) Context() context.Context     { return x.ctx }
func (x *exchange) Path() string                 { return x.path }
func (x *exchange) Body() io.Reader              { return x.body }
func (x *exchange) SetHeader(name, value string) { x.header.Set(name, value) }
func (x *exchange) Write(p []byte) (int, error)  { return x.out.Write(p) }
func (x *exchange) Flush()                       {}
func (x *exchange) Status(code int)              { x.status = code }

func (x *exchange) Hijack(fn func(net.Conn)) error {
	x.hijacker, x.status = fn, 0
	return nil
}

func (x *exchange) hijack(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	x.hijacker(hijackedConn{conn, buffered})
}

// A hijackedConn reads what the server has read ahead.
type hijackedConn struct {
	net.Conn
	from io.Reader
}

func (c hijackedConn) Read(b []byte) (int, error) { return c.from.Read(b) }

func (x *exchange) Deadline() (time.Time, bool) { return x.ctx.Deadline() }
func (x *exchange) Done() <-chan struct{}       { return x.ctx.Done() }
func (x *exchange) Err() error                  { return x.ctx.Err() }

func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	if v, ok := x.values[key]; ok {
		return v
	}
	return x.ctx.Value(key)
}

func (x *exchange) reenter(path string) error {
	x.path, x.values = path, make(map[any]any)
	return x.framework.chain(x)
}

type (
	exchangeKey struct{} // answered by an exchange
	closerKey   struct{}
)

// A closer is the trigger of bufferScope.
type closer struct {
	x       *exchange
	told    taskpool.Exchange
	outcome taskpool.Outcome
	blind   bool
}

func (c *closer) Close() error {
	if !c.blind {
		c.outcome.Status = c.x.status
		c.told.Returned(c.outcome)
	}
	c.told.Sent(taskpool.ReleaseHandlerReturned)
	return nil
}

// bufferScope is the middleware.
func bufferScope(m mistake, src taskpool.Source, next pooltest.Handler) pooltest.Handler {
	return func(e pooltest.Exchange) (err error) {
		x := e.(*exchange)
		base := x.ctx
		if m == notJoined {
			base = x.server
		}
		ctx, told := src.Begin(base)
		if told.Held() && m != holdIgnored {
			return errors.ErrUnsupported
		}
		if m != reusedNotTold {
			told.Reused(exchangeKey{}, nil)
		}
		x.ctx = ctx
		trigger := &closer{x: x, told: told, blind: m == errorStatusLost}
		if m == armedFirst {
			x.values[closerKey{}] = trigger
		}
		panicked := true
		defer func() {
			trigger.outcome = taskpool.Outcome{Status: x.status, Err: err, Panicked: panicked}
			if goesOn := x.stream != nil || x.hijacker != nil; goesOn && m != overTooEarly {
				x.values[closerKey{}] = trigger // which tells that the handler has returned, too
				return
			}
			if told.Returned(trigger.outcome) && m != armedFirst {
				x.values[closerKey{}] = trigger
			}
		}()
		err = next(x)
		panicked = false
		return err
	}
}
