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

	taskpool "github.com/elite-libs/taskpool/core"
	fiberpool "github.com/elite-libs/taskpool/fiber/fiber3"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/cache"
	"github.com/gofiber/fiber/v3/middleware/compress"
	"github.com/gofiber/fiber/v3/middleware/cors"
	"github.com/gofiber/fiber/v3/middleware/etag"
	"github.com/gofiber/fiber/v3/middleware/helmet"
	"github.com/gofiber/fiber/v3/middleware/limiter"
	"github.com/gofiber/fiber/v3/middleware/proxy"
	"github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/gofiber/fiber/v3/middleware/requestid"
	"github.com/gofiber/fiber/v3/middleware/session"
	"github.com/gofiber/fiber/v3/middleware/static"
	"github.com/gofiber/fiber/v3/middleware/timeout"
)

// fiber3 is the middleware of Fiber 3; without a pool, nothing.
func (p *party) fiber3() fiber.Handler {
	if p.pool == nil {
		return func(c fiber.Ctx) error { return c.Next() }
	}
	return fiberpool.Middleware(p.pool)
}

// inFiber3 routes a site of Fiber 3's handlers, behind middlewares, the first outermost.
func (p *party) inFiber3(all ...fiber.Handler) *fiber.App {
	app := fiber.New()
	for _, m := range all {
		app.Use(m)
	}
	handle := func(path string, h fiber.Handler) {
		app.All(path, func(c fiber.Ctx) error {
			p.stage(c.Context())
			return h(c)
		})
	}
	handle("/text", func(c fiber.Ctx) error { return c.SendString(payload) })
	handle("/small", func(c fiber.Ctx) error { return c.Status(http.StatusCreated).JSON(fiber.Map{"id": 1}) })
	handle("/empty", func(c fiber.Ctx) error { return c.SendStatus(http.StatusNoContent) })
	handle("/nothing", func(fiber.Ctx) error { return nil })
	handle("/error", func(fiber.Ctx) error { return fiber.ErrBadGateway })
	handle("/failed", func(fiber.Ctx) error { return errors.New("broken") })
	handle("/redirect", func(c fiber.Ctx) error { return c.Redirect().Status(http.StatusSeeOther).To("/text") })
	handle("/reader", func(c fiber.Ctx) error { return c.SendStream(strings.NewReader(payload)) })
	handle("/writer", func(c fiber.Ctx) error {
		return c.SendStreamWriter(func(w *bufio.Writer) {
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				_ = w.Flush()
			}
		})
	})
	handle("/upload", func(c fiber.Ctx) error {
		p.saw("%d bytes", len(c.Body()))
		return c.SendString(fmt.Sprint(len(c.Body())))
	})
	handle("/slow", timeout.New(func(c fiber.Ctx) error {
		<-c.Context().Done()
		return c.Context().Err()
	}, timeout.Config{Timeout: briefly}))
	return app
}

// usualOfFiber3 is usualOfFiber, whose timeout gives the request up.
func usualOfFiber3() []request {
	all := usualOfFiber()
	all[len(all)-1].release = taskpool.ReleaseHandlerReturned
	return all
}

func TestFiber3(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") }))
	t.Cleanup(up.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file.txt"), []byte(payload), 0o600); err != nil {
		t.Fatal(err)
	}
	combos := []combo{
		{name: "alone", requests: usualOfFiber3(), app3: func(p *party) *fiber.App { return p.inFiber3(p.fiber3()) }},
		{name: "twice", requests: usualOfFiber3(), app3: func(p *party) *fiber.App { return p.inFiber3(p.fiber3(), p.fiber3()) }},
		{name: "session", requests: usualOfFiber3(), app3: func(p *party) *fiber.App { return p.inFiber3(p.fiber3(), counted3(p)) }},
		{name: "proxy", requests: []request{{name: "up", raw: get("/up")}, {name: "POST", raw: post("/up", payload)}}, app3: func(p *party) *fiber.App {
			return p.inFiber3(p.fiber3(), p.stagingFiber3, func(c fiber.Ctx) error { return proxy.Do(c, up.URL) })
		}},
		{name: "static", requests: files(), app3: func(p *party) *fiber.App {
			app := fiber.New()
			app.Use(p.fiber3(), p.stagingFiber3, static.New(dir))
			return app
		}},
		{name: "all of them", requests: usualOfFiber3(), app3: func(p *party) *fiber.App {
			return p.inFiber3(p.fiber3(), recover.New(), helmet.New(), cors.New(), compress.New(), etag.New(), counted3(p))
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
			combo{name: m.name + " inside", requests: usualOfFiber3(), app3: func(p *party) *fiber.App { return p.inFiber3(p.fiber3(), m.make()) }},
			combo{name: m.name + " outside", requests: usualOfFiber3(), app3: func(p *party) *fiber.App { return p.inFiber3(m.make(), p.fiber3()) }})
	}
	// What is answered from the cache stages outside of it, or nothing does.
	stored := []request{{name: "missed", raw: get("/text")}, {name: "hit", raw: get("/text")}}
	combos = append(combos, combo{name: "cache inside", requests: stored, app3: func(p *party) *fiber.App {
		app := fiber.New()
		app.Use(p.fiber3(), p.stagingFiber3, cache.New(cache.Config{Expiration: time.Hour}))
		app.Get("/text", func(c fiber.Ctx) error { return c.SendString(payload) })
		return app
	}})
	run(t, combos)
}

// stagingFiber3 stages for what has no handler of its own.
func (p *party) stagingFiber3(c fiber.Ctx) error {
	p.stage(c.Context())
	return c.Next()
}

// counted3 is a middleware with a session.
func counted3(p *party) fiber.Handler {
	store := session.NewStore(session.Config{KeyGenerator: func() string { return "session" }})
	return func(c fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			return err
		}
		n, _ := s.Get("n").(int)
		s.Set("n", n+1)
		p.saw("visit %d", n)
		err = s.Save()
		s.Release()
		if err != nil {
			return err
		}
		return c.Next()
	}
}
