package httppool

import (
	"context"
	"net/http"
	"sync"
)

// An ending shares the one notification that a server of HTTP/2 gives of the end of
// a stream: the channel of its CloseNotify has room for one value, which whoever
// receives first takes from all others (http2responseWriter.CloseNotify, Go 1.26).
// Here everybody is told: the triggers of all middlewares, and handlers that
// themselves call CloseNotify, as Gin's Context.Stream does.
type ending struct {
	mu    sync.Mutex
	asked bool
	over  bool
	tell  []func() // when it is over

	notify chan bool // what a handler got of CloseNotify; nil if none asked

	server http.ResponseWriter // over HTTP/1, where an error is still to be rendered: the server's own writer; nil else
}

// lowest is the observer nearest to the server, which keeps the ending for all that
// stand on it.
func (o *observer) lowest() *observer {
	for w, low := o.base, o; ; {
		if v, ok := w.(interface{ self() *observer }); ok {
			low = v.self()
		}
		u, wrapped := w.(unwrap)
		if !wrapped {
			return low
		}
		w = u.Unwrap()
	}
}

// endingOf is the ending of an observer, made when it is asked for.
func (o *observer) endingOf() *ending {
	if e := o.ending.Load(); e != nil {
		return e
	}
	o.ending.CompareAndSwap(nil, new(ending))
	return o.ending.Load()
}

// onStreamClosed has f called when the server has handed END_STREAM or RST_STREAM to
// its frame writer, at once if it has already. It reports whether the server tells.
func (o *observer) onStreamClosed(f func()) bool {
	low := o.lowest()
	e := low.endingOf()
	e.mu.Lock()
	if !e.asked {
		closed, ok := closeNotify(innermost(low.base))
		if !ok {
			e.mu.Unlock()
			return false
		}
		e.asked = true
		go func() {
			<-closed
			e.mu.Lock()
			tell := e.tell
			e.over, e.tell = true, nil
			e.mu.Unlock()
			for _, f := range tell {
				f()
			}
		}()
	}
	over := e.over
	if !over {
		e.tell = append(e.tell, f)
	}
	e.mu.Unlock()
	if over {
		f()
	}
	return true
}

// closeNotify asks a server's own writer. That panics if the outermost handler has
// returned, as when this one was left running by a timeout.
func closeNotify(w http.ResponseWriter) (closed <-chan bool, ok bool) {
	n, ok := w.(http.CloseNotifier) //nolint:staticcheck // nothing else tells
	if !ok {
		return nil, false
	}
	defer func() {
		if recover() != nil {
			closed, ok = nil, false
		}
	}()
	return n.CloseNotify(), true
}

// innermost is the writer at the bottom of w: the server's own.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		u, wrapped := w.(unwrap)
		if !wrapped {
			return w
		}
		w = u.Unwrap()
	}
}

// CloseNotify is the server's where it has one. Over HTTP/2 it is a channel of this
// handler's own, for the server's is shared; without one below it tells when the
// request's context ends, which is what net/http says to use instead.
func (o *observer) CloseNotify() <-chan bool {
	if o.proto == 2 {
		if c := o.streamNotify(); c != nil {
			return c
		}
	}
	if n, ok := o.base.(http.CloseNotifier); ok { //nolint:staticcheck // as above
		o.notified.Store(true)
		return n.CloseNotify()
	}
	c := make(chan bool, 1)
	context.AfterFunc(o.ctx, func() { c <- true })
	return c
}

func (o *observer) streamNotify() <-chan bool {
	e := o.endingOf()
	e.mu.Lock()
	c, first := e.notify, e.notify == nil
	if first {
		c = make(chan bool, 1)
		e.notify = c
	}
	e.mu.Unlock()
	if !first {
		return c
	}
	if o.onStreamClosed(func() { c <- true }) {
		return c
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notify = nil
	return nil
}
