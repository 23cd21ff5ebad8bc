package taskpool

import (
	"context"
	"sync/atomic"
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

// A joinedContext is a context within a scope that is not the innermost that it
// carries: an outer one, which was joined.
type joinedContext struct {
	context.Context
	scope *scope
}

func (c *joinedContext) Value(key any) any {
	if key == (scopeKey{}) {
		return c.scope
	}
	return c.Context.Value(key)
}

// What a task sees is the values of the context its scope was taken from, and a
// life of its own; see life.go. Plain tasks see their scope so, a job itself.
type (
	plainContext scope
	jobContext   job
)

func (c *plainContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *plainContext) Done() <-chan struct{}       { return (*scope)(c).askLife().Done() }
func (c *plainContext) Err() error                  { return (*scope)(c).askLife().Err() }
func (c *plainContext) Value(key any) any           { return (*scope)(c).taskValue(key, nil) }
func (c *plainContext) String() string              { return "taskpool.task" }

func (c *jobContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *jobContext) Done() <-chan struct{}       { return (*job)(c).askLife().Done() }
func (c *jobContext) Err() error                  { return (*job)(c).life().Err() }
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
		if j != nil && j.work == nil { // the context of a hook that is called for no task
			return nil
		}
		return j
	}
	values := s.request // nil for a pool's own tasks
	if s.valueless {
		values = nil
	}
	if j != nil {
		if inner := j.values(); inner != nil {
			values = inner
		}
	}
	switch {
	case cancels(key) && j != nil:
		return j.life().Value(key)
	case cancels(key):
		return s.life().Value(key)
	case values == nil:
		return nil
	}
	return copyOrNone(values, key, values.Value(key))
}

// An inheritance is a context that a task has derived from its own, as the values of
// a job that the task has added. It lasts until that job has ended: what the job has
// added by then sees what the job itself has derived, and else what the first of them
// was given, which no task has derived. Without an end each generation of tasks would
// keep all before it, and look for values through them all.
type inheritance struct {
	context.Context                                 // of the first; nil for the scope's own
	derived         atomic.Pointer[context.Context] // nil once it has ended
}

// inherit gives a job of the scope the values of ctx.
func (s *scope) inherit(ctx context.Context) context.Context {
	if ctx == nil {
		return nil
	}
	if taskOf(ctx) != s {
		return ctx
	}
	of := new(inheritance)
	if by := jobOf(ctx); by != nil {
		of.Context = by.inner
		if first, ok := by.inner.(*inheritance); ok {
			of.Context = first.Context
		}
	}
	derived := ctx // so that only this is allocated
	of.derived.Store(&derived)
	return of
}

// values is the context whose values the job gets; nil for the scope's own.
func (j *job) values() context.Context {
	of, ok := j.inner.(*inheritance)
	if !ok {
		return j.inner
	}
	if derived := of.derived.Load(); derived != nil {
		return *derived
	}
	return of.Context
}

// endInheritance is told when the job has ended.
func (j *job) endInheritance() {
	if of, ok := j.inner.(*inheritance); ok {
		of.derived.Store(nil)
	}
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
	if ctx == nil {
		return nil
	}
	s, _ := ctx.Value(taskKey{}).(*scope)
	return s
}

// jobOf is the job that ctx was given to, or nil.
func jobOf(ctx context.Context) *job {
	if ctx == nil {
		return nil
	}
	j, _ := ctx.Value(jobKey{}).(*job)
	return j
}
