// Command gin is the orders service on Gin.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/elite-libs/taskpool/examples/internal/program"
	"github.com/elite-libs/taskpool/examples/orders"
	ginpool "github.com/elite-libs/taskpool/gin"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/gin-gonic/gin"
)

func main() { program.Main(serve) }

func serve(ctx context.Context, p program.Program) error {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(ginpool.Middleware(p.Source), gin.Recovery())
	router.POST("/orders", func(c *gin.Context) {
		answer(c, p.Orders.Place(c.Request.Context(), c.Request.Body))
	})
	router.GET("/orders/:id", func(c *gin.Context) {
		answer(c, p.Orders.Show(c.Request.Context(), c.Param("id")))
	})
	router.GET("/healthz", func(c *gin.Context) {
		answer(c, p.Orders.Health(c.Request.Context()))
	})
	router.GET("/tasks", gin.WrapH(p.Tasks))
	srv := &http.Server{
		Handler:     router,
		ReadTimeout: 10 * time.Second, // a client that sends slowly must not hold up a shutdown
		IdleTimeout: time.Minute,      // and one that has left without a word is not kept
	}
	return httppool.ServeListener(ctx, srv, p.Listener, p.Source, p.Limit)
}

func answer(c *gin.Context, resp orders.Response) {
	for name, value := range resp.Header {
		c.Header(name, value)
	}
	c.JSON(resp.Status, resp.Body)
}
