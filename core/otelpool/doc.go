// Package otelpool traces and measures the tasks of a taskpool with OpenTelemetry, by
// the semantic conventions for messaging (v1.43.0; their status is Development, so names may
// change with them).
//
//	hooks, err := otelpool.Hooks(otelpool.Options{})
//	pool := taskpool.New(taskpool.Config{Hooks: hooks})
//	_, err = otelpool.Observe(pool, otelpool.Options{})
//
// # Spans
//
// Every run of a task is a span of its own, "process NAME" of the kind CONSUMER, a child of the
// span in whose context the task was added: that of the request, where a tracing middleware stands
// outside of the pool's. A stored task, whose trace [Carrier] brought from another process or another
// day, begins a new trace with a link to the one that stored it.
//
//	messaging.system            "taskpool", or Options.System
//	messaging.operation.name    "process"
//	messaging.operation.type    "process"
//	messaging.destination.name  the task's name
//	error.type                  "panic", "timeout", "canceled" or the type of the error, if the run failed
//	taskpool.pool               Options.Pool, if it is set
//	taskpool.attempt            which run it is, from 1
//	taskpool.lane               if it has one
//	taskpool.priority           "low", "normal", "high"
//	taskpool.wait               seconds from the acceptance of the task to the start of the run
//
// # Metrics
//
//	messaging.process.duration  histogram, s: a run; by name and error.type
//	taskpool.task.wait          histogram, s: from the acceptance of a task to the start of its last run; by name
//	taskpool.task.ended         counter: by name and taskpool.fate
//
// And, of [Observe], as they are when they are collected:
//
//	taskpool.tasks              tasks by taskpool.state: running, queued, staged, delayed, retrying
//	taskpool.workers            how many tasks may run at once
//	taskpool.overrun            running tasks that have overrun their timeout
//	taskpool.oldest             gauge, s: how long the oldest queued task has waited
//	taskpool.lane.tasks         tasks by taskpool.lane and taskpool.state: running, queued
//	taskpool.lane.held          gauge, s: for how long nothing more of a lane starts; by taskpool.lane
//	taskpool.lane.refused       counter: calls that an API has refused; by taskpool.lane, without _OTHER
//	taskpool.accepted, taskpool.refused, taskpool.retried   counters
//
// # Cost
//
// What a name's spans and metrics carry is made once, and tasks that ended are counted here rather than by the SDK. Of a
// task that is not sampled the SDK allocates its span and its context, and this package nothing; of the time nearly all is
// the SDK's, for a span and two histograms, as `make bench` shows beside it. A pool that has hooks makes a job of every plain task, see
// taskpool.Config; one without them pays nothing.
package otelpool
