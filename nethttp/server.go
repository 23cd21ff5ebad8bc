package httppool

import (
	"context"
	"net"
	"net/http"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"
)

// A server is what is known of an http.Server that is tracked.
type server struct {
	running atomic.Int64 // handlers, not counting those that have hijacked their connection
	ending  atomic.Bool  // somebody waits for running to be 0

	seen  atomic.Bool  // there has been a connection
	open  atomic.Int64 // connections now, not counting those that were hijacked
	fresh atomic.Int64 // those of them that have never sent a byte

	conns sync.Map // net.Conn to *conn

	mu    sync.Mutex
	quiet []chan struct{} // closed when running is 0
}

// The servers that are tracked. A server that is served on two listeners at once has
// one entry, and its hooks are set before either begins.
var servers struct {
	mu  sync.Mutex
	all map[weak.Pointer[http.Server]]*server
}

// tracked is the server of srv, whose hooks it sets the first time.
func tracked(srv *http.Server) *server {
	servers.mu.Lock()
	defer servers.mu.Unlock()
	key := weak.Make(srv)
	if s := servers.all[key]; s != nil {
		return s
	}
	s := new(server)
	s.hook(srv)
	if servers.all == nil {
		servers.all = make(map[weak.Pointer[http.Server]]*server)
	}
	servers.all[key] = s
	runtime.AddCleanup(srv, func(key weak.Pointer[http.Server]) {
		servers.mu.Lock()
		defer servers.mu.Unlock()
		delete(servers.all, key)
	}, key)
	return s
}

func (s *server) hook(srv *http.Server) {
	userContext, userState := srv.ConnContext, srv.ConnState
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		if userContext != nil {
			ctx = userContext(ctx, nc)
		}
		if ctx == nil || !reflect.TypeOf(nc).Comparable() {
			return ctx
		}
		c := &conn{server: s, base: ctx}
		c.srv, _ = ctx.Value(http.ServerContextKey).(*http.Server)
		s.conns.Store(nc, c)
		return context.WithValue(ctx, connKey{}, c)
	}
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		if userState != nil {
			userState(nc, state)
		}
		s.changed(nc, state)
	}
}

// changed is told of each change of a connection's state, of which the goroutine that
// serves it makes all but the first.
func (s *server) changed(nc net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.seen.Store(true)
		s.open.Add(1)
	case http.StateActive:
		if s.fresh.Load() == 0 { // it is none of them, as most are not: nothing need be looked up
			return
		}
	case http.StateClosed, http.StateHijacked:
		s.open.Add(-1)
	}
	if !reflect.TypeOf(nc).Comparable() {
		return
	}
	v, ok := s.conns.Load(nc)
	if !ok {
		return
	}
	c := v.(*conn)
	if state == http.StateNew {
		c.fresh.Store(true)
		s.fresh.Add(1)
		return
	}
	if c.fresh.Load() {
		c.fresh.Store(false)
		s.fresh.Add(-1)
	}
	switch state {
	case http.StateIdle:
		c.sent(false)
	case http.StateClosed, http.StateHijacked:
		s.conns.Delete(nc)
		if state == http.StateHijacked {
			c.hijacked.Store(true)
		}
		c.sent(true)
	}
}

// busy reports whether a connection is open that has sent something. Shutdown
// closes the idle ones, but waits 5 s for those that are fresh, as browsers and
// clients leave them that connect in advance (net/http closeIdleConns, Go 1.26).
func (s *server) busy() bool {
	return s.open.Load() > s.fresh.Load() || s.running.Load() > 0
}

func (s *server) enter() { s.running.Add(1) }

func (s *server) leave() {
	if s.running.Add(-1) == 0 && s.ending.Load() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.quiet {
			close(c)
		}
		s.quiet = nil
	}
}

// wait waits until no handler runs. http.Server.Shutdown has waited for those of its
// own connections, but not for what a connection that was hijacked still serves, as
// the requests of package h2c, nor for what an outer timeout has left running.
func (s *server) wait(ctx context.Context) error {
	s.ending.Store(true)
	c := make(chan struct{})
	s.mu.Lock()
	s.quiet = append(s.quiet, c)
	s.mu.Unlock()
	if s.running.Load() == 0 {
		return nil
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
