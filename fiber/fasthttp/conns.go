package fastpool

import (
	"crypto/tls"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// conns are the connections of a server, the hijacked ones among them as long as
// their handlers run.
type conns struct {
	stopping atomic.Bool // the server is told to stop
	seen     atomic.Bool // there has been one
	hidden   bool        // the server wraps them itself, and tells of others (Server.MaxConnsPerIP)

	mu  sync.Mutex
	all map[*conn]struct{}
}

// A listener makes conns of what it accepts.
type listener struct {
	net.Listener
	srv *fasthttp.Server
	of  *conns
}

// track has the connections of ln known, which srv is to serve.
func track(srv *fasthttp.Server, ln net.Listener) (net.Listener, *conns) {
	of := &conns{hidden: srv.MaxConnsPerIP > 0, all: make(map[*conn]struct{})}
	next := srv.ConnState
	srv.ConnState = func(nc net.Conn, s fasthttp.ConnState) {
		if next != nil {
			next(nc, s)
		}
		of.seen.Store(true)
		if t, ok := nc.(tracked); ok {
			t.tracked().state(s)
		}
	}
	return &listener{ln, srv, of}, of
}

func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nc, err
	}
	l.keepAlive(nc)
	return l.of.add(nc), nil
}

// keepAlive does what the server would, which looks for a *net.TCPConn (acceptConn,
// fasthttp 1.51).
func (l *listener) keepAlive(nc net.Conn) {
	if tcp, ok := nc.(interface {
		SetKeepAlive(on bool) error
		SetKeepAlivePeriod(d time.Duration) error
	}); ok && l.srv.TCPKeepalive {
		_ = tcp.SetKeepAlive(true)
		if l.srv.TCPKeepalivePeriod > 0 {
			_ = tcp.SetKeepAlivePeriod(l.srv.TCPKeepalivePeriod)
		}
	}
}

// add makes a conn of nc, with the interfaces of nc that fasthttp looks for.
func (cs *conns) add(nc net.Conn) net.Conn {
	c := &conn{Conn: nc, of: cs}
	cs.mu.Lock()
	cs.all[c] = struct{}{}
	cs.mu.Unlock()
	switch nc := nc.(type) {
	case interface {
		Handshake() error
		ConnectionState() tls.ConnectionState
	}:
		return tlsConn{c, nc}
	case io.ReaderFrom:
		return sendfileConn{c, nc}
	}
	return c
}

func (cs *conns) remove(c *conn) {
	cs.mu.Lock()
	delete(cs.all, c)
	cs.mu.Unlock()
}

func (cs *conns) open() []*conn {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Collect(maps.Keys(cs.all))
}

// closeAll closes what is open and not hijacked, and reports whether there was a
// request. Clients connect in advance, too.
func (cs *conns) closeAll() (busy bool) {
	for _, c := range cs.open() {
		c.mu.Lock()
		hijacked := c.hijacked
		busy = busy || !hijacked && c.spoke && !c.parked
		c.mu.Unlock()
		if !hijacked {
			_ = c.end()
		}
	}
	return busy
}

// giveUp ends the requests that hijacked their connections, for their scopes:
// whoever waits for tasks does not wait for the handlers, which may run for ever.
func (cs *conns) giveUp() {
	for _, c := range cs.open() {
		c.mu.Lock()
		p := c.upgraded
		c.mu.Unlock()
		if p != nil {
			p.exchange.Returned(p.outcome)
		}
	}
}
