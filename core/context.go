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

// What a task sees is the values of the context its scope was taken from and the
// cancelation of the pool. Plain tasks see their scope so, a job itself.
type (
	plainContext scope
	jobContext   job
)

func (c *plainContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *plainContext) Done() <-chan struct{}       { return c.pool.ctx.Done() }
func (c *plainContext) Err() error                  { return c.pool.ctx.Err() }
func (c *plainContext) Value(key any) any           { return (*scope)(c).taskValue(key, nil) }
func (c *plainContext) String() string              { return "taskpool.task" }

func (c *jobContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *jobContext) Done() <-chan struct{}       { return c.scope.pool.ctx.Done() }
func (c *jobContext) Err() error                  { return c.scope.pool.ctx.Err() }
func (c *jobContext) Value(key any) any           { return c.scope.taskValue(key, (*job)(c)) }
func (c *jobContext) String() string              { return "taskpool.task" }

// ctx is what the tasks of a scope are given that are no jobs.
func (s *scope) ctx() context.Context { return (*plainContext)(s) }

// ctx is what the job is given, and what is derived from it if a run has a timeout.
func (j *job) ctx() context.Context { return (*jobContext)(j) }

// taskValue is what a task of the scope sees as the value of a key; j is nil if it
// is no job.
func (s *scope) taskValue(key any, j *job) any {
	switch key {
	case scopeKey{}:
		if s.isRoot() {
			return nil
		}
		return s
	case taskKey{}:
		return s
	case jobKey{}:
		return j
	}
	values := s.request // nil for a pool's own tasks
	switch {
	case j != nil && j.inner != nil:
		values = j.inner
	case s.valueless:
		values = nil
	}
	// The pool's context answers one key, the one by which the context package
	// finds what cancels a context. It must not see the request's there: then
	// deriving costs no goroutine, and context.Cause gives the pool's cause.
	if v := s.pool.ctx.Value(key); v != nil || values == nil {
		return v
	}
	return copyOrNone(values, key, values.Value(key))
}

// A runContext is a jobContext with a timeout. It has a type of its own so that
// FromContext knows it: a task that adds the next one would otherwise build a
// chain of contexts.
type runContext struct {
	context.Context
	job *job
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
