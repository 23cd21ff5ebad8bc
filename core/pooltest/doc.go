// Package pooltest is the conformance kit of the adapters: what puts a
// taskpool scope around the requests of a web framework shows with it that it
// changes nothing on the wire, delays no response, releases what was staged at
// the right moment, and loses no task.
//
// An adapter's test describes the framework in an [Adapter] and hands it over:
//
//	func TestConformance(t *testing.T) {
//		pooltest.Test(t, pooltest.Adapter{
//			Name: "untracked",
//			Handler: func(h pooltest.Handler, srcs ...taskpool.Source) http.Handler {
//				next := pooltest.HTTP(h)
//				for _, src := range slices.Backward(srcs) {
//					next = httppool.Middleware(src)(next)
//				}
//				return next
//			},
//			Release: taskpool.ReleaseHandlerReturned,
//			HTTP2:   taskpool.ReleaseStreamClosed,
//			Hijack:  taskpool.ReleaseHandlerReturned,
//		})
//	}
//
// For the tests of handlers, as opposed to adapters, there is package tasktest.
//
// # How it looks
//
// The kit owns the listener and speaks to the server through real sockets on
// the loopback interface. The server's connections record every write and can
// withhold the return of one of them; the client reads a response up to its
// exact end, the last chunk or the end of the connection. The same program runs
// with and without the middleware, and what the two put on the wire has to be
// equal. Order is observed, through what blocks and what a journal says, and
// never timed: a wait that is too long is a failure that says what it waited
// for, and prints the journal.
//
// Every check also shows that each accepted task got exactly one fate and that the
// pool's ledger adds up. The checks of an adapter run several at a time, each on
// servers of its own. When they have ended no goroutine may be left: all of the
// process are looked at, so [Test] must not run beside parallel tests. Which check
// has left one shows if go test -run runs them one by one.
//
// # The checks
//
// Their names say what is shown, and go test -run 'TestConformance/untracked/outcome'
// runs some of them.
//
//   - complete: the client has the whole response, its end included, while tasks are blocked
//   - wire: bytes, writes and flushes are those of the bare framework, with tasks and without
//   - exact, inexact: what is staged starts after the last write has returned, or as declared
//   - h2, h2c: the same over HTTP/2, where a response is a stream and a window may be full
//   - outcome, timeout: the outcome that the pool is told, and so what starts and what is discarded
//   - hijack, pipelined, stream, withheld body: connections that are used in other ways
//   - context, captured: what a task's context has, and has not, of its request and of others
//   - reuse, twice, re-entry: one scope for one request
//   - hold: with a taskpool.Hold the client has the response while tasks are blocked, and its end
//     when they have ended; what cannot be held, and what has no tasks, is answered as ever
//   - per request: a taskpool.PerRequest as the source, with one or two of the other checks for each rule
//   - shutdown, over HTTP/2 too, and load: every task has exactly one fate
//   - hostile: clients that withhold bodies, read and send single bytes, reset, pipeline and send
//     garbage, at random, to servers with one pool and with one for each request: no task is lost, no
//     task and no handler runs twice, and nothing is left of it
//   - http: interfaces, sendfile and order, of the net/http family alone; so are the next two
//   - request: what the server and handlers outside look for in the Request is there: a form's files, the
//     route, trailers
//   - signal: what looks like the end of a response or the client's leaving and is neither, what was cut
//     off, a connection that was hijacked, and one notification that several wait for
//
// One thing no middleware can keep that wraps the ResponseWriter: after a body over the limit of an
// http.MaxBytesReader net/http closes the connection, which it is told by a private method of its own writer.
// The check says so in its name, and lets nothing else differ.
//
// What a hostile client does is drawn from a seed that is logged. With go test -short
// a third of them come. [Chaos] runs the long form of that check, and [Soak] has the
// same clients come for minutes and looks at the memory: both are for CHAOS=1 in the
// environment.
//
// # Capabilities
//
// Frameworks differ, and the fields of an Adapter say how. They skip nothing:
// they choose what is expected. An adapter whose releases are more exact than
// it says fails as one does whose are less.
package pooltest
