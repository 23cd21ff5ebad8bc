package otelpool_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
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

// Spans and numbers to stdout, to see what there is.
func Example_stdout() {
	spans, err := stdouttrace.New(stdouttrace.WithPrettyPrint())
	if err != nil {
		panic(err)
	}
	numbers, err := stdoutmetric.New(stdoutmetric.WithWriter(os.Stdout))
	if err != nil {
		panic(err)
	}
	tracing := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
	metering := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(numbers)))
	defer func() {
		_ = tracing.Shutdown(context.Background()) // after the pool's Done: what is last is written
		_ = metering.Shutdown(context.Background())
	}()
	hooks, err := otelpool.Hooks(otelpool.Options{TracerProvider: tracing, MeterProvider: metering})
	if err != nil {
		panic(err)
	}
	pool := taskpool.New(taskpool.Config{Hooks: hooks})
	_ = pool.Submit(taskpool.Job{Name: "receipt", Run: func(context.Context) error { return nil }})
	_, _ = pool.Done(context.Background())
}
