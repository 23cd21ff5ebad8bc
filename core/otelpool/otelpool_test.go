package otelpool_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/otelpool"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// A telescope is where spans and numbers go in a test.
type telescope struct {
	spans  *tracetest.InMemoryExporter
	reader *sdkmetric.ManualReader
	otelpool.Options
}

func newTelescope() telescope {
	s := telescope{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	s.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.spans))
	s.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.reader))
	return s
}

func (s telescope) pool(t *testing.T, c taskpool.Config) *taskpool.Pool {
	t.Helper()
	hooks, err := otelpool.Hooks(s.Options)
	if err != nil {
		t.Fatal(err)
	}
	c.Hooks = taskpool.JoinHooks(hooks, c.Hooks)
	return taskpool.New(c)
}

// span gives the spans of a name as text, attributes sorted.
func (s telescope) span(name string) (all []tracetest.SpanStub) {
	for _, span := range s.spans.GetSpans() {
		if span.Name == name {
			all = append(all, span)
		}
	}
	return all
}

func text(attrs []attribute.KeyValue) string {
	m := map[string]string{}
	for _, a := range attrs {
		m[string(a.Key)] = a.Value.String()
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, key+"="+m[key])
	}
	return strings.Join(all, " ")
}

// points gives each data point of an instrument, its attributes and its count or sum.
func (s telescope) points(t *testing.T, name string) map[string]string {
	t.Helper()
	var m metricdata.ResourceMetrics
	if err := s.reader.Collect(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, scope := range m.ScopeMetrics {
		for _, of := range scope.Metrics {
			if of.Name != name {
				continue
			}
			switch data := of.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					all[text(p.Attributes.ToSlice())] = fmt.Sprint(p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					all[text(p.Attributes.ToSlice())] = fmt.Sprint(p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					all[text(p.Attributes.ToSlice())] = fmt.Sprintf("%d in %gs", p.Count, p.Sum)
				}
			default:
				t.Fatalf("%s is a %T", name, data)
			}
		}
	}
	return all
}

func drain(t *testing.T, p *taskpool.Pool) {
	t.Helper()
	if _, err := p.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func nop(context.Context) error { return nil }

type declined struct{}

func (declined) Error() string { return "declined" }

func TestEveryRunIsASpanUnderTheRequestsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTelescope()
		s.Pool = "orders"
		var inLog trace.SpanContext
		p := s.pool(t, taskpool.Config{Workers: 1, Hooks: taskpool.Hooks{Ended: func(ctx context.Context, r taskpool.Result) {
			if r.Name == "charge" {
				inLog = trace.SpanContextFromContext(ctx)
			}
		}}})
		request, span := s.TracerProvider.Tracer("test").Start(t.Context(), "POST /orders")
		err := taskpool.Handle(request, p, func(ctx context.Context) error {
			return taskpool.FromContext(ctx).Submit(
				taskpool.Job{Name: "receipt", Start: taskpool.StartOnSuccess, Run: nop, Lane: "mail", Priority: taskpool.PriorityHigh, Delay: time.Second},
				taskpool.Job{Name: "charge", Retry: func(n int, _ error) (time.Duration, bool) { return time.Minute, n == 1 }, Run: func(context.Context) error {
					return fmt.Errorf("bank: %w", declined{})
				}},
				taskpool.Job{Name: "boom", Run: func(context.Context) error { panic("x") }},
				taskpool.Job{Name: "slow", Timeout: time.Second, Run: func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }},
				taskpool.Job{Name: "sorry", Start: taskpool.StartOnFailure, Run: nop},
			)
		})
		if err != nil {
			t.Fatal(err)
		}
		span.End()
		drain(t, p)

		const common = "messaging.operation.name=process messaging.operation.type=process messaging.system=taskpool taskpool.attempt=%d %staskpool.pool=orders taskpool.priority=%s taskpool.wait=%d"
		var got, want []string
		for _, of := range s.spans.GetSpans() {
			if of.Name == "POST /orders" {
				continue
			}
			if of.Parent.SpanID() != span.SpanContext().SpanID() || of.SpanKind != trace.SpanKindConsumer || len(of.Links) != 0 {
				t.Errorf("%s: got parent %v, kind %v, links %v", of.Name, of.Parent.SpanID(), of.SpanKind, of.Links)
			}
			got = append(got, fmt.Sprint(of.Name, ": ", text(of.Attributes), " ", of.Status.Code, " ", of.Status.Description))
		}
		slices.Sort(got)
		add := func(name, failed, lane, priority, status string, attempt, wait int) {
			line := fmt.Sprintf("messaging.destination.name="+name+" "+common, attempt, lane, priority, wait)
			if failed != "" {
				line = "error.type=" + failed + " " + line
			}
			want = append(want, "process "+name+": "+line+" "+status)
		}
		add("boom", "panic", "", "normal", "Error taskpool: the task panicked: x", 1, 0)
		add("charge", "otelpool_test.declined", "", "normal", "Error bank: declined", 1, 0)
		add("charge", "otelpool_test.declined", "", "normal", "Error bank: declined", 2, 60)
		add("receipt", "", "taskpool.lane=mail ", "high", "Unset ", 1, 1)
		add("slow", "timeout", "", "normal", "Error taskpool: the task's timeout of 1s has passed", 1, 0)
		equal(t, "spans", strings.Join(got, "\n"), strings.Join(want, "\n"))
		charges := s.span("process charge")
		equal(t, "what is logged of a task points at its last run", inLog.SpanID(), charges[1].SpanContext.SpanID())

		same(t, "ended", s.points(t, "taskpool.task.ended"), map[string]string{
			"messaging.destination.name=boom messaging.system=taskpool taskpool.fate=panicked taskpool.pool=orders":     "1",
			"messaging.destination.name=charge messaging.system=taskpool taskpool.fate=failed taskpool.pool=orders":     "1",
			"messaging.destination.name=receipt messaging.system=taskpool taskpool.fate=succeeded taskpool.pool=orders": "1",
			"messaging.destination.name=slow messaging.system=taskpool taskpool.fate=failed taskpool.pool=orders":       "1",
			"messaging.destination.name=sorry messaging.system=taskpool taskpool.fate=discarded taskpool.pool=orders":   "1",
		})
		const of = " messaging.operation.name=process messaging.system=taskpool taskpool.pool=orders"
		same(t, "ran", s.points(t, "messaging.process.duration"), map[string]string{
			"error.type=panic messaging.destination.name=boom" + of:                    "1 in 0s",
			"error.type=otelpool_test.declined messaging.destination.name=charge" + of: "2 in 0s",
			"messaging.destination.name=receipt" + of:                                  "1 in 0s",
			"error.type=timeout messaging.destination.name=slow" + of:                  "1 in 1s",
		})
		equal(t, "waited", s.points(t, "taskpool.task.wait")["messaging.destination.name=charge messaging.system=taskpool taskpool.pool=orders"], "1 in 60s")
	})
}

