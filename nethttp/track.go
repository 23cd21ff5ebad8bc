package httppool

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	taskpool "github.com/elite-libs/taskpool/core"
)

type connKey struct{}

// A conn is what a tracked server knows of one of its connections.
type conn struct {
	server *server
	srv    *http.Server    // nil if the user's ConnContext has hidden it
	base   context.Context // of the connection, as the user made it: what ends it is not the client
	fresh  atomic.Bool     // it has never sent a byte

	hijacked atomic.Bool

	turn atomic.Uint64 // grows when a response has been sent, and at the end

	mu      sync.Mutex
	ended   bool
	waiting []*observer // returned, and their response not yet sent
}

// Track makes releases exact for HTTP/1: the staged tasks of a request start
// after the last write of its response has returned, and Outcome.Exact reports
// true. Without it they start when the outermost handler has returned, which is
// microseconds around the server's final flush. HTTP/2 needs no tracking.
//
// Track links requests and connections through srv.ConnContext and
// srv.ConnState, and keeps the hooks that were there. Call it before the server
// serves, and after setting hooks of your own; twice is once. Serve does it itself.
//
// The server reports StateIdle when finishRequest has flushed, and StateClosed
// after it has flushed and closed (net/http conn.serve, Go 1.26).
func Track(srv *http.Server) {
	if srv != nil {
		tracked(srv)
	}
}

// onSent has o released when the response that o's request waits for is sent.
// A handler that was left running by a timeout may come after that.
func (c *conn) onSent(o *observer) {
	c.mu.Lock()
	if c.ended || c.turn.Load() != o.turn {
		c.mu.Unlock()
		o.sent(taskpool.ReleaseFlushed, o.seen(), false)
		return
	}
	c.waiting = append(c.waiting, o)
	c.mu.Unlock()
}

// sent runs on the connection's goroutine: release only starts things.
func (c *conn) sent(ended bool) {
	c.mu.Lock()
	c.turn.Add(1)
	c.ended = ended
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, o := range waiting {
		if ended { // which is also what follows a response that could not be written
			o.release(taskpool.ReleaseFlushed)
		} else {
			o.sent(taskpool.ReleaseFlushed, o.seen(), false)
		}
	}
}
