package bench

import (
	"context"
	"errors"
	"fmt"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/otelpool"
	"github.com/elite-libs/taskpool/core/poolpage"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// A watch is a way to have a pool watched: a pool, and what ends the watching.
type watch func() (*taskpool.Pool, func(), error)

func unwatched() (*taskpool.Pool, func(), error) { return hooked(taskpool.Hooks{}), func() {}, nil }

// shown is a pool that a page shows, and nobody looks at.
func shown() (*taskpool.Pool, func(), error) {
	p, page := hooked(taskpool.Hooks{}), poolpage.New()
	page.Show("bench", p)
	return p, page.Close, nil
}

// traced is a pool with otelpool, of which nothing is sampled.
func traced() (*taskpool.Pool, func(), error) {
	hooks, err := otelpool.Hooks(otelpool.Options{TracerProvider: unsampled(), MeterProvider: collected()})
	return hooked(hooks), func() {}, err
}

// withHooks is a pool with hooks that do nothing.
func withHooks() (*taskpool.Pool, func(), error) {
	return hooked(taskpool.Hooks{
		Run:   func(ctx context.Context, _ string, next taskpool.Task) error { return next(ctx) },
		Ended: func(context.Context, taskpool.Result) {},
	}), func() {}, nil
}

// withSDK is a pool whose hooks make the calls of OpenTelemetry's SDK that otelpool cannot do without: a span and two
// histograms, with options that were made before.
func withSDK() (*taskpool.Pool, func(), error) {
	tracer, meter := unsampled().Tracer("bench"), collected().Meter("bench")
	ran, err1 := meter.Float64Histogram("ran")
	waited, err2 := meter.Float64Histogram("waited")
	of := func(keys ...string) []metric.RecordOption {
		var attrs []attribute.KeyValue
		for _, key := range keys {
			attrs = append(attrs, attribute.String(key, "bench"))
		}
		return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attrs...))}
	}
	two, three := of("system", "name"), of("system", "name", "operation")
	start := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer)}
	return hooked(taskpool.Hooks{
		Run: func(ctx context.Context, _ string, next taskpool.Task) error {
			ctx, span := tracer.Start(ctx, "process", start...)
			defer span.End()
			err := next(ctx)
			ran.Record(ctx, 0, three...)
			return err
		},
		Ended: func(ctx context.Context, _ taskpool.Result) { waited.Record(ctx, 0, two...) },
	}), func() {}, errors.Join(err1, err2)
}

func hooked(h taskpool.Hooks) *taskpool.Pool {
	return taskpool.New(taskpool.Config{Workers: 1, QueueLimit: -1, Hooks: h})
}

func unsampled() *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
}

func collected() *sdkmetric.MeterProvider {
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

// A watchedPool is a pool with a task for it.
type watchedPool struct {
	pool *taskpool.Pool
	end  func()
	t    task // the one worker runs it
	job  taskpool.Job
	ran  int // as often as it should have
}

func openWatched(w watch) (*watchedPool, error) {
	pool, end, err := w()
	p := &watchedPool{pool: pool, end: end}
	p.job = taskpool.Job{Name: "bench", Run: p.t.runContext}
	return p, err
}

// run is the processor's time of a task of n, from the first submitted until the last has run.
func (p *watchedPool) run(n int) (float64, error) {
	start := cpuTime()
	for range n {
		must(p.pool.Submit(p.job))
	}
	_, err := p.pool.Drain(context.Background())
	took := float64(cpuTime()-start) / float64(n)
	if p.ran += n; err == nil && int(p.t.ran) != p.ran {
		err = fmt.Errorf("the task ran %d times, want %d", p.t.ran, p.ran)
	}
	return took, err
}

// besideWatch measures a pool that is watched beside another one.
func besideWatch(w, other watch, take func(r Run, p, other *watchedPool) (float64, error)) measure {
	return func(r Run) (float64, error) {
		p, err1 := openWatched(w)
		o, err2 := openWatched(other)
		if err := errors.Join(err1, err2); err != nil {
			return 0, err
		}
		defer p.end()
		defer o.end()
		return take(r, p, o)
	}
}

// paired is the median of what compare makes of passes that alternate between the two pools.
func paired(compare func(p, other float64) float64) func(r Run, p, other *watchedPool) (float64, error) {
	return func(r Run, p, other *watchedPool) (float64, error) {
		n := r.size(2_000)
		return r.paired(func() (float64, error) { return p.run(n) }, func() (float64, error) { return other.run(n) }, compare)
	}
}

var (
	asRatio = paired(func(p, other float64) float64 { return p / other })
	asMore  = paired(func(p, other float64) float64 { return p - other })
)

// moreAllocs is how many allocations a task has more than one of the other pool.
func moreAllocs(r Run, p, other *watchedPool) (float64, error) {
	n := r.size(10_000)
	count := func(p *watchedPool) (got float64, err error) {
		if _, err := p.run(n); err != nil { // warms up
			return 0, err
		}
		got = allocs(1, func() { _, err = p.run(n) }) / float64(n)
		return got, err
	}
	got, err1 := count(p)
	without, err2 := count(other)
	return got - without, errors.Join(err1, err2)
}

const (
	noWatch    = "a second pool that nobody watches: what noise does"
	emptyHooks = "hooks that do nothing: the engine's part"
	sdkAlone   = "a span that is not sampled and two histograms, of OpenTelemetry's SDK: no package can do with less"
)

// watchedWorkloads are of pools that are watched, beside such that are not. What is asked is
// so little that the time is that of the processor.
func watchedWorkloads() []Workload {
	page := Workload{
		Name: "Watched/by=page", Text: "a task of a pool that a page shows and nobody looks at, to one without", Unit: "ratio",
		Asked: 1.02, Aim: 1.01, Absolute: true,
		Entrants: []Entrant{{Engine, "", besideWatch(shown, unwatched, asRatio)}, {bare, noWatch, besideWatch(unwatched, unwatched, asRatio)}},
	}
	otel := Workload{
		Name: "Watched/by=otelpool", Text: "a task of a pool with otelpool, not sampled, to one without", Unit: "ratio",
		Entrants: []Entrant{
			{Engine, "", besideWatch(traced, unwatched, asRatio)},
			{"hooks", emptyHooks, besideWatch(withHooks, unwatched, asRatio)}, {"sdk", sdkAlone, besideWatch(withSDK, unwatched, asRatio)},
		},
	}
	added := Workload{
		Name: "Traced", Text: "what otelpool adds to a task with hooks, not sampled", Unit: "ns/op", Asked: 1.25, Aim: 1.1,
		Entrants: []Entrant{{Engine, "", besideWatch(traced, withHooks, asMore)}, {"sdk", "", besideWatch(withSDK, withHooks, asMore)}},
	}
	return []Workload{
		page, otel, added,
		allocations("Allocs/of=Page", "allocations: added to a task by a page that nobody looks at", 0, besideWatch(shown, unwatched, moreAllocs)),
		allocations("Allocs/of=Traced", "allocations: added to a task with hooks by otelpool, not sampled", 2, besideWatch(traced, withHooks, moreAllocs)),
	}
}
