package httppool

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// The views of an observer that handlers get: one for each combination of the
// optional interfaces by which a handler decides what it does, so that an
// assertion gives what it gives on the writer below. The letters are those of
// Flusher, Hijacker, io.ReaderFrom and Pusher. A view is one pointer, and makes an
// interface without an allocation.
type (
	writer     struct{ *observer }
	writerF    struct{ *observer }
	writerH    struct{ *observer }
	writerFH   struct{ *observer }
	writerR    struct{ *observer }
	writerFR   struct{ *observer }
	writerHR   struct{ *observer }
	writerFHR  struct{ *observer }
	writerP    struct{ *observer }
	writerFP   struct{ *observer }
	writerHP   struct{ *observer }
	writerFHP  struct{ *observer }
	writerRP   struct{ *observer }
	writerFRP  struct{ *observer }
	writerHRP  struct{ *observer }
	writerFHRP struct{ *observer }
)

// views makes the view with the interfaces of a set of features.
var views = [...]func(*observer) http.ResponseWriter{
	0:                                        func(o *observer) http.ResponseWriter { return writer{o} },
	flusher:                                  func(o *observer) http.ResponseWriter { return writerF{o} },
	hijacker:                                 func(o *observer) http.ResponseWriter { return writerH{o} },
	flusher | hijacker:                       func(o *observer) http.ResponseWriter { return writerFH{o} },
	readerFrom:                               func(o *observer) http.ResponseWriter { return writerR{o} },
	flusher | readerFrom:                     func(o *observer) http.ResponseWriter { return writerFR{o} },
	hijacker | readerFrom:                    func(o *observer) http.ResponseWriter { return writerHR{o} },
	flusher | hijacker | readerFrom:          func(o *observer) http.ResponseWriter { return writerFHR{o} },
	pusher:                                   func(o *observer) http.ResponseWriter { return writerP{o} },
	flusher | pusher:                         func(o *observer) http.ResponseWriter { return writerFP{o} },
	hijacker | pusher:                        func(o *observer) http.ResponseWriter { return writerHP{o} },
	flusher | hijacker | pusher:              func(o *observer) http.ResponseWriter { return writerFHP{o} },
	readerFrom | pusher:                      func(o *observer) http.ResponseWriter { return writerRP{o} },
	flusher | readerFrom | pusher:            func(o *observer) http.ResponseWriter { return writerFRP{o} },
	hijacker | readerFrom | pusher:           func(o *observer) http.ResponseWriter { return writerHRP{o} },
	flusher | hijacker | readerFrom | pusher: func(o *observer) http.ResponseWriter { return writerFHRP{o} },
}

func (w writerF) Flush()    { w.flush() }
func (w writerFH) Flush()   { w.flush() }
func (w writerFR) Flush()   { w.flush() }
func (w writerFHR) Flush()  { w.flush() }
func (w writerFP) Flush()   { w.flush() }
func (w writerFHP) Flush()  { w.flush() }
func (w writerFRP) Flush()  { w.flush() }
func (w writerFHRP) Flush() { w.flush() }

func (w writerH) Hijack() (net.Conn, *bufio.ReadWriter, error)    { return w.hijack() }
func (w writerFH) Hijack() (net.Conn, *bufio.ReadWriter, error)   { return w.hijack() }
func (w writerHR) Hijack() (net.Conn, *bufio.ReadWriter, error)   { return w.hijack() }
func (w writerFHR) Hijack() (net.Conn, *bufio.ReadWriter, error)  { return w.hijack() }
func (w writerHP) Hijack() (net.Conn, *bufio.ReadWriter, error)   { return w.hijack() }
func (w writerFHP) Hijack() (net.Conn, *bufio.ReadWriter, error)  { return w.hijack() }
func (w writerHRP) Hijack() (net.Conn, *bufio.ReadWriter, error)  { return w.hijack() }
func (w writerFHRP) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }

func (w writerR) ReadFrom(r io.Reader) (int64, error)    { return w.readFrom(r) }
func (w writerFR) ReadFrom(r io.Reader) (int64, error)   { return w.readFrom(r) }
func (w writerHR) ReadFrom(r io.Reader) (int64, error)   { return w.readFrom(r) }
func (w writerFHR) ReadFrom(r io.Reader) (int64, error)  { return w.readFrom(r) }
func (w writerRP) ReadFrom(r io.Reader) (int64, error)   { return w.readFrom(r) }
func (w writerFRP) ReadFrom(r io.Reader) (int64, error)  { return w.readFrom(r) }
func (w writerHRP) ReadFrom(r io.Reader) (int64, error)  { return w.readFrom(r) }
func (w writerFHRP) ReadFrom(r io.Reader) (int64, error) { return w.readFrom(r) }

func (w writerP) Push(target string, opts *http.PushOptions) error    { return w.push(target, opts) }
func (w writerFP) Push(target string, opts *http.PushOptions) error   { return w.push(target, opts) }
func (w writerHP) Push(target string, opts *http.PushOptions) error   { return w.push(target, opts) }
func (w writerFHP) Push(target string, opts *http.PushOptions) error  { return w.push(target, opts) }
func (w writerRP) Push(target string, opts *http.PushOptions) error   { return w.push(target, opts) }
func (w writerFRP) Push(target string, opts *http.PushOptions) error  { return w.push(target, opts) }
func (w writerHRP) Push(target string, opts *http.PushOptions) error  { return w.push(target, opts) }
func (w writerFHRP) Push(target string, opts *http.PushOptions) error { return w.push(target, opts) }
