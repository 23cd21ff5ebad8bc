package otelpool

import (
	"context"
	"errors"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/elite-libs/taskpool/core/otelpool"

// Options say where spans and numbers go. The zero value means the global providers.
type Options struct {
	TracerProvider trace.TracerProvider // nil means otel.GetTracerProvider()
	MeterProvider  metric.MeterProvider // nil means otel.GetMeterProvider()
	System         string               // messaging.system; empty means "taskpool". For stored tasks give "river"
	Pool           string               // taskpool.pool, where a process has several; empty means that nothing has it
}

func (o Options) tracer() trace.Tracer {
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	return o.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))
}

func (o Options) meter() metric.Meter {
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	return o.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
}

// common are the attributes that everything has.
func (o Options) common() []attribute.KeyValue {
	system := o.System
	if system == "" {
		system = "taskpool"
	}
	attrs := []attribute.KeyValue{semconv.MessagingSystemKey.String(system)}
	if o.Pool != "" {
		attrs = append(attrs, attribute.String("taskpool.pool", o.Pool))
	}
	return attrs
}

// instruments are what the hooks write to.
type instruments struct {
	tracer trace.Tracer
	ran    metric.Float64Histogram
	waited metric.Float64Histogram
	names  names
}

// Hooks returns hooks for taskpool.Config, and for whatever else takes such hooks, that trace and measure
// every task. To have others too, join them with taskpool.JoinHooks: behind these, their Run and
// their Ended are within the span. Hooks of one call may serve several pools. The
// MeterProvider keeps what they count.
//
// A sampler is given the name and the kind of a span; the attributes follow once it is sampled, so that the
// others cost nothing. An error comes from a MeterProvider that refuses an instrument.
func Hooks(o Options) (taskpool.Hooks, error) {
	meter := o.meter()
	ran, err1 := messagingconv.NewProcessDuration(meter, metric.WithExplicitBucketBoundaries(
		.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10)) // what the conventions advise
	waited, err2 := meter.Float64Histogram("taskpool.task.wait", metric.WithUnit("s"),
		metric.WithDescription("From the acceptance of a task to the start of its last run."),
		metric.WithExplicitBucketBoundaries(.001, .005, .01, .05, .1, .5, 1, 5, 10, 60, 300, 3600))
	ended, err3 := meter.Int64ObservableCounter("taskpool.task.ended", metric.WithUnit("{task}"),
		metric.WithDescription("Tasks that have ended, by what became of them."))
	if err := errors.Join(err1, err2, err3); err != nil {
		return taskpool.Hooks{}, err
	}
	in := &instruments{tracer: o.tracer(), ran: ran.Inst(), waited: waited, names: names{common: o.common()}}
	if _, err := meter.RegisterCallback(func(_ context.Context, out metric.Observer) error {
		in.names.observeEnded(out, ended)
		return nil
	}, ended); err != nil {
		return taskpool.Hooks{}, err
	}
	return taskpool.Hooks{Run: in.run, Ended: in.end}, nil
}

// run is Hooks.Run. A panic of the task is an error here, a runtime.Goexit passes through.
func (in *instruments) run(ctx context.Context, name string, next taskpool.Task) (err error) {
	of := in.names.get(name)
	options := of.start
	if from, ok := stored(ctx); ok {
		options = append(options[:len(options):len(options)], trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: from}))
	}
	ctx, span := in.tracer.Start(ctx, of.span, options...)
	recording := span.IsRecording()
	if recording {
		describe(ctx, span, of)
	}
	begun, returned := time.Now(), false
	defer func() {
		failed := ""
		switch {
		case !returned:
			failed = "goexit"
		case err != nil:
			failed = errorType(err)
		}
		in.ran.Record(ctx, time.Since(begun).Seconds(), of.ran(&in.names, failed)...)
		if recording && failed != "" {
			span.SetAttributes(semconv.ErrorTypeKey.String(failed))
			text := failed
			if err != nil {
				text = err.Error()
			}
			span.SetStatus(codes.Error, text)
		}
		span.End()
	}()
	err = next(ctx)
	returned = true
	return err
}

func describe(ctx context.Context, span trace.Span, of *named) {
	span.SetAttributes(of.attributes...)
	r, ok := taskpool.RunOf(ctx)
	if !ok {
		return
	}
	span.SetAttributes(
		attribute.Int("taskpool.attempt", r.Attempt),
		attribute.String("taskpool.priority", r.Priority.String()),
		attribute.Float64("taskpool.wait", r.Waited.Seconds()),
	)
	if r.Lane != "" {
		span.SetAttributes(attribute.String("taskpool.lane", r.Lane))
	}
}

// end is Hooks.Ended. Its context has the span of the task's last run: exemplars point there.
func (in *instruments) end(ctx context.Context, r taskpool.Result) {
	of := in.names.get(r.Name)
	if int(r.Fate) < len(of.ended) {
		of.ended[r.Fate].Add(1)
	}
	if r.Attempts > 0 {
		in.waited.Record(ctx, r.Waited.Seconds(), of.waited...)
	}
}
