package httppool

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// An observer is one exchange: it sees the status go by on its way to the
// ResponseWriter below, and later tells the scope that the response is sent.
// What handlers get is a view of it, one of writer_types.go. A handler may keep a
// ResponseWriter too long, and a task its Request, so observers are not reused.
type observer struct {
	// The copy that the handler gets. Here it needs no allocation of its own; who
	// keeps it keeps the ResponseWriter below too, as who keeps a Request with a
	// body keeps the connection.
	request http.Request
	handed  *http.Request // what the copy was made of; nil once the handler has returned

	base     http.ResponseWriter
	exchange taskpool.Exchange
	ctx      context.Context // of the request as it came
	began    time.Time       // zero if its server had no WriteTimeout

	conn *conn  // of a tracked server
	turn uint64 // of conn, for HTTP/1

	// The handler's goroutine writes these, and triggers on others read them.
	status   atomic.Int32 // the final status, 0 until it is known
	hijacked atomic.Bool
	failed   atomic.Uint32             // why the first write did that failed; 0 if none has
	notified atomic.Bool               // a handler over HTTP/1 has the server's notification, and may have taken it
	writeBy  atomic.Pointer[time.Time] // the deadline for writing, if the handler set one
	ending   atomic.Pointer[ending]    // of the stream, over HTTP/2, once it was asked for

	early atomic.Uint32 // the Release of a trigger that came before the status
	begun atomic.Bool   // before that the Source looks for values, and what it may have started

	// Written before a trigger is armed: what the scope was told.
	told      taskpool.Outcome
	rendering bool // the framework is still to render an error

	proto uint8 // the major version of HTTP
}

// The optional interfaces of a ResponseWriter that a view has if the writer below
// has them. It always has io.StringWriter and http.CloseNotifier, which do where
// there is none below what a caller would do instead, and what
// http.ResponseController asks for.
const (
	flusher = 1 << iota
	hijacker
	readerFrom
	pusher
)

type unwrap interface{ Unwrap() http.ResponseWriter }

// featuresOf finds the optional interfaces of w.
func featuresOf(w http.ResponseWriter) (m int) {
	if _, ok := w.(http.Flusher); ok {
		m |= flusher
	}
	if _, ok := w.(http.Hijacker); ok {
		m |= hijacker
	}
	if _, ok := w.(io.ReaderFrom); ok {
		m |= readerFrom
	}
	if _, ok := w.(http.Pusher); ok {
		m |= pusher
	}
	return m
}

// view is what the handler gets.
func (o *observer) view() http.ResponseWriter { return views[featuresOf(o.base)](o) }

// self finds the observer behind a view.
func (o *observer) self() *observer { return o }

// wrote notes a final status: the first one counts. Of the informational ones
// only 101 is final.
func (o *observer) wrote(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	if o.status.CompareAndSwap(0, int32(status)) {
		o.releaseEarly()
	}
}

// releaseEarly releases, now that the status is known, what a trigger would have
// released before it was.
func (o *observer) releaseEarly() {
	if r := o.early.Load(); r != 0 {
		o.release(taskpool.Release(r))
	}
}

// seen is the final status as far as it is known. On a hijacked connection
// nobody knows it.
func (o *observer) seen() int {
	if o.hijacked.Load() {
		return 0
	}
	return int(o.status.Load())
}

// What every view has.

func (o *observer) Header() http.Header { return o.base.Header() }

func (o *observer) WriteHeader(status int) {
	if o.misused() {
		return
	}
	o.base.WriteHeader(status) // panics if the status is none
	o.wrote(status)
}

func (o *observer) Write(p []byte) (int, error) {
	o.wrote(http.StatusOK)
	n, err := o.base.Write(p)
	o.noteFailure(err)
	return n, err
}

func (o *observer) WriteString(s string) (int, error) {
	o.wrote(http.StatusOK)
	n, err := io.WriteString(o.base, s)
	o.noteFailure(err)
	return n, err
}

// noteFailure notes that something could not be written. With a context that has ended
// it tells that the client has gone: the server reads nothing while there is a body
// that the handler has not read, and sees it by its writes alone. What the server does not
// take, for a status without a body or beyond the Content-Length, says nothing of that, nor
// does a write whose time is over.
func (o *observer) noteFailure(err error) {
	switch {
	case err == nil, errors.Is(err, http.ErrBodyNotAllowed), errors.Is(err, http.ErrContentLength):
	case errors.Is(err, os.ErrDeadlineExceeded):
		o.failed.CompareAndSwap(0, failedLate)
	default:
		o.failed.CompareAndSwap(0, failedGone)
	}
}

// Why a write failed.
const (
	failedLate = iota + 1 // its time was over
	failedGone            // it seems that nobody is there
)

// Unwrap gives an http.ResponseController what a view does not have.
func (o *observer) Unwrap() http.ResponseWriter { return o.base }

// The controls are there although Unwrap reaches them: a flush sends the header,
// and the deadline tells whether a response could still be written. They do what
// an http.ResponseController does on the writer below, whichever of them that has.

func (o *observer) FlushError() error {
	err := http.NewResponseController(o.base).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		o.wrote(http.StatusOK)
		o.noteFailure(err)
	}
	return err
}

func (o *observer) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(o.base).SetReadDeadline(t)
}

func (o *observer) SetWriteDeadline(t time.Time) error {
	err := http.NewResponseController(o.base).SetWriteDeadline(t)
	if err == nil {
		o.writeBy.Store(&t)
	}
	return err
}

func (o *observer) EnableFullDuplex() error {
	return http.NewResponseController(o.base).EnableFullDuplex()
}

// What some views have.

func (o *observer) flush() {
	o.wrote(http.StatusOK)
	o.base.(http.Flusher).Flush()
}

func (o *observer) readFrom(r io.Reader) (int64, error) {
	var body *content
	if !kernels(r) {
		body = &content{Reader: r}
		r = body
	}
	n, err := o.base.(io.ReaderFrom).ReadFrom(r)
	if n > 0 { // of nothing the server writes no header yet
		o.wrote(http.StatusOK)
	}
	if body == nil || !body.failed {
		o.noteFailure(err)
	}
	return n, err
}

// kernels reports whether the kernel may copy r, which then has to come to the server as
// it is: a file, a connection, or a part of one (net sendFile, spliceFrom, Go 1.26).
func kernels(r io.Reader) bool {
	if part, ok := r.(*io.LimitedReader); ok {
		r = part.R
	}
	_, ok := r.(syscall.Conn)
	return ok
}

// A content is what a response is copied from. Its failure is not that of a write.
type content struct {
	io.Reader
	failed bool
}

func (c *content) Read(p []byte) (n int, err error) {
	n, err = c.Reader.Read(p)
	c.failed = c.failed || err != nil && err != io.EOF
	return n, err
}

func (o *observer) hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := o.base.(http.Hijacker).Hijack()
	if err == nil {
		o.leaveServer()
	}
	return c, rw, err
}

func (o *observer) push(target string, opts *http.PushOptions) error {
	return o.base.(http.Pusher).Push(target, opts)
}
