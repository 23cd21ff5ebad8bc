package taskpool

import "context"

// An endedContext is what the logger and the hooks are given for a run that has
// returned under Hooks.Run: the values of the context that Run gave to the task, so
// that a log line belongs to the run's own span, and the life of the task's. The
// task's own may have ended, as by a timeout that Run set.
type endedContext struct {
	context.Context
	values context.Context
}

func (c endedContext) String() string { return "taskpool.ended" }

// Value asks the values first. They do not answer the context package's own key,
// by which it finds what cancels a context: see context.WithoutCancel.
func (c endedContext) Value(key any) any {
	if v := c.values.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

// endedCtx is the context of the run that the worker has ended. Only its own
// goroutine may ask.
func (w *worker) endedCtx() context.Context {
	if w.derived == nil {
		return w.ctx()
	}
	return endedContext{w.ctx(), context.WithoutCancel(w.derived)}
}
