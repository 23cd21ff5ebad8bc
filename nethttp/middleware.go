package httppool

import (
	"net/http"

	taskpool "github.com/elite-libs/taskpool/core"
)

// Middleware puts a scope of src into the context of each request, where
// taskpool.FromContext finds it, and starts what the request staged once its
// response is sent. It changes nothing on the wire and waits for nothing, unless
// src is a taskpool.Hold. It belongs outermost: it sees the panics of what is
// inside, recovers none, and takes the status that goes out for the outcome.
//
// With a nil Source requests are served without a scope, and adding tasks fails
// with taskpool.ErrNoScope.
func Middleware(src taskpool.Source) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x, w, r := Begin(src, w, r)
			panicked := true
			defer func() { x.End(nil, panicked) }()
			next.ServeHTTP(w, r)
			panicked = false
		})
	}
}
