package fiberpool_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	fiberpool "github.com/elite-libs/taskpool/fiber/fiber3"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
)

// Code that gets one of Fiber's own contexts finds the scope, and so does a handler
// of net/http that is mounted in the app.
func TestScopeIsFoundInFibersOwnContexts(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	got := make(chan taskpool.Outcome, 1)
	stage := func(ctx context.Context) error { return taskpool.FromContext(ctx).OnSuccess(outcome(got)) }
	app := newApp()
	app.Use(fiberpool.Middleware(p))
	app.Get("/own", func(c fiber.Ctx) error { return stage(c) })
	app.Get("/adapted", adaptor.HTTPHandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := stage(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	url := start(t, app)
	for _, path := range []string{"/own", "/adapted"} {
		if status, body := get(t, url+path); status != http.StatusOK {
			t.Fatalf("%s: got %d %s, want 200", path, status, body)
		}
		<-got
	}
}

// Nothing tells an app that is called by a handler of net/http of the response.
func TestAnAppWithoutAServerStartsTasksWhenTheHandlerHasReturned(t *testing.T) {
	p := taskpool.New(taskpool.Config{Grace: time.Hour})
	got := make(chan taskpool.Outcome, 1)
	app := newApp()
	app.Use(fiberpool.Middleware(p))
	app.Get("/", func(c fiber.Ctx) error {
		must(t, fiberpool.From(c).AfterResponse(outcome(got)))
		return c.SendStatus(fiber.StatusAccepted)
	})
	srv := httptest.NewServer(adaptor.FiberApp(app))
	defer srv.Close()
	get(t, srv.URL)
	if o := <-got; o.Release != taskpool.ReleaseNoServer || o.Status != fiber.StatusAccepted {
		t.Errorf("got %+v, want 202, no server", o)
	}
}

// The limit is an hour: a WebSocket that was waited for hangs the test.
func TestAHijackedConnectionWhoseTasksHaveEndedHoldsNobodyUp(t *testing.T) {
	p := taskpool.New(taskpool.Config{Grace: time.Hour})
	added, ended, free := make(chan error), make(chan struct{}), make(chan struct{})
	defer close(free)
	staged := make(chan taskpool.Outcome, 1)
	app := newApp()
	app.Use(fiberpool.Middleware(p))
	app.Get("/", func(c fiber.Ctx) error {
		scope := fiberpool.From(c)
		must(t, scope.AfterResponse(outcome(staged)))
		c.RequestCtx().Hijack(func(net.Conn) {
			added <- scope.Add(func(context.Context) error { close(ended); return nil })
			<-free
		})
		return nil
	})
	ln := listen(t)
	stop, served := run(t, app, ln, p, time.Hour)
	c, err := net.Dial("tcp", ln.Addr().String())
	must(t, err)
	defer func() { _ = c.Close() }()
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	must(t, err)
	must(t, <-added)
	<-ended
	stop()
	must(t, <-served)
	if o := <-staged; o.Release != taskpool.ReleasePoolDone {
		t.Errorf("got %v, want pool done", o.Release)
	}
}

// A request of a connection that seemed idle is answered, or its handler does not
// run.
func TestShutdownAnswersEveryRequestThatItCarriesOut(t *testing.T) {
	for range 8 {
		var carriedOut, answered atomic.Int64
		app := newApp()
		app.Use(fiberpool.Middleware(nil))
		app.Get("/", func(fiber.Ctx) error {
			carriedOut.Add(1)
			return nil
		})
		ln := listen(t)
		stop, served := run(t, app, ln, taskpool.New(taskpool.Config{}), time.Minute)
		var clients sync.WaitGroup
		for range 16 {
			clients.Go(func() {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					return
				}
				defer func() { _ = c.Close() }()
				for from := bufio.NewReader(c); ; answered.Add(1) {
					if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
						return
					}
					resp, err := http.ReadResponse(from, nil)
					if err != nil {
						return
					}
					_, err = io.Copy(io.Discard, resp.Body)
					if _ = resp.Body.Close(); err != nil {
						return
					}
				}
			})
		}
		for carriedOut.Load() < 1000 {
			get(t, "http://"+ln.Addr().String())
			answered.Add(1)
		}
		stop()
		must(t, <-served)
		clients.Wait()
		if done, told := carriedOut.Load(), answered.Load(); done != told {
			t.Errorf("%d requests were carried out, %d answered", done, told)
		}
	}
}

// A handler may close its connection, also while the server stops: with nothing sent, or with its answer sent early.
func TestHandlerClosesItsConnectionAtAShutdown(t *testing.T) {
	for name, test := range map[string]struct {
		end   func(fiber.Ctx) error
		lines int
	}{"Drop": {fiber.Ctx.Drop, 0}, "End": {fiber.Ctx.End, 1}} {
		t.Run(name, func(t *testing.T) {
			in, stopped := make(chan struct{}), make(chan struct{})
			app := newApp()
			app.Get("/", func(c fiber.Ctx) error {
				close(in)
				<-stopped
				if err := c.SendString("x"); err != nil {
					return err
				}
				return test.end(c)
			})
			ln := openDoor(t)
			stop, served := run(t, app, ln, taskpool.New(taskpool.Config{}), time.Minute)
			conn, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			defer func() { _ = conn.Close() }()
			must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			must(t, err)
			<-in
			stop()
			<-ln.closed
			close(stopped)
			got, _ := io.ReadAll(conn) // a reset is an end too
			if n := strings.Count(string(got), "HTTP/1.1"); n != test.lines {
				t.Errorf("got %q, want %d responses", got, test.lines)
			}
			must(t, <-served)
		})
	}
}

func TestServeClosesTheListenerThatItRefuses(t *testing.T) {
	ln := listen(t)
	if fiberpool.Serve(t.Context(), newApp(), ln, nil, 0) == nil {
		t.Error("a nil Source is served")
	}
	if c, err := ln.Accept(); err == nil {
		_ = c.Close()
		t.Error("the port is still bound")
	}
}
