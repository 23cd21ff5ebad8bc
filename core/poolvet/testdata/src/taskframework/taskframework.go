// Package taskframework has tasks that capture the contexts of frameworks.
package taskframework

import (
	"context"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/gin-gonic/gin"
	fiber2 "github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"
	echo4 "github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"
)

var pool = taskpool.New()

func use(v ...any) error { return nil }

func ginHandler(c *gin.Context) {
	_ = taskpool.FromContext(c.Request.Context()).OnSuccess(func(ctx context.Context) error {
		id := c.Param("id") // want `task uses c \(\*gin.Context\), which is another request's once the handler has returned: take what the task needs in the handler`
		return use(id, c.Request.Body)
	})
	r, w, cp := c.Request, c.Writer, c.Copy()
	_ = pool.Add(func(ctx context.Context) error {
		use(r.Body)     // want `uses r.Body, which is closed`
		use(w)          // want `uses w \(gin.ResponseWriter\)`
		use(cp.Request) // want `uses cp.Request, whose body`
		return nil
	})
	_ = pool.Add(func(ctx context.Context) error {
		use(taskpool.FromContext(c)) // want `uses c`
		return use(c.Copy())
	})
}

func echo4Handler(c echo4.Context) error {
	scope := taskpool.FromContext(c.Request().Context())
	_ = scope.AfterResponse(func(ctx context.Context) error { return c.JSON(200, nil) }) // want `uses c \(echo.Context\), which is another request's`
	out, r := c.Response(), c.Request()
	return scope.Add(func(ctx context.Context) error {
		use(r.URL, r.Body) // want `uses r.Body, which is closed`
		return use(out)    // want `uses out \(\*echo.Response\)`
	})
}

func echo5Handler(c *echo5.Context) error {
	return pool.Add(func(ctx context.Context) error { return use(c.Param("id")) }) // want `uses c \(\*echo.Context\)`
}

func fiber2Handler(c *fiber2.Ctx) error {
	rctx := c.Context()
	_ = pool.Add(func(ctx context.Context) error { return use(c.Params("id")) }) // want `uses c \(\*fiber.Ctx\), which is another request's`
	return pool.Add(func(ctx context.Context) error { return use(rctx) })        // want `uses rctx \(\*fasthttp.RequestCtx\)`
}

func fiber3Handler(c fiber3.Ctx) error {
	return pool.Add(func(ctx context.Context) error { return use(c.Params("id")) }) // want `uses c \(fiber.Ctx\)`
}

func middleware(next echo4.Context) func(c echo4.Context) error {
	return func(c echo4.Context) error {
		return pool.Submit(taskpool.Job{Run: func(context.Context) error { return use(c) }}) // want `uses c`
	}
}
