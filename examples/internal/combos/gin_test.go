package combos_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	ginpool "github.com/elite-libs/taskpool/gin"
	"github.com/gin-contrib/cors"
	"github.com/gin-contrib/gzip"
	"github.com/gin-contrib/pprof"
	"github.com/gin-contrib/requestid"
	"github.com/gin-contrib/secure"
	"github.com/gin-gonic/gin"
)

// gin is the middleware of Gin; without a pool, nothing.
func (p *party) gin(c *gin.Context) {
	if p.pool != nil {
		ginpool.Middleware(p.pool)(c)
	}
}

// inGin routes the site by Gin, behind middlewares, the first outermost.
func (p *party) inGin(all ...gin.HandlerFunc) http.Handler {
	e := gin.New()
	e.Use(all...)
	site := gin.WrapH(p.site())
	for _, path := range []string{"text", "small", "empty", "nothing", "error", "redirect", "file", "stream", "trailers", "early", "controls", "abort", "upload", "slow"} {
		e.Any("/"+path, site)
	}
	e.GET("/json", func(c *gin.Context) { p.stage(c.Request.Context()); c.JSON(http.StatusCreated, gin.H{"id": 1}) })
	e.GET("/failed", func(c *gin.Context) { p.stage(c.Request.Context()); c.AbortWithStatus(http.StatusConflict) })
	e.GET("/reader", func(c *gin.Context) {
		p.stage(c.Request.Context())
		c.DataFromReader(http.StatusOK, int64(len(payload)), "text/plain", strings.NewReader(payload), nil)
	})
	pprof.Register(e)
	return e
}

func TestGin(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	own := append(usual(),
		request{name: "c.JSON", raw: get("/json", "Accept-Encoding: gzip")},
		request{name: "c.AbortWithStatus", raw: get("/failed")},
		request{name: "c.DataFromReader", raw: get("/reader")})
	combos := []combo{
		{name: "alone", requests: own, build: func(p *party) http.Handler { return p.inGin(p.gin) }},
		{name: "under httppool too", requests: own, build: func(p *party) http.Handler { return p.net(p.inGin(p.gin)) }},
		{name: "under httppool alone", requests: own, build: func(p *party) http.Handler { return p.net(p.inGin()) }},
		// It swallows ErrAbortHandler: a 200, as the guarantee table says.
		{name: "Recovery inside", requests: own, build: func(p *party) http.Handler { return p.inGin(p.gin, gin.RecoveryWithWriter(io.Discard)) }},
		{name: "Recovery outside", requests: own, build: func(p *party) http.Handler { return p.inGin(gin.RecoveryWithWriter(io.Discard), p.gin) }},
		{name: "all of them", requests: own, build: func(p *party) http.Handler {
			return p.inGin(p.gin, gin.RecoveryWithWriter(io.Discard), fixedID(), secure.New(relaxed()), cors.Default(), gzip.Gzip(gzip.BestSpeed))
		}},
	}
	for _, m := range []struct {
		name string
		gin.HandlerFunc
	}{
		{"gzip", gzip.Gzip(gzip.BestSpeed)},
		{"cors", cors.Default()},
		{"secure", secure.New(relaxed())},
		{"requestid", fixedID()},
	} {
		combos = append(combos,
			combo{name: m.name + " inside", requests: own, build: func(p *party) http.Handler { return p.inGin(p.gin, m.HandlerFunc) }},
			combo{name: m.name + " outside", requests: own, build: func(p *party) http.Handler { return p.inGin(m.HandlerFunc, p.gin) }})
	}
	run(t, combos)
}

func relaxed() secure.Config {
	c := secure.DefaultConfig()
	c.SSLRedirect = false
	return c
}

func fixedID() gin.HandlerFunc {
	return requestid.New(requestid.WithGenerator(func() string { return "id" }))
}

// pprof's handlers stage nothing: what is compared is the pages, and that they are served.
func TestGinPprof(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline"} {
		var status []int
		for _, pooled := range []bool{false, true} {
			p := &party{t: t, wire: listen(t)}
			if pooled {
				p.pool = p.newPool()
			}
			srv := &http.Server{Handler: p.inGin(p.gin), ReadHeaderTimeout: patience}
			go func() { _ = srv.Serve(p.wire) }()
			status = append(status, statusOf(send(t, p.wire.Addr(), get(path))))
			_ = srv.Close()
		}
		ran.Add(1)
		if status[0] != http.StatusOK || status[1] != http.StatusOK {
			t.Errorf("%s: got %v, want 200 without and with", path, status)
		}
	}
}
