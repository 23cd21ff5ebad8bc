package httppool

import (
	"context"
	"net"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"

	taskpool "github.com/elite-libs/taskpool/core"
)

type connKey struct{}

// A conn is what a tracked server knows of one of its connections.
type conn struct {
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
	if srv == nil {
		return
	}
	var conns sync.Map // net.Conn to *conn
	userContext, userState := srv.ConnContext, srv.ConnState
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		if userContext != nil {
			ctx = userContext(ctx, nc)
		}
		if ctx == nil || ctx.Value(connKey{}) != nil || !reflect.TypeOf(nc).Comparable() {
			return ctx
		}
		c := new(conn)
		conns.Store(nc, c)
		return context.WithValue(ctx, connKey{}, c)
	}
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		if userState != nil {
			userState(nc, state)
		}
		if state == http.StateNew || state == http.StateActive || !reflect.TypeOf(nc).Comparable() {
			return
		}
		v, ok := conns.Load(nc)
		if !ok {
			return
		}
		ended := state != http.StateIdle
		if ended {
			conns.Delete(nc)
		}
		v.(*conn).sent(ended)
	}
}

// onSent has o released when the response that o's request waits for is sent.
// A handler that was left running by a timeout may come after that.
func (c *conn) onSent(o *observer) {
	c.mu.Lock()
	if c.ended || c.turn.Load() != o.turn {
		c.mu.Unlock()
		o.release(taskpool.ReleaseFlushed)
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
		o.release(taskpool.ReleaseFlushed)
	}
}
