// Package goframework has go statements that outlive the handlers of frameworks.
package goframework

import (
	"context"

	"github.com/gin-gonic/gin"
	fiber2 "github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"
	echo4 "github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"
)

func work(ctx context.Context) {}
func use(v ...any)             {}

func ginHandler(c *gin.Context) {
	go work(c)                         // want `uses c \(\*gin.Context\), which is another request's once the handler has returned`
	go work(c.Request.Context())       // want `uses c.Request.Context\(\), which is canceled`
	go use(c.Request)                  // want `uses c.Request, whose body is closed`
	go c.Next()                        // want `uses c \(\*gin.Context\)`
	go func() { use(c.Param("id")) }() // want `uses c \(\*gin.Context\)`
	go func() {                        // want `uses c \(\*gin.Context\)`
		work(c.Request.Context())
	}()
	ctx := context.WithValue(c, "k", "v")
	go work(ctx) // want `uses ctx \(context.Context\), which is another request's`
	r := c.Request
	go work(r.Context()) // want `uses r.Context\(\), which is canceled`
	cp := c.Copy()
	go work(cp.Request.Context())     // want `uses cp.Request.Context\(\), which is canceled`
	go func() { use(cp.Request) }()   // want `uses cp.Request, whose body is closed`
	go work(context.WithoutCancel(c)) // want `uses context.WithoutCancel\(c\) \(context.Context\), which is another request's`
}

func echo4Handler(c echo4.Context) error {
	go use(c)                        // want `uses c \(echo.Context\), which is another request's`
	go work(c.Request().Context())   // want `uses c.Request\(\).Context\(\), which is canceled`
	go func() { c.JSON(200, nil) }() // want `uses c \(echo.Context\)`
	ctx := c.Request().Context()
	go func() { work(ctx) }() // want `uses ctx, which is canceled`
	return nil
}

func echo5Handler(c *echo5.Context) error {
	go use(c)                      // want `uses c \(\*echo.Context\), which is another request's`
	go work(c.Request().Context()) // want `uses c.Request\(\).Context\(\), which is canceled`
	return nil
}

func fiber2Handler(c *fiber2.Ctx) error {
	go use(c)                             // want `uses c \(\*fiber.Ctx\), which is another request's`
	go work(c.UserContext())              // want `uses c.UserContext\(\), which belongs to the request`
	go work(c.Context())                  // want `uses c.Context\(\) \(\*fasthttp.RequestCtx\), which is another request's`
	go func() { work(c.UserContext()) }() // want `uses c \(\*fiber.Ctx\)`
	ctx := c.UserContext()
	go func() { work(ctx) }() // want `uses ctx, which belongs to the request`
	return nil
}

func fiber3Handler(c fiber3.Ctx) error {
	go work(c)              // want `uses c \(fiber.Ctx\), which is another request's`
	go work(c.Context())    // want `uses c.Context\(\), which belongs to the request`
	go work(c.RequestCtx()) // want `uses c.RequestCtx\(\) \(\*fasthttp.RequestCtx\), which is another request's`
	return nil
}
