package otelpool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	taskpool "github.com/elite-libs/taskpool/core"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

const (
	maxNames  = 500 // beyond, metrics are of the name other: who puts an order's number into a task's name would else fill memory
	maxErrors = 20  // error types of a name; beyond, they are other

	other = "_OTHER" // as the conventions have it
)

// Names are what is made once of each task's name, in a map that is replaced when it grows: it is read by
// every task and soon has all.
type names struct {
	common []attribute.KeyValue
	mu     sync.Mutex // held to replace a map
	all    atomic.Pointer[map[string]*named]
	others *numbers // of the names that there is no room for
}

// A named is what the spans and metrics of one name have.
type named struct {
	span       string
	start      []trace.SpanStartOption
	attributes []attribute.KeyValue // of a span
	*numbers
}

// Numbers are what the metrics of a name have.
type numbers struct {
	attributes []attribute.KeyValue // of all of them
	waited     []metric.RecordOption
	ended      [taskpool.FateAbandoned + 1]atomic.Uint64
	success    []metric.RecordOption // of a run
	failures   atomic.Pointer[map[string][]metric.RecordOption]
}

// get is what the name has.
func (n *names) get(name string) *named {
	if all := n.all.Load(); all != nil {
		if of := (*all)[name]; of != nil {
			return of
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var all map[string]*named
	if p := n.all.Load(); p != nil {
		all = *p
	}
	if of := all[name]; of != nil {
		return of
	}
	if len(all) == maxNames { // its spans have the name, its metrics share one
		if n.others == nil {
			n.others = n.numbers(other)
		}
		return n.named(name, n.others)
	}
	grown := map[string]*named{name: n.named(name, n.numbers(name))}
	maps.Copy(grown, all)
	n.all.Store(&grown)
	return grown[name]
}

func (n *names) named(name string, of *numbers) *named {
	return &named{
		span:  "process " + name,
		start: []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer)},
		attributes: append(slices.Clone(n.common), semconv.MessagingOperationName("process"),
			semconv.MessagingOperationTypeProcess, semconv.MessagingDestinationName(name)),
		numbers: of,
	}
}

func (n *names) numbers(name string) *numbers {
	of := &numbers{attributes: append(slices.Clone(n.common), semconv.MessagingDestinationName(name))}
	of.waited = record(of.attributes)
	of.success = record(of.attributes, semconv.MessagingOperationName("process"))
	return of
}

// observeEnded reports how many have ended. They are counted here, as a counter of the SDK's takes about as long as all else
// that this package does for a task.
func (n *names) observeEnded(out metric.Observer, ended metric.Int64Observable) {
	n.mu.Lock() // for others
	all := []*numbers{}
	if p := n.all.Load(); p != nil {
		for _, of := range *p {
			all = append(all, of.numbers)
		}
	}
	if n.others != nil {
		all = append(all, n.others)
	}
	n.mu.Unlock()
	for _, of := range all {
		for fate := taskpool.FateSucceeded; fate <= taskpool.FateAbandoned; fate++ {
			if count := of.ended[fate].Load(); count > 0 {
				out.ObserveInt64(ended, int64(count), set(of.attributes, attribute.String("taskpool.fate", fate.String()))) //nolint:gosec // nobody counts so far
			}
		}
	}
}

// ran is what the duration of a run has that failed so, or succeeded if failed is empty.
func (of *numbers) ran(n *names, failed string) []metric.RecordOption {
	if failed == "" {
		return of.success
	}
	if all := of.failures.Load(); all != nil && (*all)[failed] != nil {
		return (*all)[failed]
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	grown := map[string][]metric.RecordOption{}
	if all := of.failures.Load(); all != nil {
		grown = maps.Clone(*all)
	}
	if len(grown) >= maxErrors {
		failed = other
	}
	if grown[failed] == nil {
		grown[failed] = record(of.attributes, semconv.MessagingOperationName("process"), semconv.ErrorTypeKey.String(failed))
		of.failures.Store(&grown)
	}
	return grown[failed]
}

func record(attrs []attribute.KeyValue, more ...attribute.KeyValue) []metric.RecordOption {
	return []metric.RecordOption{set(attrs, more...)}
}

func set(attrs []attribute.KeyValue, more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(slices.Concat(attrs, more)...))
}

// errorType says what kind of error it is, in few words: the text of an error is of no use to a metric.
func errorType(err error) string {
	var panicked *taskpool.PanicError
	switch {
	case errors.As(err, &panicked):
		return "panic"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled), errors.Is(err, taskpool.ErrDone):
		return "canceled"
	}
	for { // the type of what is wrapped says more than that of what wraps it
		inner := errors.Unwrap(err)
		if inner == nil {
			return fmt.Sprintf("%T", err)
		}
		err = inner
	}
}
