package combos_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	fastws "github.com/fasthttp/websocket"
	fiberws "github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"

	coder "github.com/coder/websocket"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"
)

func (p *party) sockets() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/gorilla", func(w http.ResponseWriter, r *http.Request) {
		p.stage(r.Context())
		c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			p.saw("%v", err)
			return
		}
		defer c.Close()
		_, b, err := c.ReadMessage()
		p.saw("%s %v %v", b, err, c.WriteMessage(websocket.TextMessage, b))
	})
	mux.HandleFunc("/coder", func(w http.ResponseWriter, r *http.Request) {
		p.stage(r.Context())
		c, err := coder.Accept(w, r, nil)
		if err != nil {
			p.saw("%v", err)
			return
		}
		defer func() { _ = c.CloseNow() }()
		_, b, err := c.Read(context.WithoutCancel(r.Context()))
		p.saw("%s %v %v", b, err, c.Write(context.WithoutCancel(r.Context()), coder.MessageText, b))
	})
	return mux
}

// sockets are programs that speak WebSocket.
var sockets = []combo{
	{name: "net/http", build: func(p *party) http.Handler { return p.net(p.sockets()) }},
	{name: "otelhttp outside", build: func(p *party) http.Handler { return traced(p.net(p.sockets())) }},
	{name: "otelhttp inside", build: func(p *party) http.Handler { return p.net(traced(p.sockets())) }},
	{name: "chi, its logger's writer", build: func(p *party) http.Handler {
		return p.net(middleware.RequestLogger(quietLog{})(middleware.Recoverer(p.sockets())))
	}},
	{name: "ReverseProxy", build: func(p *party) http.Handler {
		return p.net(p.staged(proxied(p.t, (&party{t: p.t}).sockets())))
	}},
	{name: "Gin", build: func(p *party) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		e := gin.New()
		e.Use(p.gin, gin.RecoveryWithWriter(io.Discard))
		e.GET("/*path", gin.WrapH(p.sockets()))
		return e
	}},
	{name: "Echo", build: func(p *party) http.Handler {
		e := echo.New()
		e.Use(p.echo)
		e.GET("/*", echo.WrapHandler(p.sockets()))
		return e
	}},
	{name: "Fiber", app: func(p *party) *fiber.App {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Use(p.fiber(), p.stagingFiber)
		echo := fiberws.New(func(c *fiberws.Conn) {
			_, b, err := c.ReadMessage()
			p.saw("%s %v %v", b, err, c.WriteMessage(websocket.TextMessage, b))
		})
		app.Get("/gorilla", echo).Get("/coder", echo)
		return app
	}},
	{name: "Fiber 3", app3: func(p *party) *fiber3.App {
		app := fiber3.New()
		app.Use(p.fiber3(), p.stagingFiber3)
		echo := func(c fiber3.Ctx) error {
			var up fastws.FastHTTPUpgrader
			return up.Upgrade(c.RequestCtx(), func(c *fastws.Conn) {
				_, b, err := c.ReadMessage()
				p.saw("%s %v %v", b, err, c.WriteMessage(websocket.TextMessage, b))
			})
		}
		app.Get("/gorilla", echo).Get("/coder", echo)
		return app
	}},
}

// quietLog is a log of chi's that writes nothing.
type quietLog struct{}

func (quietLog) NewLogEntry(*http.Request) middleware.LogEntry   { return quietLog{} }
func (quietLog) Write(int, int, http.Header, time.Duration, any) {}
func (quietLog) Panic(any, []byte)                               {}

// TestWebSockets speaks with each server by gorilla's client.
func TestWebSockets(t *testing.T) {
	modes := []mode{tracked}
	if inFull() {
		modes = []mode{tracked, untracked}
	}
	for _, c := range sockets {
		for _, m := range modes {
			if c.servesItself() && m == untracked {
				continue
			}
			t.Run(c.name+"/"+m.String(), func(t *testing.T) {
				var bare, with party
				c.serve(t, m, &bare, nil)
				c.serve(t, m, &with, with.newPool())
				for _, path := range []string{"/gorilla", "/coder"} {
					ran.Add(1)
					want, got := talk(t, &bare, path), talk(t, &with, path)
					if got != want || got != "hello" {
						t.Errorf("%s: got %q, without %q", path, got, want)
					}
					release := taskpool.ReleaseHandlerReturned
					if c.servesItself() {
						release = taskpool.ReleaseFlushed // as the hijack handler has ended
					}
					with.count.Store(0)
					with.check(request{release: release}, m, 0)
					if got, want := with.observed(), bare.observed(); got != want {
						t.Errorf("%s: the handler sees %q, without the pool %q", path, got, want)
					}
				}
				if _, err := with.pool.Done(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func talk(t *testing.T, p *party, path string) string {
	t.Helper()
	c, resp, err := websocket.DefaultDialer.Dial("ws://"+p.wire.Addr().String()+path, nil)
	if err != nil {
		t.Fatalf("%s: %v (%v)", path, err, resp)
	}
	defer resp.Body.Close()
	defer c.Close()
	if err := c.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Error(err)
	}
	_, b, err := c.ReadMessage()
	if err != nil {
		t.Error(err)
	}
	_, _, _ = c.ReadMessage() // until the handler has returned, and closed
	return string(b)
}
