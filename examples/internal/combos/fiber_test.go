package combos_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fiberpool "github.com/elite-libs/taskpool/fiber"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cache"
	"github.com/gofiber/fiber/v2/middleware/compress"
	"github.com/gofiber/fiber/v2/middleware/cors"
	"github.com/gofiber/fiber/v2/middleware/etag"
	"github.com/gofiber/fiber/v2/middleware/helmet"
	"github.com/gofiber/fiber/v2/middleware/limiter"
	"github.com/gofiber/fiber/v2/middleware/proxy"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/gofiber/fiber/v2/middleware/requestid"
	"github.com/gofiber/fiber/v2/middleware/session"
	"github.com/gofiber/fiber/v2/middleware/timeout"
)

// fiber is the middleware of Fiber; without a pool, nothing.
func (p *party) fiber() fiber.Handler {
	if p.pool == nil {
		return func(c *fiber.Ctx) error { return c.Next() }
	}
	return fiberpool.Middleware(p.pool)
}

// inFiber routes a site of Fiber's handlers, behind middlewares, the first outermost.
func (p *party) inFiber(all ...fiber.Handler) *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	for _, m := range all {
		app.Use(m)
	}
	handle := func(path string, h fiber.Handler) {
		app.All(path, func(c *fiber.Ctx) error {
			p.stage(c.UserContext())
			return h(c)
		})
	}
	handle("/text", func(c *fiber.Ctx) error { return c.SendString(payload) })
	handle("/small", func(c *fiber.Ctx) error { return c.Status(http.StatusCreated).JSON(fiber.Map{"id": 1}) })
	handle("/empty", func(c *fiber.Ctx) error { return c.SendStatus(http.StatusNoContent) })
	handle("/nothing", func(*fiber.Ctx) error { return nil })
	handle("/error", func(*fiber.Ctx) error { return fiber.ErrBadGateway })
	handle("/failed", func(*fiber.Ctx) error { return errors.New("broken") })
	handle("/redirect", func(c *fiber.Ctx) error { return c.Redirect("/text", http.StatusSeeOther) })
	handle("/reader", func(c *fiber.Ctx) error { return c.SendStream(strings.NewReader(payload)) })
	handle("/writer", func(c *fiber.Ctx) error {
		c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				_ = w.Flush()
			}
		})
		return nil
	})
	handle("/upload", func(c *fiber.Ctx) error {
		p.saw("%d bytes", len(c.Body()))
		return c.SendString(fmt.Sprint(len(c.Body())))
	})
	handle("/slow", timeout.NewWithContext(func(c *fiber.Ctx) error {
		<-c.UserContext().Done()
		return c.UserContext().Err()
	}, briefly))
	return app
}

func usualOfFiber() []request {
	return []request{
		{name: "text", raw: get("/text")},
		{name: "gzip", raw: get("/text", "Accept-Encoding: gzip")},
		{name: "again", raw: get("/text", "Accept-Encoding: gzip")},
		{name: "HEAD", raw: method(http.MethodHead, "/text")},
		{name: "small", raw: get("/small", "Origin: http://shop.test")},
		{name: "empty", raw: get("/empty")},
		{name: "nothing written", raw: get("/nothing")},
		{name: "error", raw: get("/error")},
		{name: "error of one's own", raw: get("/failed")},
		{name: "redirect", raw: get("/redirect")},
		{name: "reader", raw: get("/reader")},
		{name: "stream", raw: get("/writer"), parsed: true},
		{name: "not modified", raw: get("/text", "If-None-Match: \"5100-2411586312\"")},
		{name: "POST", raw: post("/upload", "hello")},
		{name: "chunks", raw: method(http.MethodPost, "/upload", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n"},
		{name: "100-continue", raw: method(http.MethodPost, "/upload", "Expect: 100-continue", "Content-Length: 5") + pause + "hello"},
		{name: "slow", raw: get("/slow")},
	}
}

func TestFiber(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") }))
	t.Cleanup(up.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file.txt"), []byte(payload), 0o600); err != nil {
		t.Fatal(err)
	}
	combos := []combo{
		{name: "alone", requests: usualOfFiber(), app: func(p *party) *fiber.App { return p.inFiber(p.fiber()) }},
		{name: "twice", requests: usualOfFiber(), app: func(p *party) *fiber.App { return p.inFiber(p.fiber(), p.fiber()) }},
		{name: "session", requests: usualOfFiber(), app: func(p *party) *fiber.App { return p.inFiber(p.fiber(), counted(p)) }},
		{name: "proxy", requests: []request{{name: "up", raw: get("/up")}, {name: "POST", raw: post("/up", payload)}}, app: func(p *party) *fiber.App {
			return p.inFiber(p.fiber(), p.stagingFiber, func(c *fiber.Ctx) error { return proxy.Do(c, up.URL) })
		}},
		{name: "static", requests: files(), app: func(p *party) *fiber.App {
			app := fiber.New(fiber.Config{DisableStartupMessage: true})
			app.Use(p.fiber(), p.stagingFiber)
			app.Static("/", dir)
			return app
		}},
		{name: "all of them", requests: usualOfFiber(), app: func(p *party) *fiber.App {
			return p.inFiber(p.fiber(), recover.New(), helmet.New(), cors.New(), compress.New(), etag.New(), counted(p))
		}},
	}
	for _, m := range []struct {
		name string
		make func() fiber.Handler // each party has its own: some keep state
	}{
		{"compress", func() fiber.Handler { return compress.New() }},
		{"etag", func() fiber.Handler { return etag.New() }},
		{"recover", func() fiber.Handler { return recover.New() }},
		{"requestid", func() fiber.Handler { return requestid.New(requestid.Config{Generator: func() string { return "id" }}) }},
		{"limiter", func() fiber.Handler { return limiter.New(limiter.Config{Max: 1000, Expiration: time.Hour}) }},
	} {
		combos = append(combos,
			combo{name: m.name + " inside", requests: usualOfFiber(), app: func(p *party) *fiber.App { return p.inFiber(p.fiber(), m.make()) }},
			combo{name: m.name + " outside", requests: usualOfFiber(), app: func(p *party) *fiber.App { return p.inFiber(m.make(), p.fiber()) }})
	}
	// What is answered from the cache stages outside of it, or nothing does.
	stored := []request{{name: "missed", raw: get("/text")}, {name: "hit", raw: get("/text")}}
	combos = append(combos, combo{name: "cache inside", requests: stored, app: func(p *party) *fiber.App {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Use(p.fiber(), p.stagingFiber, cache.New(cache.Config{Expiration: time.Hour}))
		app.Get("/text", func(c *fiber.Ctx) error { return c.SendString(payload) })
		return app
	}})
	run(t, combos)
}

// stagingFiber stages for what has no handler of its own.
func (p *party) stagingFiber(c *fiber.Ctx) error {
	p.stage(c.UserContext())
	return c.Next()
}

// counted is a middleware with a session.
func counted(p *party) fiber.Handler {
	store := session.New(session.Config{KeyGenerator: func() string { return "session" }})
	return func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			return err
		}
		n, _ := s.Get("n").(int)
		s.Set("n", n+1)
		p.saw("visit %d", n)
		if err := s.Save(); err != nil {
			return err
		}
		return c.Next()
	}
}
