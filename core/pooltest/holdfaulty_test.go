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
			serveHeld(src, next, w, r, hold, func(base context.Context, s taskpool.Scope, _ bool) {
				context.AfterFunc(base, func() { s.Sent(taskpool.HandlerReturned) })
			})
		})
	}
}

func unheld(http.ResponseWriter, taskpool.Scope, bool, bool) bool { return false }

// unflushed waits where the client has nothing yet.
func unflushed(_ http.ResponseWriter, s taskpool.Scope, _, _ bool) bool {
	s.Hold()
	return true
}

// releasedFirst has the tasks start beside the flush.
func releasedFirst(w http.ResponseWriter, s taskpool.Scope, panicked, hijacked bool) bool {
	held := s.Held()
	s.Sent(taskpool.Held)
	if held && !panicked && !hijacked && http.NewResponseController(w).Flush() == nil {
		s.Hold()
	}
	return true
}

// whateverHappens sends a response where the handler has left none.
func whateverHappens(w http.ResponseWriter, s taskpool.Scope, _, hijacked bool) bool {
	return flushAndHold(w, s, false, hijacked)
}

// always flushes, whether there is something to wait for or not.
func always(w http.ResponseWriter, s taskpool.Scope, panicked, hijacked bool) bool {
	if panicked || hijacked || http.NewResponseController(w).Flush() != nil {
		return false
	}
	s.Hold()
	return true
}
