// Command echo is the orders service on Echo v4.
package main

import (
	"context"
	"net/http"
	"time"

	echopool "github.com/elite-libs/taskpool/echo"
	"github.com/elite-libs/taskpool/examples/internal/program"
	"github.com/elite-libs/taskpool/examples/orders"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

func main() { program.Main(serve) }

func serve(ctx context.Context, p program.Program) error {
	e := echo.New()
	e.Use(echopool.Middleware(p.Source), middleware.Recover())
	e.POST("/orders", func(c echo.Context) error {
		return answer(c, p.Orders.Place(c.Request().Context(), c.Request().Body))
	})
	e.GET("/orders/:id", func(c echo.Context) error {
		return answer(c, p.Orders.Show(c.Request().Context(), c.Param("id")))
	})
	e.GET("/healthz", func(c echo.Context) error {
		return answer(c, p.Orders.Health(c.Request().Context()))
	})
	e.GET("/tasks", echo.WrapHandler(p.Tasks))
	srv := &http.Server{
		Handler:     e,
		ReadTimeout: 10 * time.Second, // a client that sends slowly must not hold up a shutdown
		IdleTimeout: time.Minute,      // and one that has left without a word is not kept
	}
	return httppool.ServeListener(ctx, srv, p.Listener, p.Source, p.Limit)
}

func answer(c echo.Context, resp orders.Response) error {
	for name, value := range resp.Header {
		c.Response().Header().Set(name, value)
	}
	return c.JSON(resp.Status, resp.Body)
}
