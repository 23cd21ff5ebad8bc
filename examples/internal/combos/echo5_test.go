package combos_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	echopool "github.com/elite-libs/taskpool/echo/echo5"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

// echo5 is the middleware of Echo 5; without a pool, nothing.
func (p *party) echo5(next echo.HandlerFunc) echo.HandlerFunc {
	if p.pool == nil {
		return next
	}
	return echopool.Middleware(p.pool)(next)
}

// staging5 stages for what has no handler of its own.
func (p *party) staging5(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		p.stage(c.Request().Context())
		return next(c)
	}
}

// inEcho5 routes the site by Echo 5, behind middlewares, the first outermost.
func (p *party) inEcho5(all ...echo.MiddlewareFunc) http.Handler {
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler)
	e.Use(all...)
	e.Any("/*", echo.WrapHandler(p.site()))
	e.GET("/json", func(c *echo.Context) error {
		p.stage(c.Request().Context())
		return c.JSON(http.StatusCreated, map[string]int{"id": 1})
	})
	e.GET("/failed", func(c *echo.Context) error {
		p.stage(c.Request().Context())
		return echo.NewHTTPError(http.StatusConflict, "taken")
	})
	e.GET("/reader", func(c *echo.Context) error {
		p.stage(c.Request().Context())
		return c.Stream(http.StatusOK, "text/plain", strings.NewReader(payload))
	})
	return e
}

func TestEcho5(t *testing.T) {
	dumps := func(p *party) echo.MiddlewareFunc {
		return middleware.BodyDump(func(_ *echo.Context, in, out []byte, _ error) { p.saw("%d in, %d out", len(in), len(out)) })
	}
	own := ofEcho()
	combos := []combo{
		{name: "alone", requests: own, build: func(p *party) http.Handler { return p.inEcho5(p.echo5) }},
		{name: "under httppool too", requests: own, build: func(p *party) http.Handler { return p.net(p.inEcho5(p.echo5)) }},
		{name: "under httppool alone", requests: own, build: func(p *party) http.Handler { return p.net(p.inEcho5()) }},
		{name: "BodyDump inside", requests: own, build: func(p *party) http.Handler { return p.inEcho5(p.echo5, dumps(p)) }},
		{name: "BodyDump outside", requests: own, build: func(p *party) http.Handler { return p.inEcho5(dumps(p), p.echo5) }},
		{name: "ContextTimeout inside, late", requests: slow(0), build: func(p *party) http.Handler { return p.inEcho5(p.echo5, middleware.ContextTimeout(briefly)) }},
		{name: "all of them", requests: own, build: func(p *party) http.Handler {
			return p.inEcho5(p.echo5, middleware.Recover(), middleware.CORS("*"), middleware.Secure(), middleware.Decompress(), dumps(p), middleware.Gzip(), middleware.ContextTimeout(patience))
		}},
	}
	for _, m := range []struct {
		name string
		echo.MiddlewareFunc
	}{
		{"Gzip", middleware.Gzip()},
		{"Gzip from 2 KB", middleware.GzipWithConfig(middleware.GzipConfig{MinLength: 2048})},
		{"Decompress", middleware.Decompress()},
		{"ContextTimeout", middleware.ContextTimeout(patience)},
		{"Recover", middleware.Recover()},
		{"CORS", middleware.CORS("*")},
		{"BodyLimit", middleware.BodyLimit(1 << 20)},
	} {
		combos = append(combos,
			combo{name: m.name + " inside", requests: own, build: func(p *party) http.Handler { return p.inEcho5(p.echo5, m.MiddlewareFunc) }},
			combo{name: m.name + " outside", requests: own, build: func(p *party) http.Handler { return p.inEcho5(m.MiddlewareFunc, p.echo5) }})
	}
	run(t, combos)
}

// Proxy and Static have handlers of their own: something before them stages.
func TestEcho5ServesOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file.txt"), []byte(payload), 0o600); err != nil {
		t.Fatal(err)
	}
	up := httptest.NewServer((&party{t: t}).site())
	t.Cleanup(up.Close)
	target, err := url.Parse(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	half := map[string]request{"abort": {unlike: absent}} // as with Echo 4
	run(t, []combo{
		{name: "Proxy", parsed: true, except: half, build: func(p *party) http.Handler {
			return p.inEcho5(p.echo5, p.staging5, middleware.Proxy(middleware.NewRoundRobinBalancer([]*middleware.ProxyTarget{{URL: target}})))
		}},
		{name: "Static", requests: files(), build: func(p *party) http.Handler {
			e := echo.New()
			e.Use(p.echo5, p.staging5, middleware.Static(dir))
			return e
		}},
	})
}
