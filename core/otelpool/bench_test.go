package otelpool_test

import (
	"context"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/otelpool"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// BenchmarkHooks is a task whose trace is not sampled: beside no hooks, and beside hooks that do nothing, as the engine's
// part is not this package's.
func BenchmarkHooks(b *testing.B) {
	unsampled, err := otelpool.Hooks(otelpool.Options{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("alone", func(b *testing.B) { // no engine: what the hooks themselves take
		r := taskpool.Result{Name: "x", Fate: taskpool.FateSucceeded, Attempts: 1}
		b.ReportAllocs()
		for b.Loop() {
			_ = unsampled.Run(b.Context(), "x", nop)
			unsampled.Ended(b.Context(), r)
		}
	})
	for _, c := range []struct {
		name  string
		hooks taskpool.Hooks
	}{
		{"none", taskpool.Hooks{}},
		{"empty", taskpool.Hooks{
			Run:   func(ctx context.Context, _ string, next taskpool.Task) error { return next(ctx) },
			Ended: func(context.Context, taskpool.Result) {},
		}},
		{"unsampled", unsampled},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := taskpool.New(taskpool.Config{Workers: 1, QueueLimit: -1, Hooks: c.hooks})
			job := taskpool.Job{Name: "x", Run: nop}
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Submit(job)
				_, _ = p.Drain(context.Background())
			}
		})
	}
}
