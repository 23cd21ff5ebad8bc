package examples_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/otelpool"
	echopool "github.com/elite-libs/taskpool/echo"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	ginpool "github.com/elite-libs/taskpool/gin"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// A traced service is one handler behind a middleware for tracing and the pool's, on some framework.
type traced func(ctx context.Context, ln net.Listener, pool *taskpool.Pool, tracer trace.Tracer, handler func(context.Context) error) error

var tracedOn = map[string]traced{
	"nethttp": func(ctx context.Context, ln net.Listener, pool *taskpool.Pool, tracer trace.Tracer, handler func(context.Context) error) error {
		h := httppool.Middleware(pool)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if handler(r.Context()) != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		return httppool.ServeListener(ctx, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, span := tracer.Start(r.Context(), "POST /orders")
			defer span.End()
			h.ServeHTTP(w, r.WithContext(ctx))
		})}, ln, pool, patience)
	},
	"gin": func(ctx context.Context, ln net.Listener, pool *taskpool.Pool, tracer trace.Tracer, handler func(context.Context) error) error {
		gin.SetMode(gin.ReleaseMode)
		router := gin.New()
		router.Use(func(c *gin.Context) {
			ctx, span := tracer.Start(c.Request.Context(), "POST /orders")
			defer span.End()
			c.Request = c.Request.WithContext(ctx)
			c.Next()
		}, ginpool.Middleware(pool))
		router.POST("/orders", func(c *gin.Context) {
			if handler(c.Request.Context()) != nil {
				c.Status(http.StatusServiceUnavailable)
			}
		})
		return httppool.ServeListener(ctx, &http.Server{Handler: router}, ln, pool, patience)
	},
	"echo": func(ctx context.Context, ln net.Listener, pool *taskpool.Pool, tracer trace.Tracer, handler func(context.Context) error) error {
		e := echo.New()
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				ctx, span := tracer.Start(c.Request().Context(), "POST /orders")
				defer span.End()
				c.SetRequest(c.Request().WithContext(ctx))
				return next(c)
			}
		}, echopool.Middleware(pool))
		e.POST("/orders", func(c echo.Context) error {
			if handler(c.Request().Context()) != nil {
				return echo.ErrServiceUnavailable
			}
			return c.NoContent(http.StatusOK)
		})
		return httppool.ServeListener(ctx, &http.Server{Handler: e}, ln, pool, patience)
	},
	"fiber": func(ctx context.Context, ln net.Listener, pool *taskpool.Pool, tracer trace.Tracer, handler func(context.Context) error) error {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Use(func(c *fiber.Ctx) error {
			ctx, span := tracer.Start(c.UserContext(), "POST /orders")
			defer span.End()
			c.SetUserContext(ctx)
			return c.Next()
		}, fiberpool.Middleware(pool))
		app.Post("/orders", func(c *fiber.Ctx) error {
			if handler(c.UserContext()) != nil {
				return fiber.ErrServiceUnavailable
			}
			return c.SendStatus(http.StatusOK)
		})
		return fiberpool.Serve(ctx, app, ln, pool, patience)
	},
}

// A request's trace goes on in its tasks, on each framework: the request is the parent of every run of what it staged, and a run that
// of what it adds in turn.
func TestTraceOfARequestGoesOnInItsTasks(t *testing.T) {
	for name, serve := range tracedOn {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewInMemoryExporter()
			tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
			hooks, err := otelpool.Hooks(otelpool.Options{TracerProvider: tp})
			if err != nil {
				t.Fatal(err)
			}
			pool := taskpool.New(taskpool.Config{Hooks: hooks, Logger: slog.New(slog.DiscardHandler)})
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan struct{})
			retried := taskpool.Job{Name: "notify", Start: taskpool.StartOnSuccess, Retry: taskpool.Backoff(2, time.Millisecond, 0), Run: func(ctx context.Context) error {
				if run, _ := taskpool.RunOf(ctx); run.Attempt == 1 {
					return errors.New("not yet")
				}
				return taskpool.FromContext(ctx).Submit(taskpool.Job{Name: "archive", Run: func(context.Context) error { close(ended); return nil }})
			}}
			served := make(chan error, 1)
			go func() {
				served <- serve(ctx, ln, pool, tp.Tracer("test"), func(ctx context.Context) error { return taskpool.FromContext(ctx).Submit(retried) })
			}()
			answer, err := http.Post("http://"+ln.Addr().String()+"/orders", "text/plain", nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Fatalf("got %d", answer.StatusCode)
			}
			await(t, ended)
			stop()
			if err := <-served; err != nil {
				t.Error(err)
			}

			by := map[string]tracetest.SpanStub{}
			for _, span := range spans.GetSpans() {
				name := span.Name
				for _, a := range span.Attributes {
					if a.Key == attribute.Key("taskpool.attempt") {
						name += " " + a.Value.String()
					}
				}
				by[name] = span
			}
			if len(by) != 4 {
				t.Errorf("got %d spans, want the request, two runs and what the second added", len(by))
			}
			for child, parent := range map[string]string{"process notify 1": "POST /orders", "process notify 2": "POST /orders", "process archive 1": "process notify 2"} {
				if by[child].Parent.SpanID() != by[parent].SpanContext.SpanID() || by[child].SpanContext.TraceID() != by["POST /orders"].SpanContext.TraceID() {
					t.Errorf("the parent of %s is not %s", child, parent)
				}
			}
		})
	}
}