func TestStoredTaskBeginsATraceThatIsLinked(t *testing.T) {
	s := newTelescope()
	p := s.pool(t, taskpool.Config{})
	_, span := s.TracerProvider.Tracer("test").Start(t.Context(), "POST /orders")
	kept := otelpool.Carrier{}.Inject(trace.ContextWithSpan(t.Context(), span))
	span.End()

	// The process that works the task runs it in a scope of its own.
	ctx := otelpool.Carrier{}.Extract(t.Context(), kept)
	if err := taskpool.Handle(ctx, p, func(ctx context.Context) error {
		return taskpool.FromContext(ctx).Submit(taskpool.Job{Name: "stored", Run: func(ctx context.Context) error {
			return taskpool.FromContext(ctx).Submit(taskpool.Job{Name: "follows", Run: nop})
		}})
	}); err != nil {
		t.Fatal(err)
	}
	drain(t, p)
	stored, follows := s.span("process stored")[0], s.span("process follows")[0]
	if stored.Parent.IsValid() || len(stored.Links) != 1 || stored.Links[0].SpanContext.SpanID() != span.SpanContext().SpanID() {
		t.Errorf("got parent %v and links %v, want a root that is linked to the request", stored.Parent, stored.Links)
	}
	if stored.SpanContext.TraceID() == span.SpanContext().TraceID() {
		t.Error("the stored task is in the request's trace")
	}
	if follows.Parent.SpanID() != stored.SpanContext.SpanID() || len(follows.Links) != 0 {
		t.Errorf("what a stored task adds: got parent %v and links %v, want its child", follows.Parent, follows.Links)
	}
}

