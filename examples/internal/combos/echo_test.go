package combos_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	echopool "github.com/elite-libs/taskpool/echo"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// echo is the middleware of Echo; without a pool, nothing.
func (p *party) echo(next echo.HandlerFunc) echo.HandlerFunc {
	if p.pool == nil {
		return next
	}
	return echopool.Middleware(p.pool)(next)
}

// staging stages for what has no handler of its own.
func (p *party) staging(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		p.stage(c.Request().Context())
		return next(c)
	}
}

// inEcho routes the site by Echo, behind middlewares, the first outermost.
func (p *party) inEcho(all ...echo.MiddlewareFunc) http.Handler {
	e := echo.New()
	e.Logger.SetOutput(discard{})
	e.Use(all...)
	e.Any("/*", echo.WrapHandler(p.site()))
	e.GET("/json", func(c echo.Context) error {
		p.stage(c.Request().Context())
		return c.JSON(http.StatusCreated, echo.Map{"id": 1})
	})
	e.GET("/failed", func(c echo.Context) error { p.stage(c.Request().Context()); return echo.ErrConflict })
	e.GET("/reader", func(c echo.Context) error {
		p.stage(c.Request().Context())
		return c.Stream(http.StatusOK, "text/plain", strings.NewReader(payload))
	})
	return e
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// ofEcho is what Echo's combos are asked.
func ofEcho() []request {
	return append(usual(),
		request{name: "c.JSON", raw: get("/json", "Accept-Encoding: gzip")},
		request{name: "an error", raw: get("/failed", "Accept-Encoding: gzip")},
		request{name: "c.Stream", raw: get("/reader")},
		request{name: "POST, gzip", raw: post("/upload", zipped(payload), "Content-Encoding: gzip")})
}

func zipped(s string) string {
	var b strings.Builder
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

// files is what those are asked that serve a directory with a file.txt.
func files() []request {
	return []request{
		{name: "file", raw: get("/file.txt")},
		{name: "range", raw: get("/file.txt", "Range: bytes=1-5")},
		{name: "gzip", raw: get("/file.txt", "Accept-Encoding: gzip")},
		{name: "none", raw: get("/none.txt")},
		{name: "HEAD", raw: method(http.MethodHead, "/file.txt")},
	}
}

func TestEcho(t *testing.T) {
	own := ofEcho()
	dumps := func(p *party) echo.MiddlewareFunc {
		return middleware.BodyDump(func(_ echo.Context, in, out []byte) { p.saw("%d in, %d out", len(in), len(out)) })
	}
	timeout := middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: patience}) //nolint:staticcheck // people stack it
	late := middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: briefly})     //nolint:staticcheck // people stack it
	combos := []combo{
		{name: "alone", requests: own, build: func(p *party) http.Handler { return p.inEcho(p.echo) }},
		{name: "under httppool too", requests: own, build: func(p *party) http.Handler { return p.net(p.inEcho(p.echo)) }},
		{name: "under httppool alone", requests: own, build: func(p *party) http.Handler { return p.net(p.inEcho()) }},
		{name: "BodyDump inside", requests: own, build: func(p *party) http.Handler { return p.inEcho(p.echo, dumps(p)) }},
		{name: "BodyDump outside", requests: own, build: func(p *party) http.Handler { return p.inEcho(dumps(p), p.echo) }},
		{name: "Timeout inside", requests: own, build: func(p *party) http.Handler { return p.inEcho(p.echo, timeout) }},
		{name: "Timeout outside", requests: own, release: handlerReturned, build: func(p *party) http.Handler { return p.inEcho(timeout, p.echo) }},
		{name: "Timeout inside, late", requests: slow(0), build: func(p *party) http.Handler { return p.inEcho(p.echo, late) }},
		{name: "Timeout outside, late", requests: slow(http.StatusOK), release: handlerReturned, build: func(p *party) http.Handler { return p.inEcho(late, p.echo) }},
		{name: "ContextTimeout inside, late", requests: slow(0), build: func(p *party) http.Handler { return p.inEcho(p.echo, middleware.ContextTimeout(briefly)) }},
		{name: "all of them", requests: own, build: func(p *party) http.Handler {
			return p.inEcho(p.echo, middleware.Recover(), middleware.CORS(), middleware.Secure(), middleware.Decompress(), dumps(p), middleware.Gzip(), middleware.ContextTimeout(patience))
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
		{"CORS", middleware.CORS()},
		{"BodyLimit", middleware.BodyLimit("1M")},
	} {
		combos = append(combos,
			combo{name: m.name + " inside", requests: own, build: func(p *party) http.Handler { return p.inEcho(p.echo, m.MiddlewareFunc) }},
			combo{name: m.name + " outside", requests: own, build: func(p *party) http.Handler { return p.inEcho(m.MiddlewareFunc, p.echo) }})
	}
	run(t, combos)
}

// Proxy and Static have handlers of their own: something before them stages.
func TestEchoServesOthers(t *testing.T) {
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
	proxy := func() echo.MiddlewareFunc {
		return middleware.Proxy(middleware.NewRoundRobinBalancer([]*middleware.ProxyTarget{{URL: target}}))
	}
	// Its error handler answers 502 to what broke off, once it was half sent.
	half := map[string]request{"abort": {unlike: absent}}
	run(t, []combo{
		{name: "Proxy", parsed: true, except: half, build: func(p *party) http.Handler { return p.inEcho(p.echo, p.staging, proxy()) }},
		{name: "Static", requests: files(), build: func(p *party) http.Handler {
			e := echo.New()
			e.Use(p.echo, p.staging, middleware.Static(dir))
			return e
		}},
	})
}
