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
// alive. No task pays for it. Of lanes the first 100 that it sees have their names, the others are one; where reading them
// takes long, as with one for each of very many tenants, what was read before is reported again.
func Observe(pool *taskpool.Pool, o Options) (metric.Registration, error) {
	return observe(pool.Stats, pool.Lanes, o)
}

func observe(stats func() taskpool.Stats, lanesNow func() []taskpool.LaneStats, o Options) (metric.Registration, error) {
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
	laneTasks := number("taskpool.lane.tasks", "{task}", "Tasks of a lane that run, or wait for room in it.")
	laneRefused := count("taskpool.lane.refused", "{call}", "Calls of a lane's tasks that an API has refused.")
	laneHeld, err := m.Float64ObservableGauge("taskpool.lane.held", metric.WithUnit("s"),
		metric.WithDescription("For how long nothing more of a lane starts."))
	errs = append(errs, err)
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
	of := &lanes{of: lanesNow, with: with, tasks: laneTasks, refused: laneRefused, held: laneHeld, named: map[string]*lane{}}
	return m.RegisterCallback(func(_ context.Context, out metric.Observer) error {
		s := stats()
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
		of.observe(out)
		return nil
	}, tasks, workers, overrun, accepted, refused, retried, oldest, laneTasks, laneRefused, laneHeld)
}
