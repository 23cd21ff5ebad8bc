package pooltest

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// An Adapter is what the kit tests: a framework with the pool's middleware.
// Exactly one of Handler and Serve is given. What can be configured in several
// ways that matter, such as with and without a recovery, is several Adapters.
type Adapter struct {
	Name string // of the subtest that Test runs

	// Handler builds what a net/http server serves: h for every method and
	// path, within the adapter's middleware for each of srcs, the first one
	// outermost. Without srcs it is the bare framework. The kit makes the
	// server, for HTTP/1, HTTP/2 and unencrypted HTTP/2.
	Handler func(h Handler, srcs ...taskpool.Source) http.Handler

	// Server prepares the server that the kit made, before it serves: it is for
	// an adapter that is told of the connections. It is called only if the
	// middleware is installed. Nil means that there is nothing to prepare.
	Server func(srv *http.Server)

	// Serve is for what is not a net/http handler. It serves h on ln, installed
	// as for Handler, until stop is called. stop shuts down gracefully: it
	// returns when the handlers have returned and ln is closed.
	Serve func(t testing.TB, ln net.Listener, h Handler, srcs ...taskpool.Source) (stop func())

	// Release is what releases the staged tasks of an HTTP/1 request. Flushed is
	// the promise that none of them starts before the last write has returned.
	Release taskpool.Release

	// HTTP2 is what releases them over HTTP/2. Zero means that Serve does not
	// speak it. ReleaseStreamClosed and ReleaseFlushed promise that none starts while the
	// client's flow control withholds the end of the response.
	HTTP2 taskpool.Release

	// Hijack is what releases them when the connection was hijacked: never
	// before the hijacker has returned. Zero means that Exchange.Hijack refuses.
	Hijack taskpool.Release

	Recovery Recovery // where the framework recovers panics

	// Reenter has the framework route the request of x again, to path, and
	// returns when that has: for a framework that can, such as Gin
	// (Engine.HandleContext) and Fiber (Ctx.RestartRouting). With nil a Handler is
	// called once more from within, and with Serve a request is routed once.
	Reenter func(x Exchange, path string) error

	// Stream has the framework answer x with what write writes, which it calls when
	// the Handler has returned: for a framework that has stream writers, such as
	// Fiber (fasthttp's SetBodyStreamWriter). Nil means that it has none.
	Stream func(x Exchange, write func(w io.Writer))

	// Captured are the ways, by their names, in which a handler can get hold of a
	// context that the framework reuses for other requests: its own request
	// object, or what is derived from it. Each puts value under key into that
	// object and returns the context. The requests that it is used in have the
	// path /captured/ and the name: where the context has to be prepared outside
	// of the middleware, the adapter's test installs what does it for this path.
	// Empty means that the framework reuses no context, and the kit takes the
	// request's own.
	Captured map[string]func(x Exchange, key, value string) context.Context

	// The zero value of what follows is what net/http does.

	Errors          bool // Outcome.Err is what the Handler returned
	LateErrors      bool // … and the framework answers it when the middleware has returned: such a request cannot be held
	LateRecovery    bool // … and a recovery inside makes such an error of a panic, as Echo v5's does: it answers nothing itself
	Batches         bool // the response to a pipelined request is sent with the next one: what it staged waits for that handler too, if Release is Flushed
	NoFlush         bool // a handler cannot flush: what it has written is sent when it has returned
	NoInformational bool // a 1xx status of a handler is not sent
	NoDisconnect    bool // the request's context does not end when the client goes: Outcome.Disconnected is never set
	ReadsBody       bool // a handler runs only when the whole body of the request has come
	CopiesRequest   bool // the framework hands its handlers a copy of the Request: what they set in it, such as a parsed form, nobody outside sees
	NoHold          bool // no request can be held: with a taskpool.Hold each is answered with 500, and no handler runs

	// Leaves are the functions of the goroutines that the framework itself leaves
	// for a while, or for ever, when its server has stopped, as a stack names them.
	Leaves []string
}

// Recovery says where a framework recovers the panics of its handlers.
type Recovery uint8

// The places of a recovery. What recovers answers 500.
const (
	NoRecovery      Recovery = iota // nowhere: the server closes the connection
	RecoveryInside                  // inside of the middleware, which sees a 500 and no panic
	RecoveryOutside                 // outside of the middleware, which sees the panic
)

// A Handler is a program that the kit has a framework run. A framework whose
// handlers return no error answers one with a plain 500.
type Handler func(x Exchange) error

// An Exchange is what a Handler may do with its request and response, in terms
// that every framework has. It is valid until the Handler returns.
// [HTTPExchange] is the one of net/http.
type Exchange interface {
	// Context is the request's, as the framework's own code would take it.
	Context() context.Context
	// Path is the path of the request's URL.
	Path() string
	// Body is the request's.
	Body() io.Reader
	// SetHeader sets a header of the response.
	SetHeader(name, value string)
	// Status sets the status, before the first Write. A 1xx is sent at once, and
	// another Status follows it: where the framework takes the 1xx for the final
	// one, Status has to reach past it, to the writer that the framework wraps.
	Status(code int)
	// Write writes a part of the body.
	Write(p []byte) (int, error)
	// Flush sends what was written. It does nothing where Adapter.NoFlush is set.
	Flush()
	// Hijack has fn own the connection: at once, or when the Handler has
	// returned. The connection is closed after fn. An error means that it could
	// not, and that the Handler is still to answer.
	Hijack(fn func(net.Conn)) error
}

// patience is how long the kit waits for what has to happen.
const patience = 10 * time.Second

// Test runs all checks on each adapter, each as a subtest of one that has the
// adapter's name, and several at a time: the functions of an Adapter are called
// by several goroutines. See the package's documentation for what the checks show.
func Test(t *testing.T, adapters ...Adapter) {
	t.Helper()
	runEach(t, adapters, func(t *testing.T, a Adapter) { runChecks(t, a, checks(a)) })
}

// runEach runs a subtest for each adapter, of which there has to be one.
func runEach(t *testing.T, adapters []Adapter, f func(t *testing.T, a Adapter)) {
	t.Helper()
	if len(adapters) == 0 {
		t.Fatal("pooltest: there is no Adapter")
	}
	for _, a := range adapters {
		if (a.Handler == nil) == (a.Serve == nil) {
			t.Fatal("pooltest: give an Adapter either a Handler or Serve")
		}
		if a.Release == 0 || a.Handler != nil && a.HTTP2 == 0 {
			t.Fatal("pooltest: say in Adapter.Release and Adapter.HTTP2 what releases staged tasks")
		}
		t.Run(a.Name, func(t *testing.T) { f(t, a) })
	}
}

// A check is one rule that an adapter has to keep. Its name says which.
type check struct {
	name string
	run  func(r *run)
}

func checks(a Adapter) []check {
	all := slices.Concat(shutdownChecks(), // the longest comes first: the others run beside it
		completeChecks(), exactChecks(a), wireChecks(), http2Checks(a), outcomeChecks(a),
		hijackChecks(), streamChecks(a), withheldChecks(), contextChecks(), capturedChecks(a), reuseChecks(),
		reentryChecks(a), holdChecks(a), http2ShutdownChecks(a), loadChecks(), hostileChecks())
	if a.Handler != nil {
		all = slices.Concat(all, httpChecks(), timeoutChecks(), handedChecks(), signalChecks(a))
	}
	return slices.Concat(all, perRequestChecks(all))
}
