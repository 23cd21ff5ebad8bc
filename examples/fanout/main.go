// Command fanout is a handler that puts its answer together from several upstreams, which it calls at the same time.
// What to look at, all of it in product.go:
//
//   - taskpool.AsyncJob gives a promise of each part, and Await the parts in their order, whichever came first.
//   - All requests share one pool, so its Workers bound what the upstreams get at once, however many clients there are.
//   - A task is not canceled with its request unless it asks for that: get does. So the first error answers at once,
//     and neither a call nor a goroutine is left behind.
//
// The upstreams and the clients are inside the program, on loopback ports.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/examples/internal/loopback"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

func main() {
	var (
		workers = flag.Int("workers", 4, "calls to upstreams that run at once")
		slow    = flag.Duration("slow", 200*time.Millisecond, "how long an upstream takes to answer")
		clients = flag.Int("clients", 10, "requests at once, in the last part")
	)
	flag.Parse()
	if err := run(*workers, *slow, *clients, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fanout:", err)
		os.Exit(1)
	}
}

func run(workers int, slow time.Duration, clients int, out io.Writer) error {
	if workers < 1 || slow < 0 || clients < 0 {
		return errors.New("-workers must be more than 0, -slow and -clients not negative")
	}
	u := &upstreams{slow: slow}
	up, api, err := loopback.Serve(u)
	if err != nil {
		return err
	}
	defer up.Close()
	pool := taskpool.New(taskpool.Config{
		Name:    "upstreams",
		Workers: workers,
		Logger:  slog.New(slog.DiscardHandler), // an error is the answer already
	})
	mux := http.NewServeMux()
	mux.Handle("/product", product(http.DefaultClient, []upstream{
		{"price", api + "/42 EUR"}, {"stock", api + "/7 pieces"}, {"reviews", api + "/4.5 of 5"},
	}))
	mux.Handle("/broken", product(http.DefaultClient, []upstream{
		{"price", api + "/42 EUR"}, {"stock", api + "/"}, {"reviews", api + "/4.5 of 5"},
	}))
	srv, url, err := loopback.Serve(httppool.Middleware(pool)(mux))
	if err != nil {
		return err
	}
	defer srv.Close()

	for _, path := range []string{"/product", "/broken"} {
		if err := request(url+path, out); err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() { _ = request(url+"/product", io.Discard) })
	}
	wg.Wait()
	if _, err := pool.Done(context.Background()); err != nil {
		return err
	}
	calls, most, gone := u.counts()
	fmt.Fprintf(out, "%d clients at once, then: %d calls to upstreams in all, at most %d at once, %d canceled\n", clients, calls, most, gone)
	return nil
}

// request sends a request and prints what came of it.
func request(url string, out io.Writer) error {
	began := time.Now()
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Fprintf(out, "GET %s: %s after %v\n%s\n", url, resp.Status, time.Since(began).Round(time.Millisecond), body)
	return err
}
