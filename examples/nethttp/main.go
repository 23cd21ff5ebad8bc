// Command nethttp is the orders service on net/http.
package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/elite-libs/taskpool/examples/internal/program"
	"github.com/elite-libs/taskpool/examples/orders"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

func main() { program.Main(serve) }

func serve(ctx context.Context, p program.Program) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		answer(w, p.Orders.Place(r.Context(), r.Body))
	})
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, p.Orders.Show(r.Context(), r.PathValue("id")))
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		answer(w, p.Orders.Health(r.Context()))
	})
	mux.Handle("GET /tasks", p.Tasks)
	srv := &http.Server{
		Handler:     httppool.Middleware(p.Source)(mux),
		ReadTimeout: 10 * time.Second, // a client that sends slowly must not hold up a shutdown
		IdleTimeout: time.Minute,      // and one that has left without a word is not kept
	}
	return httppool.ServeListener(ctx, srv, p.Listener, p.Source, p.Limit)
}

func answer(w http.ResponseWriter, resp orders.Response) {
	for name, value := range resp.Header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(resp.Status)
	_ = json.NewEncoder(w).Encode(resp.Body) // fails if the client has gone: there is nobody to tell
}
