package examples_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/otelpool"
	"github.com/elite-libs/taskpool/core/riverpool"
	echopool "github.com/elite-libs/taskpool/echo"
	echo5pool "github.com/elite-libs/taskpool/echo/echo5"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	fiber3pool "github.com/elite-libs/taskpool/fiber/fiber3"
	ginpool "github.com/elite-libs/taskpool/gin"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// A traced service is one handler behind a middleware for tracing and the pool's, on some framework.
type traced func(ctx context.Context, ln net.Listener, src taskpool.Source, tracer trace.Tracer, handler func(context.Context) error) error

var tracedOn = map[string]traced{
	"nethttp": func(ctx context.Context, ln net.Listener, src taskpool.Source, tracer trace.Tracer, handler func(context.Context) error) error {
		h := httppool.Middleware(src)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if handler(r.Context()) != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		return httppool.ServeListener(ctx, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, span := tracer.Start(r.Context(), "POST /orders")
			defer span.End()
			h.ServeHTTP(w, r.WithContext(ctx))
		})}, ln, src, patience)
	},
	"gin": func(ctx context.Context, ln net.Listener, src taskpool.Source, tracer trace.Tracer, handler func(context.Context) error) error {
		router := gin.New()
		router.Use(func(c *gin.Context) {
			ctx, span := tracer.Start(c.Request.Context(), "POST /orders")
			defer span.End()
			c.Request = c.Request.WithContext(ctx)
			c.Next()
		}, ginpool.Middleware(src))
		router.POST("/orders", func(c *gin.Context) {
			if handler(c.Request.Context()) != nil {
				c.Status(http.StatusServiceUnavailable)
			}
		})
		return httppool.ServeListener(ctx, &http.Server{Handler: router}, ln, src, patience)
	},
	"echo": func(ctx context.Context, ln net.Listener, src taskpool.Source, tracer trace.Tracer, handler func(context.Context) error) error {
		e := echo.New()
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				ctx, span := tracer.Start(c.Request().Context(), "POST /orders")
				defer span.End()
				c.SetRequest(c.Request().WithContext(ctx))
				return next(c)
			}
		}, echopool.Middleware(src))
		e.POST("/orders", func(c echo.Context) error {
			if handler(c.Request().Context()) != nil {
				return echo.ErrServiceUnavailable
			}
			return c.NoContent(http.StatusOK)
		})
		return httppool.ServeListener(ctx, &http.Server{Handler: e}, ln, src, patience)
	},
	"fiber": func(ctx context.Context, ln net.Listener, src taskpool.Source, tracer trace.Tracer, handler func(context.Context) error) error {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Use(func(c *fiber.Ctx) error {
			ctx, span := tracer.Start(c.UserContext(), "POST /orders")
			defer span.End()
			c.SetUserContext(ctx)
			return c.Next()
		}, fiberpool.Middleware(src))
		app.Post("/orders", func(c *fiber.Ctx) error {
			if handler(c.UserContext()) != nil {
				return fiber.ErrServiceUnavailable
			}
			return c.SendStatus(http.StatusOK)
		})
		return fiberpool.Serve(ctx, app, ln, src, patience)
	},
	"echo5": func(ctx context.Context, ln net.Listener, src taskpool.Source, tracer trace.Tracer, handler func(context.Context) error) error {
		e := echo5.New()
		e.Use(func(next echo5.HandlerFunc) echo5.HandlerFunc {
			return func(c *echo5.Context) error {
				ctx, span := tracer.Start(c.Request().Context(), "POST /orders")
				defer span.End()
				c.SetRequest(c.Request().WithContext(ctx))
				return next(c)
			}
		}, echo5pool.Middleware(src))
		e.POST("/orders", func(c *echo5.Context) error {
			if handler(c.Request().Context()) != nil {
				return echo5.ErrServiceUnavailable
			}
			return c.NoContent(http.StatusOK)
		})
		return httppool.ServeListener(ctx, &http.Server{Handler: e}, ln, src, patience)
	},
	"fiber3": func(ctx context.Context, ln net.Listener, src taskpool.Source, tracer trace.Tracer, handler func(context.Context) error) error {
		app := fiber3.New()
		app.Use(func(c fiber3.Ctx) error {
			ctx, span := tracer.Start(c.Context(), "POST /orders")
			defer span.End()
			c.SetContext(ctx)
			return c.Next()
		}, fiber3pool.Middleware(src))
		app.Post("/orders", func(c fiber3.Ctx) error {
			if handler(c.Context()) != nil {
				return fiber3.ErrServiceUnavailable
			}
			return c.SendStatus(http.StatusOK)
		})
		return fiber3pool.Serve(ctx, app, ln, src, patience)
	},
}

// A spanSeen is what a process tells another of a span.
type spanSeen struct {
	Trace, Span, Parent string
	Links               []string // the spans, with their traces
}

