// Package gohttp has go statements that outlive the handlers of net/http.
package gohttp

import (
	"context"
	"net/http"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

func work(ctx context.Context, args ...any) error { return nil }
func audit(r *http.Request)                       {}

type message struct {
	ctx context.Context
	id  string
}

func send(m message)   {}
func sendAll(v ...any) {}

func direct(w http.ResponseWriter, r *http.Request) {
	go work(r.Context()) // want `go statement in a handler uses r.Context\(\), which is canceled when the handler returns: give the work to taskpool.FromContext\(ctx\).Add, or wait for it`
	go func() {          // want `uses r.Context\(\), which is canceled`
		_ = work(r.Context())
	}()
	go func(ctx context.Context) { // want `uses r.Context\(\), which is canceled`
		_ = work(ctx)
	}(r.Context())
	go send(message{ctx: r.Context(), id: "1"})             // want `uses r.Context\(\)`
	go sendAll(&message{r.Context(), "1"}, "2")             // want `uses r.Context\(\)`
	go work((r.Context()))                                  // want `uses \(r.Context\(\)\)`
	go func() { work(context.Background(), r.Context()) }() // want `uses r.Context\(\)`
}

func variables(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	go work(ctx) // want `uses ctx, which is canceled`

	timed, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	go func() { // want `uses timed, which is canceled`
		work(timed)
	}()

	valued := context.WithValue(timed, message{}, "v")
	go work(valued) // want `uses valued, which is canceled`

	var later context.Context
	later = context.WithValue(valued, message{}, "v")
	go work(later) // want `uses later, which is canceled`

	ctx = context.WithValue(ctx, message{}, "v")
	fn := func() { work(ctx) }
	go fn() // want `uses ctx, which is canceled`

	go func() { // want `uses context.WithValue\(ctx, message\{\}, "v"\), which is canceled`
		work(context.WithValue(ctx, message{}, "v"))
	}()
}

func theRequest(w http.ResponseWriter, r *http.Request) {
	go audit(r)              // want `uses r, whose body is closed and whose context is canceled when the handler returns`
	go func() { audit(r) }() // want `uses r, whose body is closed`
	req := r.WithContext(r.Context())
	go audit(req) // want `uses req, whose body is closed`
}

// The request alone makes a handler, too.
func noWriter(r *http.Request) {
	go work(r.Context()) // want `uses r.Context\(\)`
}

func inside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			go work(r.Context()) // want `uses r.Context\(\)`
		}()
		for range 3 {
			if r.Method == http.MethodPost {
				go func() { work(r.Context()) }() // want `uses r.Context\(\)`
			}
		}
		next.ServeHTTP(w, r)
	})
}

// The goroutine asks whether the context has ended, which it soon has.
func asks(w http.ResponseWriter, r *http.Request) {
	go func() { // want `uses r.Context\(\)`
		if r.Context().Err() == nil {
			work(context.Background())
		}
	}()
}

func handsOn(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	go func() { // want `uses ctx, which is canceled`
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
			work(ctx)
		}
	}()
	go func() { // want `uses r.Context\(\)`
		<-r.Context().Done()
	}()
}

// What is waited for is before it, or is waited for by others.
func waitsInVain(w http.ResponseWriter, r *http.Request) {
	ready := make(chan int, 1)
	ready <- 1
	<-ready
	go work(r.Context(), ready) // want `uses r.Context\(\)`
}

// A clock, and a pool, know nothing of the goroutine.
func waitsForOthers(w http.ResponseWriter, r *http.Request) {
	go work(r.Context()) // want `uses r.Context\(\)`
	<-time.After(time.Second)
	_, _ = taskpool.FromContext(r.Context()).Drain(r.Context())
}

func begin(ctx context.Context, r *http.Request) chan int { return nil }

type group struct{}

func (g *group) Go(fn func() error) {}
func (g *group) Wait() error        { return nil }

func waitsForAnother(w http.ResponseWriter, r *http.Request) error {
	go work(r.Context()) // want `uses r.Context\(\)`
	var err error
	go func() { err = work(r.Context()) }() // want `uses r.Context\(\)`
	begun := begin(r.Context(), r)
	<-begun
	answered := make(chan error, 1)
	go func() { answered <- work(r.Context()) }()
	err = <-answered
	if err != nil {
		return err
	}
	var g group
	g.Go(func() error { return work(r.Context()) })
	return g.Wait()
}

// The waiting is not the handler's.
func test() {
	done := make(chan int)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		go func() { // want `uses r.Context\(\)`
			work(r.Context())
			close(done)
		}()
	})
	<-done
}
