package otelpool_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/otelpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Prometheus collects from /metrics.
func Example_prometheus() {
	registry := prometheus.NewRegistry()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry))
	if err != nil {
		panic(err)
	}
	options := otelpool.Options{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))}
	hooks, err := otelpool.Hooks(options)
	if err != nil {
		panic(err)
	}
	pool := taskpool.New(taskpool.Config{Hooks: hooks})
	if _, err := otelpool.Observe(pool, options); err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	_ = pool.Submit(taskpool.Job{Name: "receipt", Run: func(context.Context) error { return nil }})
	_, _ = pool.Drain(context.Background())
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(line, "taskpool_accepted") || strings.HasPrefix(line, "taskpool_task_ended") {
			name, _, _ := strings.Cut(line, "{")
			fmt.Println(name, line[strings.LastIndex(line, " ")+1:])
		}
	}
	// Unordered output:
	// taskpool_accepted_total 1
	//
	// taskpool_task_ended_total 1
}

// Spans and numbers as JSON, to see what there is: in a program, on os.Stdout.
func Example_stdout() {
	var stdout strings.Builder
	spans, err := stdouttrace.New(stdouttrace.WithWriter(&stdout), stdouttrace.WithPrettyPrint())
	if err != nil {
		panic(err)
	}
	numbers, err := stdoutmetric.New(stdoutmetric.WithWriter(&stdout))
	if err != nil {
		panic(err)
	}
	tracing := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
	metering := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(numbers)))
	hooks, err := otelpool.Hooks(otelpool.Options{TracerProvider: tracing, MeterProvider: metering})
	if err != nil {
		panic(err)
	}
	pool := taskpool.New(taskpool.Config{Hooks: hooks})
	_ = pool.Submit(taskpool.Job{Name: "receipt", Run: func(context.Context) error { return nil }})
	_, _ = pool.Done(context.Background())
	_ = tracing.Shutdown(context.Background()) // after the pool's Done, so that what is last is written
	_ = metering.Shutdown(context.Background())

	fmt.Println(strings.Contains(stdout.String(), `"Name": "process receipt"`))
	fmt.Println(strings.Contains(stdout.String(), `"Name":"messaging.process.duration"`))
	// Output:
	// true
	// true
}

// What is stored of a request's trace when a task is stored, and what a run of it finds: riverpool.Config.Carry is a
// Carrier.
func ExampleCarrier() {
	tracing := sdktrace.NewTracerProvider()
	ctx, span := tracing.Tracer("orders").Start(context.Background(), "POST /orders")
	var carrier otelpool.Carrier
	stored := carrier.Inject(ctx)
	span.End()

	ctx = carrier.Extract(context.Background(), stored) // another day, in another process
	from := trace.SpanContextFromContext(ctx)
	fmt.Println(from.TraceID() == span.SpanContext().TraceID(), from.IsRemote())
	// Output: true true
}
