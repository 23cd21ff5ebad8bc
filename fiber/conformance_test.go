package fiberpool_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

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

func stream(x pooltest.Exchange, write func(w io.Writer)) {
	x.(exchange).c.Context().SetBodyStreamWriter(func(w *bufio.Writer) { write(w) })
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

// An installation is how the kit's programs are served.
type installation struct {
	outer, inner []fiber.Handler // outside and inside of the pool's middleware
	tracked      bool            // by fiberpool.Serve
}

// serve runs an app: outer, the pool's middleware, inner, and h.
func (i installation) serve(t testing.TB, ln net.Listener, h pooltest.Handler, srcs ...taskpool.Source) func() {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	use := func(handlers ...fiber.Handler) {
		for _, h := range handlers {
			app.Use(h)
		}
	}
	use(i.outer...)
	app.Use("/captured/user-context", func(c *fiber.Ctx) error {
		c.SetUserContext(context.WithValue(c.Context(), userKey{}, "set outside of the middleware"))
		return c.Next()
	})
	for _, src := range srcs {
		use(fiberpool.Middleware(src))
	}
	use(i.inner...)
	app.All("/*", func(c *fiber.Ctx) error { return h(exchange{c}) })

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		if i.tracked { // the kit finalizes its own sources
			ended <- fiberpool.Serve(ctx, app, ln, taskpool.New(taskpool.Config{}), time.Minute)
		} else {
			ended <- app.Listener(ln)
		}
	}()
	return func() {
		stop()
		if !i.tracked {
			if err := app.Shutdown(); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		}
		if err := <-ended; err != nil {
			t.Errorf("serving: %v", err)
		}
	}
}

// Without a recovery a panic ends the process: fasthttp has none.
func adapters() (all []pooltest.Adapter) {
	recovery := []fiber.Handler{recover.New()}
	a := pooltest.Adapter{
		Hijack:          taskpool.ReleaseFlushed, // when the hijack handler has ended
		Errors:          true,
		LateErrors:      true,
		NoFlush:         true,
		NoInformational: true,
		NoDisconnect:    true,
		ReadsBody:       true,
		NoHold:          true,
		Batches:         true,
		Reenter:         reenter,
		Stream:          stream,
		Captured:        captured,
		Leaves: []string{
			"github.com/valyala/fasthttp.updateServerDate.func1",    // for ever
			"github.com/valyala/fasthttp.(*workerPool).Start.func2", // 10 s
		},
	}
	for _, v := range []struct {
		name     string
		release  taskpool.Release
		recovery pooltest.Recovery
		installation
	}{
		{"recovery inside, untracked", taskpool.ReleaseHandlerReturned, pooltest.RecoveryInside, installation{inner: recovery}},
		{"recovery inside, tracked", taskpool.ReleaseFlushed, pooltest.RecoveryInside, installation{inner: recovery, tracked: true}},
		{"recovery outside, untracked", taskpool.ReleaseHandlerReturned, pooltest.RecoveryOutside, installation{outer: recovery}},
		{"recovery outside, tracked", taskpool.ReleaseFlushed, pooltest.RecoveryOutside, installation{outer: recovery, tracked: true}},
	} {
		a.Name, a.Release, a.Recovery, a.Serve = v.name, v.release, v.recovery, v.serve
		all = append(all, a)
	}
	return all
}

func TestConformance(t *testing.T)  { pooltest.Test(t, adapters()...) }
func TestChaosHostile(t *testing.T) { pooltest.Chaos(t, adapters()...) }