// seen are the spans of a process by name and attempt.
func seen(spans *tracetest.InMemoryExporter) map[string]spanSeen {
	by := map[string]spanSeen{}
	for _, span := range spans.GetSpans() {
		name := span.Name
		for _, a := range span.Attributes {
			if a.Key == attribute.Key("taskpool.attempt") {
				name += " " + a.Value.String()
			}
		}
		of := spanSeen{Trace: span.SpanContext.TraceID().String(), Span: span.SpanContext.SpanID().String(), Parent: span.Parent.SpanID().String()}
		for _, l := range span.Links {
			of.Links = append(of.Links, l.SpanContext.TraceID().String()+" "+l.SpanContext.SpanID().String())
		}
		by[name] = of
	}
	return by
}

// A tracedQueue is a pool whose tasks are traced, with a queue in a SQLite file in front of it.
type tracedQueue struct {
	*riverpool.Queue[*sql.Tx]
	spans  *tracetest.InMemoryExporter
	tracer trace.Tracer
	close  func() error
}

func openTraced(ctx context.Context, file string, tasks ...riverpool.Definition) (q tracedQueue, err error) {
	q.spans = tracetest.NewInMemoryExporter()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(q.spans))
	q.tracer = tp.Tracer("test")
	inMemory, err1 := otelpool.Hooks(otelpool.Options{TracerProvider: tp})
	stored, err2 := otelpool.Hooks(otelpool.Options{TracerProvider: tp, System: "river"})
	db, err3 := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err := errors.Join(err1, err2, err3); err != nil {
		return q, err
	}
	db.SetMaxOpenConns(1)
	q.close = db.Close
	quiet := slog.New(slog.DiscardHandler)
	q.Queue, err = riverpool.New(riversqlite.New(db), riverpool.Config{
		Source: taskpool.New(taskpool.Config{Hooks: inMemory, Logger: quiet}), Tasks: tasks, Hooks: stored, Carry: otelpool.Carrier{}, Logger: quiet,
	})
	if err == nil {
		err = q.Migrate(ctx)
	}
	return q, err
}

type shipment struct {
	Order int `json:"order"`
}

// traceWorker is another process: it works what is stored in the file that its argument names until that has run, and says what
// spans it made.
func traceWorker() {
	ended := make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ship := riverpool.Define("ship", func(ctx context.Context, _ shipment) error {
		return taskpool.FromContext(ctx).Submit(taskpool.Job{Name: "label", Start: taskpool.StartOnSuccess, Run: func(context.Context) error { close(ended); return nil }})
	}, riverpool.Options{})
	q, err := openTraced(ctx, os.Args[1], ship)
	if err == nil {
		go func() { <-ended; stop() }() // Run ends with ctx, and finishes what runs
		err = errors.Join(q.Run(ctx, patience), q.close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(seen(q.spans)) // the test misses what is not written
}

// A request's trace goes on in its tasks, on each framework: the request is the parent of every run of what it staged, and a run that of
// what it adds in turn. What a run stores begins a trace of its own in the process that works it, and is linked to that run.
func TestTraceOfARequestGoesOnInItsTasksAndInAnotherProcess(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	gin.SetMode(gin.ReleaseMode)
	for name, serve := range tracedOn {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "tasks.db")
			q, err := openTraced(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			ship := riverpool.Define[shipment]("ship", nil, riverpool.Options{}) // another process runs it
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
				return errors.Join(q.Submit(ctx, ship.Job(shipment{7})),
					taskpool.FromContext(ctx).Submit(taskpool.Job{Name: "archive", Run: func(context.Context) error { close(ended); return nil }}))
			}}
			served := make(chan error, 1)
			go func() {
				served <- serve(ctx, ln, q, q.tracer, func(ctx context.Context) error { return taskpool.FromContext(ctx).Submit(retried) })
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
			if err := errors.Join(<-served, q.close()); err != nil {
				t.Error(err)
			}
			here := seen(q.spans)

			worker := launch(t, self, "own:traceworker", file)
			if code := worker.wait(t).ExitCode(); code != 0 {
				t.Fatalf("the worker's exit code is %d", code)
			}
			var there map[string]spanSeen
			if err := json.Unmarshal([]byte(worker.stdout.String()), &there); err != nil {
				t.Fatal(err)
			}

			request, second, stored := here["POST /orders"], here["process notify 2"], there["process ship"]
			if len(here) != 4 || len(there) != 2 {
				t.Errorf("got the spans %v, want the request, two runs and what the second added; and %v, want what was stored and what that added", here, there)
			}
			for name, of := range map[string]struct {
				got, parent spanSeen
			}{
				"the first run": {here["process notify 1"], request}, "the retry": {second, request},
				"what the retry added": {here["process archive 1"], second}, "what the stored task added": {there["process label 1"], stored},
			} {
				if of.got.Parent != of.parent.Span || of.got.Trace != of.parent.Trace || of.got.Links != nil {
					t.Errorf("%s: got %+v, want a child of %+v", name, of.got, of.parent)
				}
			}
			if want := second.Trace + " " + second.Span; len(stored.Links) != 1 || stored.Links[0] != want || stored.Parent != (trace.SpanID{}).String() || stored.Trace == request.Trace {
				t.Errorf("the stored task: got %+v, want a root that is linked to %s", stored, want)
			}
		})
	}
}
