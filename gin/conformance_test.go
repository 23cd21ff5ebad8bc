package ginpool_test

import (
	"context"
	"net/http"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
	ginpool "github.com/elite-libs/taskpool/gin"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/gin-gonic/gin"
)

func init() { gin.SetMode(gin.ReleaseMode) }

// handler builds the engine: outer, the pool's middleware, inner, and h. An error
// of h is answered by h's own handler, or if late, by the engine in the end.
func handler(outer, inner []gin.HandlerFunc, late bool) func(pooltest.Handler, ...taskpool.Source) http.Handler {
	return func(h pooltest.Handler, srcs ...taskpool.Source) http.Handler {
		engine := gin.New()
		engine.ContextWithFallback = true // a *gin.Context is a context with the request's values
		engine.Use(outer...)
		for _, src := range srcs {
			engine.Use(ginpool.Middleware(src))
		}
		engine.Use(inner...)
		engine.Any("/*path", func(c *gin.Context) {
			err := h(exchange{pooltest.HTTPExchange{W: c.Writer, R: c.Request}, engine, c})
			switch {
			case err != nil && late:
				_ = c.Error(err)
				c.Status(http.StatusInternalServerError)
			case err != nil:
				_ = c.AbortWithError(http.StatusInternalServerError, err)
			}
		})
		return engine
	}
}

type exchange struct {
	pooltest.HTTPExchange
	engine *gin.Engine
	c      *gin.Context
}

func reenter(x pooltest.Exchange, path string) error {
	g := x.(exchange)
	g.c.Request.URL.Path = path
	g.engine.HandleContext(g.c)
	return nil
}

func captured(x pooltest.Exchange, key, value string) context.Context {
	c := x.(exchange).c
	c.Set(key, value)
	return c
}

func adapters() (all []pooltest.Adapter) {
	recovery := []gin.HandlerFunc{gin.RecoveryWithWriter(nil)}
	a := pooltest.Adapter{
		Release:         taskpool.ReleaseHandlerReturned,
		HTTP2:           taskpool.ReleaseStreamClosed,
		Hijack:          taskpool.ReleaseHandlerReturned,
		Errors:          true,
		NoInformational: true,
		Reenter:         reenter,
		Captured:        map[string]func(x pooltest.Exchange, key, value string) context.Context{"gin.Context": captured},
	}
	for _, v := range []struct {
		name         string
		recovery     pooltest.Recovery
		outer, inner []gin.HandlerFunc
	}{
		{"bare", pooltest.NoRecovery, nil, nil},
		{"recovery inside", pooltest.RecoveryInside, nil, recovery},
		{"recovery outside", pooltest.RecoveryOutside, recovery, nil},
	} {
		a.LateErrors = v.recovery == pooltest.NoRecovery // one way is enough for each
		a.Recovery, a.Handler = v.recovery, handler(v.outer, v.inner, a.LateErrors)
		untracked, tracked := a, a
		untracked.Name = v.name + ", untracked"
		tracked.Name, tracked.Release, tracked.Server = v.name+", tracked", taskpool.ReleaseFlushed, httppool.Track
		all = append(all, untracked, tracked)
	}
	return all
}

func TestConformance(t *testing.T)  { pooltest.Test(t, adapters()...) }
func TestChaosHostile(t *testing.T) { pooltest.Chaos(t, adapters()...) }
