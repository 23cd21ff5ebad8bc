package taskpool

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/elite-libs/taskpool/core/internal/sound"
)

// The errors of adding and of waiting. Compare with errors.Is: they may come
// wrapped in a text that says more.
var (
	// ErrDone refuses work for a pool on which Done was called.
	ErrDone = errors.New("taskpool: the pool is done and accepts no more tasks")

	// ErrOverloaded refuses work that finds no room: every worker is busy and
	// Config.QueueLimit tasks wait. A server answers 503 to it.
	ErrOverloaded = errors.New("taskpool: overloaded: the queue limit is reached")

	// ErrNilTask refuses a call one of whose tasks is nil.
	ErrNilTask = errors.New("taskpool: nil task")

	// ErrNoScope is what the zero Scope answers: the context came through no
	// middleware, or through one that was given a nil Source.
	ErrNoScope = errors.New("taskpool: no scope: pass a context that came through the middleware or Pool.Begin, with a Source that is not nil")

	// ErrScopeClosed refuses work for a scope whose handler has returned and
	// whose tasks have all ended: nobody waits for what would be added now.
	ErrScopeClosed = errors.New("taskpool: the scope is closed: its handler has returned and its tasks have ended")

	// ErrSuperseded ends a Pool.Drain when a later Drain or Done takes over.
	ErrSuperseded = errors.New("taskpool: superseded by a later Drain or Done")

	// ErrSelfWait refuses a wait from inside a task for that task's own scope
	// or pool, which could never end.
	ErrSelfWait = errors.New("taskpool: a task cannot wait for its own scope or pool")

	// ErrNilSource is what Handle, and the Done of a Holder of nothing, answer
	// where a Source is nil.
	ErrNilSource = errors.New("taskpool: nil Source: pass a *Pool")

	// ErrNoPool is what the zero Pool and a nil one answer, and Async without an Adder.
	ErrNoPool = errors.New("taskpool: not a pool: make one with New")

	// ErrBadJob refuses a call one of whose jobs could never run: an unknown Start or
	// Priority, a negative Delay. The text says which job, and what is wrong.
	ErrBadJob = errors.New("taskpool: bad job")

	// ErrDiscarded is what the promise of a discarded task is settled with: the
	// outcome of its request was another than it was staged for.
	ErrDiscarded = errors.New("taskpool: the task was discarded: the outcome of its request was another than it was staged for")

	// ErrCanceled is the error of a task that a Done which ran out of time canceled
	// before it ran, or gave up, and the cause of the contexts of those that ran then.
	// What is ErrCanceled is ErrDone too.
	ErrCanceled error = canceledError{}

	// ErrGoexit is the error of a task that called runtime.Goexit.
	ErrGoexit = errors.New("taskpool: the task called runtime.Goexit")
)

// A PanicError is the error of a task that panicked.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // the stack of the panicking goroutine, as runtime/debug.Stack formats it

	err error // what Unwrap returns, where panicOf has made it
}

// Error gives the panic's value without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("taskpool: the task panicked: %v", e.Value) }

// Unwrap returns Value if it is an error, else nil. If it panics when it is asked, as a nil
// pointer may, it is an error with its text.
func (e *PanicError) Unwrap() error {
	if e.err != nil {
		return e.err
	}
	err, _ := e.Value.(error)
	return sound.Error(err)
}

// panicOf is what a recovered panic is told as, with the stack on which it came: that of
// the caller, unless Hooks.Run, JoinHooks or another pool has passed it on.
func panicOf(v any) *PanicError {
	if e, ok := v.(*PanicError); ok && e != nil {
		return e
	}
	err, _ := v.(error)
	return &PanicError{Value: v, Stack: debug.Stack(), err: sound.Error(err)}
}

// timeoutError is the cause of a task's context that ran out of the task's own
// time, as opposed to the pool's.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string {
	return fmt.Sprintf("taskpool: the task's timeout of %v has passed", e.limit)
}
func (e *timeoutError) Timeout() bool        { return true }
func (e *timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

type canceledError struct{}

func (canceledError) Error() string {
	return "taskpool: the task was canceled: Done had no time left for it"
}
func (canceledError) Is(target error) bool { return target == ErrDone }

// errEnded is the cause of a task's context when the task has ended.
var errEnded = fmt.Errorf("taskpool: the task has ended: %w", context.Canceled)