// Where only the headers were read, and no span was begun, the request's parent is a remote one.
func TestTaskIsAChildOfARemoteParentThatNoCarrierBrought(t *testing.T) {
	s := newTelescope()
	p := s.pool(t, taskpool.Config{})
	_, span := s.TracerProvider.Tracer("test").Start(t.Context(), "client")
	ctx := trace.ContextWithRemoteSpanContext(t.Context(), span.SpanContext())
	if err := taskpool.Handle(ctx, p, func(ctx context.Context) error { return taskpool.FromContext(ctx).Add(nop) }); err != nil {
		t.Fatal(err)
	}
	drain(t, p)
	of := s.spans.GetSpans()[0]
	if of.Parent.SpanID() != span.SpanContext().SpanID() || len(of.Links) != 0 {
		t.Errorf("got parent %v and links %v", of.Parent, of.Links)
	}
}

func TestNamesAndErrorsThatAreEndlessShareOne(t *testing.T) {
	s := newTelescope()
	s.reader = sdkmetric.NewManualReader()
	s.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.reader), sdkmetric.WithCardinalityLimit(5000))
	p := s.pool(t, taskpool.Config{QueueLimit: -1, Logger: slog.New(slog.DiscardHandler)})
	const names = 1000
	for i := range names {
		if err := p.Submit(taskpool.Job{Name: fmt.Sprint("order ", i), Run: nop}); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, p)
	points := s.points(t, "taskpool.task.wait")
	equal(t, "names", len(points), 501)
	if got := points["messaging.destination.name=_OTHER messaging.system=taskpool"]; !strings.HasPrefix(got, "500 in ") {
		t.Errorf("the others: got %q", got)
	}
	equal(t, "the others that ended", s.points(t, "taskpool.task.ended")["messaging.destination.name=_OTHER messaging.system=taskpool taskpool.fate=succeeded"], "500")
	if len(s.span("process order 999")) != 1 || len(s.span("process _OTHER")) != 0 {
		t.Error("a span has its own name, whatever the metrics have")
	}
	for i := range 30 {
		if err := p.Submit(taskpool.Job{Name: "order 0", Run: func(context.Context) error { return typed(i) }}); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, p)
	types := 0
	for attrs := range s.points(t, "messaging.process.duration") {
		if strings.Contains(attrs, "error.type=") {
			types++
		}
	}
	equal(t, "error types", types, 21)
}

// typed is an error of a type of its own, one of so many.
func typed(i int) error {
	all := []error{
		of[int]{}, of[int8]{}, of[int16]{}, of[int32]{}, of[int64]{}, of[uint]{}, of[uint8]{}, of[uint16]{}, of[uint32]{}, of[uint64]{},
		of[*int]{}, of[*int8]{}, of[*int16]{}, of[*int32]{}, of[*int64]{}, of[*uint]{}, of[*uint8]{}, of[*uint16]{}, of[*uint32]{}, of[*uint64]{},
		of[[]int]{}, of[[]int8]{}, of[[]int16]{}, of[[]int32]{}, of[[]int64]{}, of[[]uint]{}, of[[]uint8]{}, of[[]uint16]{}, of[[]uint32]{}, of[[]uint64]{},
	}
	return all[i]
}

type of[T any] struct{}

func (of[T]) Error() string { return "of a kind" }

func TestObserveReportsAPoolAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTelescope()
		s.Pool = "orders"
		p := taskpool.New(taskpool.Config{Workers: 1, QueueLimit: 2})
		registration, err := otelpool.Observe(p, s.Options)
		if err != nil {
			t.Fatal(err)
		}
		var gate sync.WaitGroup
		gate.Add(1)
		wait := func(context.Context) error { gate.Wait(); return nil }
		for _, j := range []taskpool.Job{{Run: wait}, {Run: nop}, {Run: nop, Delay: time.Hour}, {Run: nop}} {
			err = errors.Join(err, p.Submit(j))
			synctest.Wait()
		}
		if !errors.Is(err, taskpool.ErrOverloaded) {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		const of = "messaging.system=taskpool taskpool.pool=orders"
		same(t, "tasks", s.points(t, "taskpool.tasks"), map[string]string{
			of + " taskpool.state=running": "1", of + " taskpool.state=queued": "1", of + " taskpool.state=staged": "0",
			of + " taskpool.state=delayed": "1", of + " taskpool.state=retrying": "0",
		})
		for name, want := range map[string]string{"accepted": "3", "refused": "1", "retried": "0", "workers": "1", "overrun": "0", "oldest": "2"} {
			same(t, name, s.points(t, "taskpool."+name), map[string]string{of: want})
		}
		gate.Done()
		drain(t, p)
		if err := registration.Unregister(); err != nil {
			t.Error(err)
		}
		equal(t, "once it is unregistered", len(s.points(t, "taskpool.tasks")), 0)
	})
}
