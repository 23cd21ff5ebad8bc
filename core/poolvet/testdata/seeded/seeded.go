// Package seeded has faults in handlers of the real frameworks. Each is in a line
// that says so, and there is none in the others.
package seeded

import (
	"context"
	"net/http"

	taskpool "github.com/elite-libs/taskpool/core"
	echopool "github.com/elite-libs/taskpool/echo"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	ginpool "github.com/elite-libs/taskpool/gin"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/labstack/echo/v4"
)

func send(ctx context.Context, v ...any) error { return nil }

func netHTTP(w http.ResponseWriter, r *http.Request) {
	go send(r.Context()) // fault
	tasks := taskpool.FromContext(r.Context())
	tasks.OnSuccess(func(ctx context.Context) error { return send(ctx, r.URL) }) // fault
	_ = tasks.OnSuccess(func(ctx context.Context) error {
		w.WriteHeader(http.StatusTeapot)    // fault
		return send(ctx, r.FormValue("id")) // fault
	})
	_ = taskpool.Async(tasks, func(ctx context.Context) (int, error) {
		return 0, send(r.Context()) // fault
	})
	go send(context.WithoutCancel(r.Context()))
	answered := make(chan error, 1)
	go func() { answered <- send(r.Context()) }()
	<-answered
}

func onChi(w http.ResponseWriter, r *http.Request) {
	route, id := chi.RouteContext(r.Context()), chi.URLParam(r, "id")
	_ = taskpool.FromContext(r.Context()).OnSuccess(func(ctx context.Context) error {
		return send(ctx, route.RoutePattern()) // fault
	})
	_ = taskpool.FromContext(r.Context()).OnSuccess(func(ctx context.Context) error {
		return send(ctx, chi.URLParam(r, "id")) // fault
	})
	_ = taskpool.FromContext(r.Context()).OnSuccess(func(ctx context.Context) error {
		return send(ctx, id, chi.URLParamFromCtx(ctx, "id"))
	})
}

func onGin(c *gin.Context) {
	ctx, params := c.Request.Context(), c.Params
	upload, _ := c.FormFile("photo")
	go send(ctx)                                                                                     // fault
	go func() { _ = send(context.Background(), c.Param("id")) }()                                    // fault
	_ = ginpool.From(c).Add(func(ctx context.Context) error { return send(c) })                      // fault
	_ = ginpool.From(c).Add(func(ctx context.Context) error { return send(ctx, c.Writer) })          // fault
	_ = ginpool.From(c).Add(func(ctx context.Context) error { return send(ctx, params) })            // fault
	_ = ginpool.From(c).Add(func(ctx context.Context) error { _, err := upload.Open(); return err }) // fault
	id, cp := c.Param("id"), c.Copy()
	_ = ginpool.From(c).Add(func(ctx context.Context) error { return send(ctx, id, cp) })
}

func onEcho(c echo.Context) error {
	go send(c.Request().Context())                                                                // fault
	_ = echopool.From(c).Add(func(ctx context.Context) error { return send(ctx, c.Param("id")) }) // fault
	r, out := c.Request(), c.Response()
	_ = echopool.From(c).Submit(taskpool.Job{Run: func(ctx context.Context) error { return send(ctx, r.Body) }}) // fault
	_ = echopool.From(c).Submit(taskpool.Job{Run: func(ctx context.Context) error { return send(ctx, out) }})    // fault
	values := c.ParamValues()
	_ = echopool.From(c).Add(func(ctx context.Context) error { return send(ctx, values) }) // fault
	id := c.Param("id")
	return echopool.From(c).OnSuccess(func(ctx context.Context) error { return send(ctx, id, r.URL) })
}

func onFiber(c *fiber.Ctx) error {
	go send(c.UserContext()) // fault
	go send(c.Context())     // fault
	id, safe, ctx := c.Params("id"), utils.CopyString(c.Params("id")), c.UserContext()
	_ = fiberpool.From(c).Add(func(ctx context.Context) error { return send(ctx, c.Body()) }) // fault
	_ = fiberpool.From(c).Add(func(ctx context.Context) error { return send(ctx, id) })       // fault
	return fiberpool.From(c).OnSuccess(func(context.Context) error { return send(ctx, safe) })
}

func fiberParsers(c *fiber.Ctx) error {
	var in struct {
		Name  string
		Items int
	}
	if err := c.QueryParser(&in); err != nil {
		return err
	}
	name := utils.CopyString(in.Name)
	_ = fiberpool.From(c).Add(func(ctx context.Context) error { return send(ctx, in.Name) }) // fault
	return fiberpool.From(c).Add(func(ctx context.Context) error { return send(ctx, name, in.Items) })
}
