package httppool

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

//go:generate go run gen.go

// An observer is one exchange: it sees the status go by on its way to the
// ResponseWriter below, and later tells the scope that the response is sent.
// What handlers get is a view of it, one of the generated types, that has
// exactly the optional interfaces of the writer below. A handler may keep a
// ResponseWriter too long, and a task its Request, so observers are not reused.
type observer struct {
	// The copy that the handler gets. Here it needs no allocation of its own; who
	// keeps it keeps the ResponseWriter below too, as who keeps a Request with a
	// body keeps the connection.
	request http.Request

	base     http.ResponseWriter
	exchange taskpool.Exchange
	ctx      context.Context // of the request as it came: the server cancels it

	conn *conn // of a tracked server, HTTP/1
	turn uint64

	// The handler's goroutine writes these, and triggers on others read them.
	status   atomic.Int32 // the final status, 0 until it is known
	hijacked atomic.Bool

	early atomic.Uint32 // the Release of a trigger that came before the status

	// Written before a trigger is armed: what the scope was told.
	told      int32 // the status
	err       error
	panicked  bool
	rendering bool // the framework is still to render an error

	http2 bool
}

// The optional interfaces of a ResponseWriter. Those that only
// http.ResponseController asks for, and that every server of net/http has
// together, are one: controls.
const (
	flusher = 1 << iota
	controls
	hijacker
	readerFrom
	pusher
	closeNotifier
	stringWriter
	unwrapper
)

type (
	controller interface {
		FlushError() error
		SetReadDeadline(time.Time) error
		SetWriteDeadline(time.Time) error
		EnableFullDuplex() error
	}
	unwrap interface{ Unwrap() http.ResponseWriter }
)

// featuresOf finds the optional interfaces of w.
func featuresOf(w http.ResponseWriter) (m int) {
	if _, ok := w.(http.Flusher); ok {
		m |= flusher
	}
	if _, ok := w.(controller); ok {
		m |= controls
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
	if _, ok := w.(http.CloseNotifier); ok { //nolint:staticcheck // deprecated, and still asked for
		m |= closeNotifier
	}
	if _, ok := w.(io.StringWriter); ok {
		m |= stringWriter
	}
	if _, ok := w.(unwrap); ok {
		m |= unwrapper
	}
	return m
}

// writer is the view of the observer that the handler gets.
func (o *observer) writer() http.ResponseWriter { return wrappers[featuresOf(o.base)](o) }

// wrote notes a final status: the first one counts. Of the informational ones
// only 101 is final.
func (o *observer) wrote(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	if !o.status.CompareAndSwap(0, int32(status)) {
		return
	}
	if r := o.early.Load(); r != 0 {
		o.release(taskpool.Release(r))
	}
}

// seen is the final status as far as it is known. On a hijacked connection
// nobody knows it.
func (o *observer) seen() int32 {
	if o.hijacked.Load() {
		return 0
	}
	return o.status.Load()
}

func (o *observer) writeHeader(status int) {
	o.base.WriteHeader(status) // panics if the status is none
	o.wrote(status)
}

func (o *observer) write(p []byte) (int, error) {
	o.wrote(http.StatusOK)
	return o.base.Write(p)
}

func (o *observer) writeString(s string) (int, error) {
	o.wrote(http.StatusOK)
	return o.base.(io.StringWriter).WriteString(s)
}

func (o *observer) readFrom(r io.Reader) (int64, error) {
	o.wrote(http.StatusOK)
	return o.base.(io.ReaderFrom).ReadFrom(r)
}

func (o *observer) flush() {
	o.wrote(http.StatusOK)
	o.base.(http.Flusher).Flush()
}

func (o *observer) flushError() error {
	o.wrote(http.StatusOK)
	return o.base.(controller).FlushError()
}

func (o *observer) setReadDeadline(t time.Time) error { return o.base.(controller).SetReadDeadline(t) }
func (o *observer) setWriteDeadline(t time.Time) error {
	return o.base.(controller).SetWriteDeadline(t)
}
func (o *observer) enableFullDuplex() error { return o.base.(controller).EnableFullDuplex() }

func (o *observer) hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := o.base.(http.Hijacker).Hijack()
	if err == nil {
		o.hijacked.Store(true)
	}
	return c, rw, err
}

func (o *observer) push(target string, opts *http.PushOptions) error {
	return o.base.(http.Pusher).Push(target, opts)
}

func (o *observer) closeNotify() <-chan bool {
	return o.base.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // as above
}
