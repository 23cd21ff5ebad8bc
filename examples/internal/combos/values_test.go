package combos_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/dimfeld/httptreemux/v5"
	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/julienschmidt/httprouter"
	"github.com/uptrace/bunrouter"
	"goji.io"
	"goji.io/pat"
)

// A router puts the parameters of a path into the context of the request.
type router struct {
	name  string
	build func(tenant http.Handler, inner ...around) http.Handler // inner run when the route is known, or may be
	param func(ctx context.Context) string
}

var routers = []router{
	{"chi, Use", func(tenant http.Handler, inner ...around) http.Handler {
		r := chi.NewRouter()
		r.Use(inner...)
		r.Method(http.MethodGet, "/tenants/{id}", tenant)
		return r
	}, func(ctx context.Context) string { return chi.URLParamFromCtx(ctx, "id") }},
	{"chi, With", func(tenant http.Handler, inner ...around) http.Handler {
		r := chi.NewRouter()
		r.With(inner...).Method(http.MethodGet, "/tenants/{id}", tenant)
		return r
	}, func(ctx context.Context) string { return chi.URLParamFromCtx(ctx, "id") }},
	{"chi, mounted", func(tenant http.Handler, inner ...around) http.Handler {
		sub := chi.NewRouter()
		sub.Use(inner...)
		sub.Method(http.MethodGet, "/{id}", tenant)
		r := chi.NewRouter()
		r.Mount("/tenants", sub)
		return r
	}, func(ctx context.Context) string {
		if route := chi.RouteContext(ctx); route == nil || route.RoutePattern() != "/tenants/{id}" {
			return fmt.Sprintf("the route %+v", route)
		}
		return chi.URLParamFromCtx(ctx, "id")
	}},
	{"httprouter", func(tenant http.Handler, inner ...around) http.Handler {
		taskpool.CopyValue(httprouter.ParamsKey, func(v any) any { return slices.Clone(v.(httprouter.Params)) })
		r := httprouter.New()
		h := wrap(tenant, inner)
		r.Handler(http.MethodGet, "/tenants/:id", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			h.ServeHTTP(w, req)
			clear(httprouter.ParamsFromContext(req.Context())) // the versions that follow v1.3.0 use them again
		}))
		return r
	}, func(ctx context.Context) string { return httprouter.ParamsFromContext(ctx).ByName("id") }},
	{"gorilla/mux", func(tenant http.Handler, inner ...around) http.Handler {
		r := mux.NewRouter()
		for _, m := range inner {
			r.Use(m)
		}
		r.Handle("/tenants/{id}", tenant)
		return r
	}, func(ctx context.Context) string {
		return mux.Vars(new(http.Request).WithContext(ctx))["id"]
	}},
	{"bunrouter", func(tenant http.Handler, inner ...around) http.Handler {
		r := bunrouter.New().Compat()
		r.GET("/tenants/:id", wrap(tenant, inner).ServeHTTP)
		return r
	}, func(ctx context.Context) string { return bunrouter.ParamsFromContext(ctx).ByName("id") }},
	{"httptreemux", func(tenant http.Handler, inner ...around) http.Handler {
		r := httptreemux.NewContextMux()
		r.Handler(http.MethodGet, "/tenants/:id", wrap(tenant, inner))
		return r
	}, func(ctx context.Context) string { return httptreemux.ContextParams(ctx)["id"] }},
	{"goji", func(tenant http.Handler, inner ...around) http.Handler {
		r := goji.NewMux()
		for _, m := range inner {
			r.Use(m)
		}
		r.Handle(pat.Get("/tenants/:id"), tenant)
		return r
	}, func(ctx context.Context) string { return pat.Param(new(http.Request).WithContext(ctx), "id") }},
}

func wrap(h http.Handler, all []around) http.Handler {
	for _, m := range all {
		h = m(h)
	}
	return h
}

// A task that reads the parameter from its context gets that of its own request,
// however many others the router has served by then.
func TestTaskReadsTheParametersOfItsOwnRequest(t *testing.T) {
	for _, r := range routers {
		for place, inside := range map[string]bool{"inside the router": true, "outside": false} {
			for _, start := range []taskpool.Start{taskpool.StartNow, taskpool.StartAfterResponse} {
				t.Run(fmt.Sprintf("%s/%s/%v", r.name, place, start), func(t *testing.T) {
					ran.Add(1)
					pool := taskpool.New(taskpool.Config{})
					var right atomic.Int32
					tenant := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
						want := req.Header.Get("Tenant")
						task := func(ctx context.Context) error {
							if got := r.param(ctx); got != want {
								t.Errorf("the task of tenant %s reads %q", want, got)
							}
							right.Add(1)
							return nil
						}
						job := taskpool.Job{Start: start, Run: func(ctx context.Context) error {
							return taskpool.FromContext(ctx).Add(task) // and so do tasks of tasks
						}}
						if got := r.param(req.Context()); got != want {
							t.Errorf("the handler reads %q, want %q", got, want)
						}
						scope := taskpool.FromContext(req.Context())
						if err := scope.Submit(job, taskpool.Job{Start: start, Run: task}); err != nil {
							t.Error(err)
						}
					})
					mw := httppool.Middleware(pool)
					h := mw(r.build(tenant))
					if inside {
						h = r.build(tenant, mw)
					}
					pool.Pause()
					const n = 100
					for i := range n {
						id := fmt.Sprint(i)
						req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/tenants/"+id, nil)
						req.Header.Set("Tenant", id)
						h.ServeHTTP(httptest.NewRecorder(), req)
					}
					pool.Resume()
					if _, err := pool.Done(t.Context()); err != nil {
						t.Error(err)
					}
					if got := right.Load(); got != 2*n {
						t.Errorf("%d tasks ran, want %d", got, 2*n)
					}
				})
			}
		}
	}
}
