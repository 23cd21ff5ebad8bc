package otelpool

import (
	"context"
	"errors"

	taskpool "github.com/elite-libs/taskpool/core"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Observe reports the numbers of a pool as they are whenever they are collected. It may be called at any time, and for
// several pools, which o.Pool tells apart. The Registration ends it: until then the MeterProvider keeps the pool
// alive. No task pays for it.
func Observe(pool *taskpool.Pool, o Options) (metric.Registration, error) {
	m := o.meter()
	var errs []error
	number := func(name, unit, what string) metric.Int64Observable {
		n, err := m.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return n
	}
	count := func(name, unit, what string) metric.Int64Observable {
		n, err := m.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return n
	}
	tasks := number("taskpool.tasks", "{task}", "Tasks that have not ended, by state.")
	workers := number("taskpool.workers", "{worker}", "How many tasks may run at once.")
	overrun := number("taskpool.overrun", "{task}", "Running tasks that have overrun their timeout.")
	accepted := count("taskpool.accepted", "{task}", "Tasks that were accepted.")
	refused := count("taskpool.refused", "{task}", "Tasks that were not accepted.")
	retried := count("taskpool.retried", "{run}", "Runs that failed and were to be followed by another.")
	oldest, err := m.Float64ObservableGauge("taskpool.oldest", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest queued task has waited."))
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}

	with := func(attrs ...attribute.KeyValue) metric.ObserveOption {
		return metric.WithAttributeSet(attribute.NewSet(append(o.common(), attrs...)...))
	}
	in := func(s taskpool.State) metric.ObserveOption {
		return with(attribute.String("taskpool.state", s.String()))
	}
	all := with()
	running, queued, staged := in(taskpool.StateRunning), in(taskpool.StateQueued), in(taskpool.StateStaged)
	delayed, retrying := in(taskpool.StateDelayed), in(taskpool.StateRetrying)
	return m.RegisterCallback(func(_ context.Context, out metric.Observer) error {
		s := pool.Stats()
		out.ObserveInt64(tasks, int64(s.Running), running)
		out.ObserveInt64(tasks, int64(s.Queued), queued)
		out.ObserveInt64(tasks, int64(s.Staged), staged)
		out.ObserveInt64(tasks, int64(s.Delayed), delayed)
		out.ObserveInt64(tasks, int64(s.Retrying), retrying)
		out.ObserveInt64(workers, int64(s.Workers), all)
		out.ObserveInt64(overrun, int64(s.Overrun), all)
		out.ObserveInt64(accepted, int64(s.Accepted), all)
		out.ObserveInt64(refused, int64(s.Refused), all)
		out.ObserveInt64(retried, int64(s.Retried), all)
		out.ObserveFloat64(oldest, s.Oldest.Seconds(), all)
		return nil
	}, tasks, workers, overrun, accepted, refused, retried, oldest)
}
