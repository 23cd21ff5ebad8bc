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

func (c *endedContext) String() string { return "taskpool.ended" }

// Value answers the context package's own key by which it finds what cancels a context
// with what cancels the task.
func (c *endedContext) Value(key any) any {
	if cancels(key) {
		return c.Context.Value(key)
	}
	return c.values.Value(key)
}

// endedCtx is the context of the run that the worker has ended. Only its own
// goroutine may ask.
func (w *worker) endedCtx() context.Context {
	switch {
	case w.derived == nil:
		return w.ctx()
	case lasts(w.derived): // as most: a value was put into the task's
		return w.derived
	}
	return &endedContext{w.ctx(), w.derived}
}

// lasts reports whether a context has not ended. It may be of anybody's making: one that
// panics when it is asked is of no use, and must not cost the task its end.
func lasts(ctx context.Context) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	return ctx.Err() == nil
}
