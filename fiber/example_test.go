package fiberpool_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/gofiber/fiber/v2/utils"
)

func ExampleMiddleware() {
	pool := taskpool.New(taskpool.Config{})
	app := fiber.New()
	app.Use(fiberpool.Middleware(pool), recover.New())
	app.Post("/orders/:id", func(c *fiber.Ctx) error {
		id := utils.CopyString(c.Params("id")) // strings from c change after the handler
		err := fiberpool.From(c).OnSuccess(func(context.Context) error {
			fmt.Println("receipt sent for", id)
			return nil
		})
		if err != nil { // overloaded, or shutting down: nothing was accepted
			return fiber.NewError(fiber.StatusServiceUnavailable, err.Error())
		}
		return c.SendString("ordered")
	})

	resp, err := app.Test(httptest.NewRequest("POST", "/orders/17", nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	report, err := pool.Done(context.Background())
	fmt.Println(string(body), report.Succeeded, err)
	// Output:
	// receipt sent for 17
	// ordered 1 <nil>
}

// What knows no Fiber finds the scope in the user context.
func ExampleFrom() {
	pool := taskpool.New(taskpool.Config{})
	audit := func(ctx context.Context, what string) error {
		return taskpool.FromContext(ctx).AfterResponse(func(context.Context) error {
			fmt.Println("audited:", what)
			return nil
		})
	}
	app := fiber.New()
	app.Use(fiberpool.Middleware(pool))
	app.Get("/", func(c *fiber.Ctx) error {
		fmt.Println("the same pool:", fiberpool.From(c).Pool() == pool)
		return audit(c.UserContext(), "a visit")
	})

	resp, err := app.Test(httptest.NewRequest("GET", "/", nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	_, _ = pool.Done(context.Background())
	// Output:
	// the same pool: true
	// audited: a visit
}

func ExampleServe() {
	pool := taskpool.New(taskpool.Config{})
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(fiberpool.Middleware(pool))
	app.Post("/orders", func(c *fiber.Ctx) error {
		_ = fiberpool.From(c).AfterResponse(func(context.Context) error { return nil })
		return c.SendStatus(fiber.StatusCreated)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}

	// In a program: signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM).
	ctx, stop := context.WithCancel(context.Background())
	stop()
	err = fiberpool.Serve(ctx, app, ln, pool, 20*time.Second)
	fmt.Println("served, and shut down in order:", err)
	// Output: served, and shut down in order: <nil>
}

// Behind a load balancer a process says that it is not ready, and goes on for a while.
func ExampleServeWith() {
	pool := taskpool.New(taskpool.Config{})
	ctx, stop := context.WithCancel(context.Background()) // in a program: signal.NotifyContext
	defer stop()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(fiberpool.Middleware(pool))
	app.Get("/readyz", fiberpool.Ready(ctx))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error, 1)
	go func() {
		ended <- fiberpool.ServeWith(ctx, app, ln, pool, fiberpool.ServeOptions{Pause: 500 * time.Millisecond, Limit: 20 * time.Second})
	}()
	stop()

	resp, err := http.Get("http://" + ln.Addr().String() + "/readyz")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	fmt.Println(resp.Status, "and then the end:", <-ended)
	// Output: 503 Service Unavailable and then the end: <nil>
}
