package pooltest

import (
	"io"
	"net"
	"os"
	"slices"
	"sync"
)

// A listener accepts on the loopback interface, and its connections record what
// the server writes.
type listener struct {
	net.Listener
	journal *journal

	mu     sync.Mutex // protects what follows
	conns  []*conn
	holdAt int // the write of the first connection whose return is withheld; from 1, 0 means none
	held   *gate
	let    *gate
}

func (r *run) listen(j *journal) *listener {
	r.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	return &listener{Listener: ln, journal: j, held: r.gate(), let: r.gate()}
}

// Accept gives every connection its number, from 1, in the order of acceptance.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	rec := &conn{TCPConn: c.(*net.TCPConn), listener: l, number: len(l.conns) + 1}
	l.conns = append(l.conns, rec)
	return rec, nil
}

// hold has the n-th write of the first connection not return, though all of it
// is written, before l.let is opened. It is called before anybody connects.
func (l *listener) hold(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holdAt = n
}

// accepted is how many connections there were.
func (l *listener) accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// writes are those of the n-th connection, from 1.
func (l *listener) writes(n int) []write {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n > len(l.conns) {
		return nil
	}
	return slices.Clone(l.conns[n-1].writes)
}

// A write is one call by which the server handed bytes to a connection.
type write struct {
	bytes    int  // 0 for ReadFrom
	readFrom bool // ReadFrom was called, not Write
	file     bool // … with a file: the kernel copies it, as with sendfile
}

// A conn is a server's connection. It has all that a *net.TCPConn has: to
// net/http it looks like one, but for its type.
type conn struct {
	*net.TCPConn
	listener *listener
	number   int
	writes   []write // protected by listener.mu
}

func (c *conn) Write(p []byte) (int, error) {
	done := c.begin(write{bytes: len(p)})
	defer done()
	return c.TCPConn.Write(p)
}

// ReadFrom is what net/http calls for a file, if the handler's writer was asked
// by its own ReadFrom: response.ReadFrom in net/http/server.go.
func (c *conn) ReadFrom(src io.Reader) (int64, error) {
	done := c.begin(write{readFrom: true, file: isFile(src)})
	defer done()
	return c.TCPConn.ReadFrom(src)
}

func isFile(src io.Reader) bool {
	for {
		limited, ok := src.(*io.LimitedReader)
		if !ok {
			break
		}
		src = limited.R
	}
	_, ok := src.(*os.File)
	return ok
}

func (c *conn) Close() error {
	c.listener.journal.note("connection %d: closed by the server", c.number)
	return c.TCPConn.Close()
}

// begin records a write before it is made, so that a client that has the bytes
// finds the record. done is called when it has been made, and may hold it.
func (c *conn) begin(w write) (done func()) {
	l, j := c.listener, c.listener.journal
	l.mu.Lock()
	c.writes = append(c.writes, w)
	n := len(c.writes)
	hold := c.number == 1 && n == l.holdAt
	l.mu.Unlock()
	j.note("connection %d: write %d begins (%d bytes)", c.number, n, w.bytes)
	return func() {
		if hold {
			j.note("connection %d: write %d is withheld", c.number, n)
			l.held.open()
			<-l.let.opened
		}
		j.note("connection %d: write %d returns", c.number, n)
	}
}
