package pooltest_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
)

// A fault is an adapter with one mistake, a check that has to find it, and what
// that check has to say.
type fault struct {
	name  string
	a     pooltest.Adapter
	check string
	says  string
}

func faults() []fault {
	said := func(a pooltest.Adapter, differently func(a *pooltest.Adapter)) pooltest.Adapter {
		differently(&a)
		return a
	}
	closing := said(exact("", observe), func(a *pooltest.Adapter) { a.Server = atClose })
	modest := said(exact("", observe), func(a *pooltest.Adapter) { a.Release = taskpool.ReleaseHandlerReturned })
	noFlush := said(adapter("", observe), func(a *pooltest.Adapter) { a.NoFlush = true })
	noHijack := said(adapter("", observe), func(a *pooltest.Adapter) { a.Hijack = 0 })
	lateRecovery := said(recoveringInside(), func(a *pooltest.Adapter) { a.LateErrors, a.LateRecovery = true, true })
	batches := said(exact("", observe), func(a *pooltest.Adapter) { a.Batches = true })
	earlyStream := said(adapter("", armed(at(taskpool.ReleaseStreamClosed))), func(a *pooltest.Adapter) { a.HTTP2 = taskpool.ReleaseStreamClosed })

	stealing := said(adapter("", thief), func(a *pooltest.Adapter) { a.HTTP2 = taskpool.ReleaseStreamClosed })

	return []fault{
		{"the files of a form are left",
			adapter("", observe), "request/form files are removed", "of a form is left"},
		{"the files of a form are left over HTTP/2",
			adapter("", observe), "request/form files are removed, HTTP/2", "of a form is left"},
		{"the route is lost",
			adapter("", observe), "request/route is seen outside", "reads the route"},
		{"the route is lost with a panic",
			adapter("", observe), "request/route is seen outside after a panic", "reads the route"},
		{"announced trailers are lost",
			adapter("", within(cloneRequest)), "request/trailers, announced", "the trailer is"},
		{"trailers are lost",
			adapter("", observe), "request/trailers, not announced", "the trailer is"},
		{"a context that ended is taken for the end of the response",
			adapter("", observe), "signal/context that a handler outside ends", "before the outermost handler"},
		{"a context that ended is taken for the end of the response over HTTP/2",
			adapter("", observe), "signal/context that a handler outside ends, HTTP/2", "before the outermost handler"},
		{"a context that ends later is taken for the end of the response",
			adapter("", observe), "signal/context that a handler outside ends later", "before the outermost handler"},
		{"a context that ended is taken for the client's leaving",
			adapter("", observe), "signal/context that the server was given ends", "Disconnected is set"},
		{"a response that is cut off is a success",
			exact("", observe), "signal/written after the write timeout", "task on failure to start"},
		{"a stream that is cut off is a success",
			adapter("", observe), "signal/write timeout, HTTP/2", "task on failure to start"},
		{"a hijacked connection holds Done up",
			adapter("", observe), "signal/hijacked connection holds nobody up", "Done beside a hijacked"},
		{"the end of a stream is taken from the handler",
			stealing, "signal/end of the stream is everybody's", "not told of the end of the stream"},
		{"some of the controls are lost",
			adapter("", observe), "http/controls of a writer that has some", "a partial writer: on the wire"},
		{"the middleware is blamed",
			adapter("", observe), "http/header written twice", "the server logs"},
		{"a body over the limit costs more than the close",
			adapter("", within(addHeader)), "http/body over the limit, but for Connection: close", "the client has"},
		{"release before the last write",
			exact("", armed(at(taskpool.ReleaseFlushed))), "exact/small/keep-alive", "before the last write"},
		{"release beside the last write, and said to be exact",
			exact("", armed(beside)), "exact/chunked/close", "before the last write"},
		{"exact, and said not to be",
			modest, "inexact/small/keep-alive", "Outcome.Release is flushed"},
		{"released while the window is full",
			earlyStream, "h2c/full window", "before the client let"},
		{"released while the window is full, TLS",
			earlyStream, "h2/full window", "before the client let"},
		{"released before an outer handler returns",
			adapter("", armed(at(taskpool.ReleaseHandlerReturned))), "http/released by the outermost handler", "before the outermost handler"},
		{"a hijacked connection is a 200",
			adapter("", blind), "hijack", "Outcome.Status is 200"},
		{"Hijack works, and is said not to",
			noHijack, "hijack", "Hijack: <nil>"},
		{"Flush works, and is said not to",
			noFlush, "wire/flushed event", "NoFlush is set"},
		{"Content-Length lost",
			adapter("", within(flushAfter)), "wire/small/keep-alive", "on the wire"},
		{"a Flush costs a write",
			adapter("", within(flushAfter)), "wire/chunked/keep-alive", "writes are"},
		{"a header more",
			adapter("", within(addHeader)), "wire/empty/keep-alive", "on the wire"},
		{"optional interfaces are lost",
			adapter("", within(hideInterfaces)), "http/interfaces", "without the middleware"},
		{"optional interfaces are lost over HTTP/2",
			adapter("", within(hideInterfaces)), "h2c/interfaces", "without the middleware"},
		{"sendfile is lost",
			adapter("", within(hideInterfaces)), "http/sendfile", "writes are"},
		{"the last chunk is missing",
			adapter("", around(abort)), "complete/chunked/keep-alive", "the response was cut"},
		{"the connection is closed",
			adapter("", within(closeAfter)), "complete/small/keep-alive", "the connection was closed: true, want false"},
		{"a stream delays the tasks of another",
			adapter("", together()), "h2c/a slow stream delays no other's tasks", "waited"},
		{"the body is lost",
			adapter("", within(loseBody)), "wire/body with a length", "did not see the body"},
		{"a panic is swallowed",
			adapter("", around(swallow)), "outcome/panic", "on the wire"},
		{"a panic is swallowed inside",
			adapter("", within(swallow)), "complete/panic/keep-alive", "after a panic"},
		{"ErrAbortHandler is swallowed",
			adapter("", around(swallow)), "outcome/ErrAbortHandler passes untouched", "want the end of the connection"},
		{"a panic is raised again",
			adapter("", around(raiseAgain)), "outcome/panic passes untouched", "raised 2 times"},
		{"canceled ctx given to tasks",
			adapter("", on(canceled)), "context/outlives the request", "its context has ended"},
		{"tasks get no values",
			adapter("", on(withoutValues)), "context/values", "its context has <nil>"},
		{"a scope for each connection",
			adapter("", perConnection()), "reuse/next request on the connection", "not fresh"},
		{"the inner scope is another",
			adapter("", on(stranger)), "twice/small", "Fate(0), want succeeded"},
		{"task run inline",
			adapter("", armed(inline)), "complete/small/keep-alive", "no complete response"},
		{"the trigger lost, always",
			adapter("", armed(never)), "inexact/small/keep-alive", "waited"},
		{"released when the connection closes",
			closing, "complete/small/keep-alive", "waited"},
		{"a status that nobody sees",
			adapter("", blind), "outcome/404", "task on failure to start"},
		{"1xx taken for the status",
			adapter("", hasty), "outcome/103 then 404", "task on failure to start"},
		{"the body is read first",
			adapter("", around(readBody)), "withheld body/Content-Length", "waited"},
		{"flush during a panic",
			adapter("", within(flushOnPanic)), "complete/panic/keep-alive", "after a panic the client has"},
		{"status of an error that the framework renders after its middleware lost",
			buffering(errorStatusLost), "outcome/error", "task on failure to start"},
		{"recovery outside taken for success",
			recoveringOutside(unaware), "outcome/panic", "task on failure to start"},
		{"ReaderFrom hidden",
			adapter("", within(hideReaderFrom)), "http/sendfile", "writes are"},
		{"the trigger lost",
			buffering(armedFirst), "re-entry/small", "task after response to start"},
		{"scope not joined on re-entry",
			buffering(notJoined), "re-entry/small", "another scope than the outer one"},
		{"scope released on re-entry",
			adapter("", eager), "re-entry/the outer handler goes on", "released by the re-entry's return"},
		{"middleware skipped on re-entry",
			adapter("", on(once)), "re-entry/small", "ran 1 times"},
		{"sweep missing",
			exact("", on(noSweep)), "withheld body/Content-Length", "task after response to start"},
		{"captured framework context",
			buffering(reusedNotTold), "captured/exchange", "another request's value"},
		{"inner middleware's context values lost",
			adapter("", on(valuesLost)), "context/values", "want i"},
		{"the handler is not told that the client has gone",
			adapter("", on(withoutCancel)), "outcome/client gone", "did not end when the client had gone"},
		{"held, and the response is not flushed",
			adapter("", held(unflushed)), "hold/small/keep-alive", `the client has "" of the response`},
		{"released before the flush",
			adapter("", held(releasedFirst)), "hold/released after the flush", "released before the flush has returned"},
		{"not held",
			adapter("", held(unheld)), "hold/small/keep-alive", "Outcome.Release is handler returned"},
		{"held after a panic",
			adapter("", held(whateverHappens)), "hold/panic", "HTTP/1.1 200 OK"},
		{"flushed, and there are no tasks",
			adapter("", held(always)), "hold/without tasks/small", "held, without tasks: on the wire"},
		{"Hold ignored where nothing can be flushed",
			buffering(holdIgnored), "hold/is refused", "the handler runs"},
		{"a hijacker that runs late is taken for no part of its request",
			buffering(overTooEarly), "hijack/adds while the hijacker runs", "closed"},
		{"a stream writer is taken for no part of its request",
			buffering(overTooEarly), "stream/adds while the writer runs", "closed"},
		{"a recovery answers, and is said not to",
			lateRecovery, "hold/panic", "no complete response"},
		{"responses to pipelined requests are sent one by one, and are said not to be",
			batches, "pipelined/tasks before the next response", "released before the response was sent"},
		{"one pool for all requests",
			adapter("", on(stranger)), "per request/two requests have two pools", "two requests share a pool"},
	}
}

// find has the kit look for a fault with one check, whose patience often ends with it.
func (f fault) find(t *testing.T, patience time.Duration) {
	found := false
	pooltest.Checks(f.a, patience, func(name string, run func(testing.TB)) {
		if name != f.check {
			return
		}
		found = true
		if got := record(t, run); !strings.Contains(got, f.says) {
			t.Errorf("the check %q says %q, want %q", f.check, got, f.says)
		}
	})
	if !found {
		t.Errorf("there is no check %q", f.check)
	}
}

// Faults are looked for beside each other: goroutines are not counted where something
// else is wrong, and most of the time is the kit's patience.
func TestFaultyAdapterIsFound(t *testing.T) {
	findBeside(t, 2, hostileFaults()) // each has hundreds of clients
	findBeside(t, 8, faults())
}

// findBeside is t.Parallel with a number at a time of its own: there that is the
// number of processors.
func findBeside(t *testing.T, atOnce int, all []fault) {
	queue := make(chan fault)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for f := range queue {
				t.Run(f.name, func(t *testing.T) { f.find(t, 3*time.Second) })
			}
		})
	}
	for _, f := range all {
		queue <- f
	}
	close(queue)
	workers.Wait()
}

func TestGoroutineThatIsLeftIsFound(t *testing.T) {
	forever := make(chan struct{})
	defer close(forever)
	leave := func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		go func() { <-forever }()
		next.ServeHTTP(w, r)
	}
	fault{"", adapter("", around(leave)), "complete/small/keep-alive", "2 goroutines are left"}.find(t, time.Second)
}
