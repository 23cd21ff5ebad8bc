package examples_test

import (
	"net/http"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// A framework that has no adapter here shows with the kit that it needs none: chi's middleware is that of net/http.
func TestChiConforms(t *testing.T) {
	pooltest.Test(t, pooltest.Adapter{
		Name: "chi",
		Handler: func(h pooltest.Handler, srcs ...taskpool.Source) http.Handler {
			router := chi.NewRouter()
			for _, src := range srcs {
				router.Use(httppool.Middleware(src))
			}
			router.Use(middleware.RequestID)
			router.Handle("/*", pooltest.HTTP(h))
			return router
		},
		Server:  httppool.Track,
		Release: taskpool.ReleaseFlushed,
		HTTP2:   taskpool.ReleaseStreamClosed,
		Hijack:  taskpool.ReleaseHandlerReturned,

		CopiesRequest: true, // Mux.ServeHTTP and middleware.RequestID call WithContext (chi v5.5.0)
	})
}
