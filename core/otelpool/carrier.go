package otelpool

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// A Carrier takes a trace along with a task that is stored, for the field Carry of riverpool.Config. The zero value is
// usable. It may be used by several goroutines at once.
type Carrier struct {
	Propagator propagation.TextMapPropagator // nil means trace context and baggage, as the W3C has them
}

var w3c = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

func (c Carrier) propagator() propagation.TextMapPropagator {
	if c.Propagator == nil {
		return w3c
	}
	return c.Propagator
}

// Inject gives what is to be stored of the trace that ctx is in.
func (c Carrier) Inject(ctx context.Context) map[string]string {
	m := propagation.MapCarrier{}
	c.propagator().Inject(ctx, m)
	return m
}

// Extract gives a context in which the run of the stored task begins a trace of its own, linked to the one that stored it.
func (c Carrier) Extract(ctx context.Context, m map[string]string) context.Context {
	return context.WithValue(c.propagator().Extract(ctx, propagation.MapCarrier(m)), storedKey{}, true)
}

type storedKey struct{}

// stored gives the span in which a task was stored, if ctx is that of a stored task. A remote span without a Carrier is the
// request's parent, where nobody has begun a span for the request: of that a task is a child.
func stored(ctx context.Context) (trace.SpanContext, bool) {
	from := trace.SpanContextFromContext(ctx)
	if !from.IsRemote() || !from.IsValid() {
		return trace.SpanContext{}, false
	}
	yes, _ := ctx.Value(storedKey{}).(bool)
	return from, yes
}
