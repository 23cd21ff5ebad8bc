package taskpool

import (
	"context"
	"errors"
)

// Handle gives the lifecycle of a request to what is not HTTP: an invocation of
// a function, a message from a queue, a cron job. It begins a scope on src, runs
// fn with a context that carries it, takes fn's error or panic for the outcome,
// releases the staged tasks, and returns fn's error. A panic goes on untouched.
//
// It waits for the tasks only if src is a Hold: then it returns when they have
// ended, the limit has passed or ctx has ended, however fn ended. If ctx
// already carries a scope of src whose handler has not returned, that one is
// joined, and it is the outer handler's return that releases. What handles itself on
// and on, task after task, is to be given a ctx that is no task's: each keeps the values
// of the one before. With a nil src or fn it runs nothing and returns an error.
func Handle(ctx context.Context, src Source, fn func(context.Context) error) (err error) {
	switch {
	case src == nil:
		return ErrNilSource
	case fn == nil:
		return ErrNilTask
	}
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, x := src.Begin(ctx)
	panicked := true
	defer func() {
		x.Returned(Outcome{Err: err, Panicked: panicked, Disconnected: errors.Is(ctx.Err(), context.Canceled)})
		if x.Held() {
			x.Hold()
		}
		x.Sent(ReleaseNoServer)
	}()
	err = fn(ctx)
	panicked = false
	if x.joined == nil {
		x.Scope().Fail(err)
	}
	return err
}
