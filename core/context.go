package taskpool

import (
	"context"
	"time"
)

type (
	scopeKey struct{} // answered with the *scope a context belongs to
	taskKey  struct{} // answered with the *scope, a pool's root included, of the task that a context was given to
	jobKey   struct{} // answered with the *job, if the task is one
)

// requestContext is the view of a scope that the handler has: everything is the
// request's own, but that FromContext finds the scope. Value passes the context
// package's own keys on, so deriving from it costs what deriving from the
// request's context costs.
type requestContext scope

func (c *requestContext) Deadline() (time.Time, bool) { return c.request.Deadline() }
func (c *requestContext) Done() <-chan struct{}       { return c.request.Done() }
func (c *requestContext) Err() error                  { return c.request.Err() }
func (c *requestContext) String() string              { return "taskpool.request" }

func (c *requestContext) Value(key any) any {
	if key == (scopeKey{}) {
		return (*scope)(c)
	}
	return c.request.Value(key)
}

// taskContext is what a task sees: the values of the context its scope was
// taken from and the cancelation of the pool.
type taskContext struct {
	scope  *scope
	job    *job            // nil for plain tasks
	inner  bool            // values are not those of the scope's own context
	values context.Context // nil for a pool's own tasks, and if they are the framework's to reuse
}

func (c *taskContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *taskContext) Done() <-chan struct{}       { return c.scope.pool.ctx.Done() }
func (c *taskContext) Err() error                  { return c.scope.pool.ctx.Err() }
func (c *taskContext) String() string              { return "taskpool.task" }

func (c *taskContext) Value(key any) any {
	switch key {
	case scopeKey{}:
		if c.scope.isRoot() {
			return nil
		}
		return c.scope
	case taskKey{}:
		return c.scope
	case jobKey{}:
		return c.job
	}
	// The pool's context answers one key, the one by which the context package
	// finds what cancels a context. It must not see the request's there: then
	// deriving costs no goroutine, and context.Cause gives the pool's cause.
	if v := c.scope.pool.ctx.Value(key); v != nil || c.values == nil {
		return v
	}
	return c.values.Value(key)
}

// A runContext is a taskContext with a timeout. It has a type of its own so that
// FromContext knows it: a task that adds the next one would otherwise build a
// chain of contexts.
type runContext struct {
	context.Context
	task *taskContext
}

// scopeOf is the scope that ctx belongs to, or nil.
func scopeOf(ctx context.Context) *scope {
	if ctx == nil {
		return nil
	}
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

// taskOf is the scope, or the root, of the task that ctx was given to, or nil.
func taskOf(ctx context.Context) *scope {
	s, _ := ctx.Value(taskKey{}).(*scope)
	return s
}

// jobOf is the job that ctx was given to, or nil.
func jobOf(ctx context.Context) *job {
	j, _ := ctx.Value(jobKey{}).(*job)
	return j
}
