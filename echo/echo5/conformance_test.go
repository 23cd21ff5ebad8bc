package echopool_test

import (
	"log/slog"
	"net/http"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
	echopool "github.com/elite-libs/taskpool/echo/echo5"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

// handler builds the Echo: outer, the pool's middleware, inner, and h.
func handler(outer, inner []echo.MiddlewareFunc) func(pooltest.Handler, ...taskpool.Source) http.Handler {
	return func(h pooltest.Handler, srcs ...taskpool.Source) http.Handler {
		e := echo.New()
		e.Logger = slog.New(slog.DiscardHandler)
		e.Use(outer...)
		for _, src := range srcs {
			e.Use(echopool.Middleware(src))
		}
		e.Use(inner...)
		e.Any("/*", func(c *echo.Context) error {
			return h(exchange{pooltest.HTTPExchange{W: c.Response(), R: c.Request()}})
		})
		return e
	}
}

// exchange sends a 1xx past echo.Response, which takes it for final.
type exchange struct{ pooltest.HTTPExchange }

func (x exchange) Status(code int) {
	w := x.W
	if code < 200 {
		w = w.(*echo.Response).ResponseWriter
	}
	w.WriteHeader(code)
}

func adapters() (all []pooltest.Adapter) {
	recovery := []echo.MiddlewareFunc{middleware.RecoverWithConfig(middleware.RecoverConfig{DisableStackAll: true})}
	a := pooltest.Adapter{
		Release:      taskpool.ReleaseHandlerReturned,
		HTTP2:        taskpool.ReleaseStreamClosed,
		Hijack:       taskpool.ReleaseHandlerReturned,
		Errors:       true,
		LateErrors:   true,
		LateRecovery: true,
	}
	for _, v := range []struct {
		name         string
		recovery     pooltest.Recovery
		outer, inner []echo.MiddlewareFunc
	}{
		{"bare", pooltest.NoRecovery, nil, nil},
		{"recovery inside", pooltest.RecoveryInside, nil, recovery},
		{"recovery outside", pooltest.RecoveryOutside, recovery, nil},
	} {
		a.Recovery, a.Handler = v.recovery, handler(v.outer, v.inner)
		untracked, tracked := a, a
		untracked.Name = v.name + ", untracked"
		tracked.Name, tracked.Release, tracked.Server = v.name+", tracked", taskpool.ReleaseFlushed, httppool.Track
		all = append(all, untracked, tracked)
	}
	return all
}

func TestConformance(t *testing.T)  { pooltest.Test(t, adapters()...) }
func TestChaosHostile(t *testing.T) { pooltest.Chaos(t, adapters()...) }
