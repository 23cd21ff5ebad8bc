package fiberpool_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/gofiber/fiber/v2/utils"
)

// exchange is what the kit's programs may do, in Fiber's terms.
type exchange struct{ c *fiber.Ctx }

func (x exchange) Context() context.Context     { return x.c.UserContext() }
func (x exchange) Path() string                 { return utils.CopyString(x.c.Path()) }
func (x exchange) Body() io.Reader              { return bytes.NewReader(x.c.Body()) }
func (x exchange) SetHeader(name, value string) { x.c.Set(name, value) }
func (x exchange) Write(p []byte) (int, error)  { return x.c.Write(p) }
func (x exchange) Flush()                       {}

func (x exchange) Status(code int) {
	if code >= 200 { // what is below would be the final one
		x.c.Status(code)
	}
}

func (x exchange) Hijack(fn func(net.Conn)) error {
	x.c.Context().Hijack(fn)
	x.c.Context().HijackSetNoResponse(true)
	return nil
}

type userKey struct{}

func reenter(x pooltest.Exchange, path string) error {
	c := x.(exchange).c
	c.Path(path)
	return c.RestartRouting()
}

// captured are the contexts that are fasthttp's to reuse: its own, and the user
// context if somebody has derived that from it.
var captured = map[string]func(x pooltest.Exchange, key, value string) context.Context{
	"RequestCtx": func(x pooltest.Exchange, key, value string) context.Context {
		rctx := x.(exchange).c.Context()
		rctx.SetUserValue(key, value)
		return rctx
	},
	"user-context": func(x pooltest.Exchange, key, value string) context.Context {
		c := x.(exchange).c
		c.Context().SetUserValue(key, value)
		return c.UserContext()
	},
}

// serve runs an app: outer, the pool's middleware, inner, and h.
func serve(outer, inner []fiber.Handler) func(testing.TB, net.Listener, pooltest.Handler, ...taskpool.Source) func() {
	return func(t testing.TB, ln net.Listener, h pooltest.Handler, srcs ...taskpool.Source) func() {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		use := func(handlers ...fiber.Handler) {
			for _, h := range handlers {
				app.Use(h)
			}
		}
		use(outer...)
		app.Use("/captured/user-context", func(c *fiber.Ctx) error {
			c.SetUserContext(context.WithValue(c.Context(), userKey{}, "set outside of the middleware"))
			return c.Next()
		})
		for _, src := range srcs {
			use(fiberpool.Middleware(src))
		}
		use(inner...)
		app.All("/*", func(c *fiber.Ctx) error { return h(exchange{c}) })
		ended := make(chan error, 1)
		go func() { ended <- app.Listener(ln) }()
		return func() {
			if err := app.Shutdown(); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			if err := <-ended; err != nil {
				t.Errorf("Listener: %v", err)
			}
		}
	}
}

func adapters() []pooltest.Adapter {
	recovery := []fiber.Handler{recover.New()}
	a := pooltest.Adapter{
		Release:         taskpool.ReleaseFlushed,
		Hijack:          taskpool.ReleaseFlushed, // when the hijack handler has ended
		Errors:          true,
		LateErrors:      true,
		NoFlush:         true,
		NoInformational: true,
		NoDisconnect:    true,
		ReadsBody:       true,
		NoHold:          true,
		Reenter:         reenter,
		Captured:        captured,
		Leaves: []string{
			"github.com/valyala/fasthttp.updateServerDate.func1",    // for ever
			"github.com/valyala/fasthttp.(*workerPool).Start.func2", // 10 s
		},
	}
	// Without a recovery a panic ends the process: fasthttp has none.
	inside, outside := a, a
	inside.Name, inside.Recovery, inside.Serve = "recovery inside", pooltest.RecoveryInside, serve(nil, recovery)
	outside.Name, outside.Recovery, outside.Serve = "recovery outside", pooltest.RecoveryOutside, serve(recovery, nil)
	return []pooltest.Adapter{inside, outside}
}

func TestConformance(t *testing.T)  { pooltest.Test(t, adapters()...) }
func TestChaosHostile(t *testing.T) { pooltest.Chaos(t, adapters()...) }
