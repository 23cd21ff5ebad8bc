// Command fiber3 is the orders service on Fiber v3.
package main

import (
	"bytes"
	"context"
	"time"

	"github.com/elite-libs/taskpool/examples/internal/program"
	"github.com/elite-libs/taskpool/examples/orders"
	fiberpool "github.com/elite-libs/taskpool/fiber/fiber3"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/gofiber/fiber/v3/middleware/recover"
)

func main() { program.Main(serve) }

func serve(ctx context.Context, p program.Program) error {
	app := fiber.New(fiber.Config{
		ReadTimeout: 10 * time.Second, // a client that sends slowly must not hold up a shutdown
		IdleTimeout: time.Minute,      // and one that has left without a word is not kept
	})
	app.Use(fiberpool.Middleware(p.Source), recover.New())
	app.Post("/orders", func(c fiber.Ctx) error {
		return answer(c, p.Orders.Place(c.Context(), bytes.NewReader(c.Body())))
	})
	app.Get("/orders/:id", func(c fiber.Ctx) error {
		return answer(c, p.Orders.Show(c.Context(), c.Params("id")))
	})
	app.Get("/healthz", func(c fiber.Ctx) error {
		return answer(c, p.Orders.Health(c.Context()))
	})
	app.Get("/tasks", adaptor.HTTPHandler(p.Tasks))
	return fiberpool.Serve(ctx, app, p.Listener, p.Source, p.Limit)
}

func answer(c fiber.Ctx, resp orders.Response) error {
	for name, value := range resp.Header {
		c.Set(name, value)
	}
	return c.Status(resp.Status).JSON(resp.Body)
}
