package fastpool

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"sync"

	"github.com/valyala/fasthttp"
)

// A conn is a connection of a tracked server. It knows two things that fasthttp
// tells nobody: whether what was written is flushed, and whether the server waits
// for a request or has begun to read one.
//
// The server parks in a Read when its buffers are empty: what it has written
// before is flushed then, and the connection is idle. Whoever closes a connection
// that only seems idle takes a request with it that has been read and will be
// carried out (fasthttp's closeIdleConns, before 1.78).
type conn struct {
	net.Conn
	of *conns

	mu       sync.Mutex // protects what follows
	spoke    bool       // the client has sent something
	active   bool       // from StateActive to StateIdle. Before the first byte too: Server.serveConn, fasthttp 1.51
	parked   bool
	ending   bool // Close has come while the server was at work
	ended    bool
	hijacked bool
	waiting  []*pending // written, and maybe not flushed
	upgraded *pending   // of the request that hijacked the connection
}

// tracked is what a conn and what wraps it have.
type tracked interface{ tracked() *conn }

func (c *conn) tracked() *conn { return c }

// NetConn returns the connection that the listener gave, like that of a tls.Conn.
func (c *conn) NetConn() net.Conn { return c.Conn }

func (c *conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	c.parked = !c.active || !c.spoke
	if c.parked && c.ending {
		c.mu.Unlock()
		return 0, io.EOF
	}
	var sent []*pending
	if c.parked {
		sent, c.waiting = c.waiting, nil
	}
	c.mu.Unlock()
	release(sent)

	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parked && c.ended { // a request that has come too late: nobody will answer it, so nobody sees it
		n, err = 0, io.EOF
	}
	c.parked = false
	c.spoke = c.spoke || n > 0
	return n, err
}

// Write carries all that was buffered before it, since a bufio.Writer keeps the
// order: what waits is flushed when it returns.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.flushed()
	return n, err
}

// Close of a connection that the server works on may come from who takes it for idle.
// From a handler, as Fiber 3's Drop and End, and from the server itself it is meant.
func (c *conn) Close() error {
	c.mu.Lock()
	if c.of.stopping.Load() && !c.of.hidden && !c.parked && !c.hijacked && takenForIdle() {
		c.ending = true
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	return c.end()
}

// takenForIdle reports whether it is called from fasthttp's closeIdleConns: nothing else
// tells one Close from another.
func takenForIdle() bool {
	pc := make([]uintptr, 8)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); f.Function == "github.com/valyala/fasthttp.(*Server).closeIdleConns" {
			return true
		}
	}
	return false
}

func (c *conn) end() error {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return nil
	}
	c.ended = true
	c.mu.Unlock()
	err := c.Conn.Close()
	c.flushed()
	c.of.remove(c)
	return err
}

// await has p told when what is written is flushed.
func (c *conn) await(p *pending) {
	c.mu.Lock()
	if !c.ended {
		c.waiting = append(c.waiting, p)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	p.flushed()
}

func (c *conn) flushed() {
	c.mu.Lock()
	sent := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	release(sent)
}

func release(sent []*pending) {
	for _, p := range sent {
		p.flushed()
	}
}

// hijack notes the request that hijacked the connection; nil when its handler has
// ended.
func (c *conn) hijack(p *pending) {
	c.mu.Lock()
	c.upgraded = p
	c.mu.Unlock()
	if p == nil { // and nobody else closes a connection that is kept (Server.KeepHijackedConns)
		c.of.remove(c)
	}
}

// state is told by the server, in the goroutine that serves the connection.
func (c *conn) state(s fasthttp.ConnState) {
	c.mu.Lock()
	over := s == fasthttp.StateClosed
	switch s {
	case fasthttp.StateActive:
		c.active = true
	case fasthttp.StateIdle:
		c.active = false
	case fasthttp.StateHijacked:
		c.hijacked = true
		over = c.ending // its handler was faster than the server
	}
	c.mu.Unlock()
	if over {
		_ = c.end()
	}
}

// A sendfileConn has what the kernel needs to send a file.
type sendfileConn struct {
	*conn
	from io.ReaderFrom
}

func (c sendfileConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.from.ReadFrom(r)
	c.flushed()
	return n, err
}

// A tlsConn has what fasthttp knows TLS by.
type tlsConn struct {
	*conn
	tls interface {
		Handshake() error
		ConnectionState() tls.ConnectionState
	}
}

func (c tlsConn) Handshake() error                     { return c.tls.Handshake() }
func (c tlsConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }
