// Package taskquiet has tasks that are no fault, or not one to be sure of.
package taskquiet

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"
)

var pool = taskpool.New()

type key struct{}

func use(v ...any) error             { return nil }
func send(ctx context.Context) error { return nil }
func now(fn func(ctx context.Context) error) error {
	return fn(context.Background())
}

func whatIsNotReused(w http.ResponseWriter, r *http.Request) {
	user, data := r.Context().Value(key{}), make([]byte, 10)
	_, _ = io.ReadFull(r.Body, data)
	_ = taskpool.FromContext(r.Context()).OnSuccess(func(ctx context.Context) error {
		use(r.URL, r.Header.Get("X"), r.Method, r.Host, r.RemoteAddr, r.PathValue("id"), r.Form, r.TLS == nil)
		use(r.Context().Value(key{}), taskpool.FromContext(r.Context()))
		slog.InfoContext(r.Context(), "sent")
		if r != nil && w != nil && r.Body != nil {
			return use(user, data)
		}
		return send(context.WithoutCancel(r.Context()))
	})
}

func its(w http.ResponseWriter, r *http.Request) {
	_ = pool.Add(func(ctx context.Context) error {
		handler := func(w http.ResponseWriter, r *http.Request) { use(w, r.Body, r.Context()) }
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		handler(httptest.NewRecorder(), r)
		return err
	})
}

func notATask(w http.ResponseWriter, r *http.Request) {
	_ = now(func(ctx context.Context) error { return use(w, r, r.Body, r.Context()) })
	fn := func(ctx context.Context) error { return use(w, r) }
	_ = fn(r.Context())
}

func awaited(w http.ResponseWriter, r *http.Request) {
	p := taskpool.Async(pool, func(ctx context.Context) ([]byte, error) { return io.ReadAll(r.Body) })
	_, _ = p.Await(r.Context())
	_, _ = taskpool.Async(pool, func(ctx context.Context) ([]byte, error) { return io.ReadAll(r.Body) }).Await(r.Context())
	<-taskpool.Async(pool, func(ctx context.Context) ([]byte, error) { return io.ReadAll(r.Body) }).Settled()
}

func allAwaited(w http.ResponseWriter, r *http.Request) {
	var all []*taskpool.Promise[int]
	for range 3 {
		all = append(all, taskpool.Async(pool, func(ctx context.Context) (int, error) { return 0, use(r.Body) }))
	}
	for _, p := range all {
		_, _ = p.Await(r.Context())
	}
}

func drained(w http.ResponseWriter, r *http.Request) {
	scope := taskpool.FromContext(r.Context())
	defer scope.Drain(r.Context())
	_ = scope.Add(func(ctx context.Context) error { return use(w, r.Body) })
	_ = scope.Submit(taskpool.Job{Start: taskpool.StartNow, Run: func(ctx context.Context) error { return use(w) }})
}

func finished(c *gin.Context) {
	own := taskpool.New()
	_ = own.Add(func(ctx context.Context) error { return use(c.Param("id")) })
	_, _ = own.Done(c)
}

func signaled(c echo.Context) error {
	done := make(chan struct{})
	if err := pool.Add(func(ctx context.Context) error { defer close(done); return use(c) }); err != nil {
		return err
	}
	<-done
	return nil
}

func replaced(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(data))
	again := r.Body
	_ = pool.Add(func(ctx context.Context) error { return use(r.Body, r.FormValue("id"), again) })
}

func copied(c *gin.Context) {
	cp, id, ctx := c.Copy(), c.Param("id"), context.WithoutCancel(c.Request.Context())
	_ = pool.Add(func(context.Context) error {
		use(cp, cp.Param("id"), cp.Request.URL, id)
		return send(ctx)
	})
}

// The user context does not end with the request.
func userContext(c *fiber.Ctx) error {
	ctx := c.UserContext()
	return taskpool.FromContext(ctx).Add(func(context.Context) error { return send(ctx) })
}

var last *http.Request

// What the package shares is not what a task captures.
func shared(w http.ResponseWriter, r *http.Request) {
	last = r
	_ = pool.Add(func(context.Context) error { return use(last.Body) })
}

type service struct {
	req *http.Request
}

func (s service) field() {
	_ = pool.Add(func(ctx context.Context) error { return use(s.req) })
}

func inATest() {
	r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
	c := &gin.Context{Request: r}
	var out http.ResponseWriter = w
	_ = pool.Add(func(ctx context.Context) error { return use(r, r.Body, r.Context(), w, out, c) })
}
