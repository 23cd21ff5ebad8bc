package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"time"
)

// A send sends a mail. It takes a while, and may fail.
type send func(ctx context.Context, to string) error

// before answers, and leaves the mail to a goroutine.
func before(mail send) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		to := r.FormValue("to")
		go func() { // 1. there are as many of them as there are requests
			if err := mail(r.Context(), to); err != nil { // 2. canceled as the handler returns; 3. a panic is the process's
				log.Print(err)
			}
		}()
		w.WriteHeader(http.StatusAccepted)
	}
}

// detached is before with the usual mend of 2, which mends nothing else.
func detached(mail send) http.HandlerFunc {
	return before(func(ctx context.Context, to string) error { return mail(context.WithoutCancel(ctx), to) })
}

// serveBefore serves until ctx ends, and then finishes what it knows of.
func serveBefore(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		stopped <- srv.Shutdown(limit) // 4. it waits for requests, and nobody for the goroutines
	}()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
