package combos_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	adaptor2 "github.com/gofiber/fiber/v2/middleware/adaptor"
	fiber3 "github.com/gofiber/fiber/v3"
	adaptor3 "github.com/gofiber/fiber/v3/middleware/adaptor"
)

// A handler of net/http that has its own middleware may be mounted in a framework that uses its contexts again, and be
// given one of them. Its task then finds no values: those of the request that runs now would be another's.
func TestTaskOfAMountedHandlerReadsNoOtherRequest(t *testing.T) {
	for name, serve := range map[string]func(ln net.Listener, h http.Handler) (stop func() error){
		"Fiber": func(ln net.Listener, h http.Handler) func() error {
			app := fiber.New(fiber.Config{DisableStartupMessage: true})
			app.Use(func(c *fiber.Ctx) error {
				c.Locals("user", string([]byte(c.Query("user"))))
				return c.Next()
			}, adaptor2.HTTPHandler(h))
			go func() { _ = app.Listener(ln) }()
			return app.Shutdown
		},
		"Fiber 3": func(ln net.Listener, h http.Handler) func() error {
			app := fiber3.New()
			app.Use(func(c fiber3.Ctx) error {
				c.Locals("user", string([]byte(c.Query("user"))))
				return c.Next()
			}, adaptor3.HTTPHandler(h))
			go func() { _ = app.Listener(ln, fiber3.ListenConfig{DisableStartupMessage: true}) }()
			return app.Shutdown
		},
		"Gin": func(ln net.Listener, h http.Handler) func() error {
			gin.SetMode(gin.ReleaseMode)
			router := gin.New()
			router.GET("/", func(c *gin.Context) {
				c.Set("user", c.Query("user"))
				c.Request = c.Request.WithContext(c)
			}, gin.WrapH(h))
			srv := &http.Server{Handler: router, ReadHeaderTimeout: patience}
			go func() { _ = srv.Serve(ln) }()
			return srv.Close
		},
	} {
		t.Run(name, func(t *testing.T) {
			inSecond, seen := make(chan struct{}), make(chan any, 1)
			pool := taskpool.New(taskpool.Config{})
			h := httppool.Middleware(pool)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if user := r.Context().Value("user"); user != "ada" {
					close(inSecond)
					if _, err := pool.Drain(t.Context()); err != nil { // of the first one's task
						t.Error(err)
					}
					return
				}
				if err := taskpool.FromContext(r.Context()).AfterResponse(func(ctx context.Context) error {
					<-inSecond
					seen <- ctx.Value("user")
					return nil
				}); err != nil {
					t.Error(err)
				}
			}))
			ln := listen(t)
			stop := serve(ln, h)
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			answers := bufio.NewReader(conn)
			for _, user := range []string{"ada", "bob"} {
				fmt.Fprintf(conn, "GET /?user=%s HTTP/1.1\r\nHost: x\r\n\r\n", user)
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			if user := <-seen; user != nil {
				t.Errorf("the task of ada's request sees %v", user)
			}
			_ = conn.Close()
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
