package main

import (
	"context"
	"net"
	"net/http"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// after answers, and leaves the mail to the pool.
func after(mail send) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		to := r.FormValue("to")
		err := taskpool.FromContext(r.Context()).OnSuccess(func(ctx context.Context) error {
			return mail(ctx, to) // 1. at most Workers of them; 2. not canceled; 3. a panic is this task's, and logged
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable) // too many wait: the client is told in time
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

// serveAfter serves until ctx ends, and then finishes the requests and their tasks.
func serveAfter(ctx context.Context, ln net.Listener, h http.Handler, pool *taskpool.Pool) error {
	srv := &http.Server{Handler: httppool.Middleware(pool)(h), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	return httppool.ServeListener(ctx, srv, ln, pool, 20*time.Second) // 4. an error names what it was too short for
}
