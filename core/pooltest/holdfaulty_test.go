package pooltest_test

import (
	"context"
	"net/http"

	"github.com/elite-libs/taskpool/core"
)

// held is the correct middleware that does something else about a Hold.
func held(hold holding) middleware {
	return func(src taskpool.Source, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			serveHeld(src, next, w, r, hold, func(base context.Context, x taskpool.Exchange, _ bool) {
				context.AfterFunc(base, func() { x.Sent(taskpool.ReleaseHandlerReturned) })
			})
		})
	}
}

func unheld(http.ResponseWriter, taskpool.Exchange, bool, bool) bool { return false }

// unflushed waits where the client has nothing yet.
func unflushed(_ http.ResponseWriter, x taskpool.Exchange, _, _ bool) bool {
	x.Hold()
	return true
}

// releasedFirst has the tasks start beside the flush.
func releasedFirst(w http.ResponseWriter, x taskpool.Exchange, panicked, hijacked bool) bool {
	held := x.Held()
	x.Sent(taskpool.ReleaseHeld)
	if held && !panicked && !hijacked && http.NewResponseController(w).Flush() == nil {
		x.Hold()
	}
	return true
}

// whateverHappens sends a response where the handler has left none.
func whateverHappens(w http.ResponseWriter, x taskpool.Exchange, _, hijacked bool) bool {
	return flushAndHold(w, x, false, hijacked)
}

// always flushes, whether there is something to wait for or not.
func always(w http.ResponseWriter, x taskpool.Exchange, panicked, hijacked bool) bool {
	if panicked || hijacked || http.NewResponseController(w).Flush() != nil {
		return false
	}
	x.Hold()
	return true
}
