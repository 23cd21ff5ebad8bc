// Package routers has tasks that read what a router uses again.
package routers

import (
	"context"
	"net/http"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"
)

type key struct{}

func use(v ...any) error { return nil }

func faults(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	rctx := chi.RouteContext(ctx)
	kept := context.WithoutCancel(ctx)
	keptRoute := chi.RouteContext(kept)
	_ = taskpool.FromContext(ctx).OnSuccess(func(context.Context) error {
		use(chi.URLParam(r, "id"))           // want `task uses r, from which chi's route is read, another request's once the handler has returned: read it in the handler, or from the context that the task is given`
		use(chi.URLParamFromCtx(ctx, "id"))  // want `uses ctx, from which chi's route`
		use(chi.RouteContext(r.Context()))   // want `uses r.Context\(\), from which chi's route`
		use(ctx.Value(chi.RouteCtxKey))      // want `uses ctx, from which chi's route`
		use(chi.URLParamFromCtx(kept, "id")) // want `uses kept, from which chi's route`
		use(rctx.URLParam("id"))             // want `uses rctx \(\*chi.Context\), which is another request's`
		return use(keptRoute.RoutePattern()) // want `uses keptRoute \(\*chi.Context\), which is another request's`
	})
}

func byKey(w http.ResponseWriter, r *http.Request) {
	kept := context.WithoutCancel(r.Context())
	_ = taskpool.FromContext(r.Context()).OnSuccess(func(context.Context) error {
		return use(kept.Value(chi.RouteCtxKey)) // want `uses kept, from which chi's route`
	})
}

func alone(r *http.Request) {
	_ = taskpool.FromContext(r.Context()).Add(func(context.Context) error {
		return use(chi.URLParam(r, "id")) // want `uses r, from which chi's route`
	})
}

func quiet(w http.ResponseWriter, r *http.Request) {
	id, clone, pattern := chi.URLParam(r, "id"), chi.RouteContext(r.Context()).Clone(), chi.RouteContext(r.Context()).RoutePattern()
	kept := context.WithoutCancel(r.Context())
	_ = taskpool.FromContext(r.Context()).OnSuccess(func(ctx context.Context) error {
		use(chi.URLParamFromCtx(ctx, "id"), chi.RouteContext(ctx), ctx.Value(chi.RouteCtxKey))
		use(r.Context().Value(key{}), kept.Value(key{}), kept)
		return use(id, clone, pattern, r.PathValue("id"))
	})
}

func inGin(c *gin.Context) {
	params, file := c.Params, func() any { f, _ := c.FormFile("a"); return f }
	upload, err := c.FormFile("b")
	_ = taskpool.FromContext(c.Request.Context()).Add(func(ctx context.Context) error {
		use(params)        // want `uses params \(gin.Params\), which is another request's`
		use(upload.Open()) // want `uses upload, whose file the server may remove when the request ends: read it in the handler`
		return use(upload.Filename, upload.Size, err)
	})
	use(file)
}

func inEcho(c echo.Context) error {
	values, names := c.ParamValues(), c.ParamNames()
	return taskpool.FromContext(c.Request().Context()).Add(func(ctx context.Context) error {
		return use(values, names) // want `uses values \(\[\]string\), which is another request's`
	})
}
