package fiberpool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// DefaultLimit is how long Serve takes to shut down if it is told no limit: a
// little less than the 30 s after which Kubernetes and others kill.
const DefaultLimit = 25 * time.Second

// Serve serves app on ln until ctx ends; then it shuts down within limit and
// returns. ln is closed then. src is the Source that the middleware was given; a
// nil one is refused with an error.
//
// Shutting down is in this order. The app accepts no more and finishes its
// requests; for that it has half of limit, then what is still open is closed,
// so that a stream cannot eat the time of the tasks. Then src.Done finishes the
// tasks with all the time that is left. If they do not end in it, Done cuts them
// short, which takes a second more for a task that does not heed its context, and
// another for a hook that hangs. A limit of 0 or less means DefaultLimit.
//
// The error joins those of serving, of the app's shutdown and of Done; it is nil
// if nothing was cut short or given up, and names the first of the tasks that were.
// What tasks returned is in no error: they are logged,
// and in the Report of src.Done, which may be called again for it. If it cannot
// accept, Serve returns the error at once and finalizes nothing. If somebody else
// shuts the app down, the same follows as when ctx ends. A src that is a
// taskpool.Hold is refused with ErrHold.
func Serve(ctx context.Context, app *fiber.App, ln net.Listener, src taskpool.Source, limit time.Duration) error {
	switch {
	case app == nil || ln == nil:
		return errors.New("fiberpool: nil fiber.App or net.Listener")
	case src == nil:
		return errors.New("fiberpool: nil Source: pass the one that the middleware was given")
	}
	if _, x := src.Begin(ctx); x.Held() {
		return ErrHold
	}
	if limit <= 0 {
		limit = DefaultLimit
	}
	if err := closed(ln); err != nil {
		return fmt.Errorf("fiberpool: %w", err)
	}
	conns := watch(app.Server())
	served := make(chan error, 1)
	go func() { served <- app.Listener(ln) }()
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-served:
		if failed != nil && !conns.seen() {
			return fmt.Errorf("fiberpool: %w", failed)
		}
		served <- nil // for the wait below
	}
	all, cancelAll := context.WithTimeout(context.Background(), limit)
	defer cancelAll()
	half, cancelHalf := context.WithTimeout(all, limit/2)
	defer cancelHalf()

	if err := app.ShutdownWithContext(half); err != nil && conns.closeAll() {
		failed = errors.Join(failed, fmt.Errorf("fiberpool: requests were still open at half of the limit of %v: %w", limit, err))
	}
	_ = ln.Close() // had the app not begun to serve, it would begin now
	failed = errors.Join(failed, <-served)
	_, err := src.Done(all)
	return errors.Join(failed, err)
}

// closed says whether ln is closed, where it can. fasthttp's Serve returns nil then,
// as after a shutdown.
func closed(ln net.Listener) error {
	if ln, ok := ln.(interface{ SetDeadline(time.Time) error }); ok {
		return ln.SetDeadline(time.Time{})
	}
	return nil
}

// conns are the connections of a server, and how far each has come: fasthttp
// closes the idle ones when it shuts down, but has no Close for the others.
type conns struct {
	mu    sync.Mutex
	state map[net.Conn]fasthttp.ConnState // nil before the first one
}

func watch(srv *fasthttp.Server) *conns {
	cs := new(conns)
	next := srv.ConnState
	srv.ConnState = func(c net.Conn, s fasthttp.ConnState) {
		if next != nil {
			next(c, s)
		}
		if !reflect.TypeOf(c).Comparable() {
			return
		}
		cs.mu.Lock()
		defer cs.mu.Unlock()
		if s == fasthttp.StateClosed || s == fasthttp.StateHijacked {
			delete(cs.state, c)
			return
		}
		if cs.state == nil {
			cs.state = make(map[net.Conn]fasthttp.ConnState)
		}
		if was, ok := cs.state[c]; ok && was == fasthttp.StateNew && s == fasthttp.StateActive {
			return // before its first byte: Server.serveConn, fasthttp 1.51 and 1.78
		}
		cs.state[c] = s
	}
	handler := srv.Handler
	srv.Handler = func(rctx *fasthttp.RequestCtx) {
		if rctx.ConnRequestNum() == 1 {
			cs.active(rctx.Conn())
		}
		handler(rctx)
	}
	return cs
}

// active notes the first request of a connection.
func (cs *conns) active(c net.Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if !reflect.TypeOf(c).Comparable() {
		return
	}
	if _, ok := cs.state[c]; ok {
		cs.state[c] = fasthttp.StateActive
	}
}

func (cs *conns) seen() bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.state != nil
}

// closeAll closes what is open, and reports whether there was a request. Clients
// connect in advance, too.
func (cs *conns) closeAll() (busy bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c, s := range cs.state {
		busy = busy || s == fasthttp.StateActive
		_ = c.Close()
	}
	return busy
}
