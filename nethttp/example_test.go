package httppool_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

func ExampleMiddleware() {
	pool := taskpool.New(taskpool.Config{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := taskpool.FromContext(r.Context()).OnSuccess(func(context.Context) error {
			fmt.Println("receipt sent")
			return nil
		})
		if err != nil { // overloaded, or shutting down: nothing was accepted
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ordered")
	})
	srv := httptest.NewServer(httppool.Middleware(pool)(handler))
	defer srv.Close()

	resp, err := http.Get(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	report, err := pool.Done(context.Background())
	fmt.Println(string(body), report.Succeeded, err)
	// Output:
	// receipt sent
	// ordered 1 <nil>
}

func ExampleServe() {
	pool := taskpool.New(taskpool.Config{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		_ = taskpool.FromContext(r.Context()).AfterResponse(func(context.Context) error { return nil })
		w.WriteHeader(http.StatusCreated)
	})
	srv := &http.Server{Addr: "127.0.0.1:0", Handler: httppool.Middleware(pool)(mux)}

	// In a program: signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM).
	ctx, stop := context.WithCancel(context.Background())
	stop()
	err := httppool.Serve(ctx, srv, pool, 20*time.Second)
	fmt.Println("served, and shut down in order:", err)
	// Output: served, and shut down in order: <nil>
}

// Behind a load balancer a process says that it is not ready, and goes on for a while.
func ExampleServeWith() {
	pool := taskpool.New(taskpool.Config{})
	ctx, stop := context.WithCancel(context.Background()) // in a program: signal.NotifyContext
	defer stop()
	mux := http.NewServeMux()
	mux.Handle("GET /readyz", httppool.Ready(ctx))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error, 1)
	go func() {
		srv := &http.Server{Handler: httppool.Middleware(pool)(mux)}
		ended <- httppool.ServeWith(ctx, srv, pool, httppool.ServeOptions{Listener: ln, Pause: 500 * time.Millisecond, Limit: 20 * time.Second})
	}()
	stop()

	resp, err := http.Get("http://" + ln.Addr().String() + "/readyz")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	fmt.Println(resp.Status, "and then the end:", <-ended)
	// Output: 503 Service Unavailable and then the end: <nil>
}

func ExampleTrack() {
	pool := taskpool.New(taskpool.Config{})
	exact := make(chan bool, 1)
	srv := &http.Server{Handler: httppool.Middleware(pool)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = taskpool.FromContext(r.Context()).AfterResponse(func(ctx context.Context) error {
			outcome, _ := taskpool.FromContext(ctx).Outcome()
			exact <- outcome.Exact()
			return nil
		})
	}))}
	httppool.Track(srv) // before it serves
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = srv.Serve(ln) }()
	defer func() { _ = srv.Close() }()
	resp, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	fmt.Println("after the last write:", <-exact)
	// Output: after the last write: true
}

// A listener of one's own: here for its address.
func ExampleServeListener() {
	pool := taskpool.New(taskpool.Config{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = taskpool.FromContext(r.Context()).AfterResponse(func(context.Context) error {
			fmt.Println("task")
			return nil
		})
		_, _ = io.WriteString(w, "answer")
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		srv := &http.Server{Handler: httppool.Middleware(pool)(handler)}
		ended <- httppool.ServeListener(ctx, srv, ln, pool, 20*time.Second)
	}()

	resp, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	stop()
	fmt.Println(resp.Status, "and an end in order:", <-ended)
	// Output:
	// task
	// 200 OK and an end in order: <nil>
}

// With certificates in the TLSConfig the names of the files are empty.
func ExampleServeTLS() {
	pool := taskpool.New(taskpool.Config{})
	test := httptest.NewTLSServer(nil) // for its certificate
	defer test.Close()
	srv := &http.Server{
		Addr:      "127.0.0.1:0",
		Handler:   httppool.Middleware(pool)(http.NotFoundHandler()),
		TLSConfig: &tls.Config{Certificates: test.TLS.Certificates},
	}

	ctx, stop := context.WithCancel(context.Background())
	stop()
	fmt.Println(httppool.ServeTLS(ctx, srv, "", "", pool, 20*time.Second))
	// Output: <nil>
}

// Over TLS a server speaks HTTP/2, and a task starts as its request's stream ends.
func ExampleServeListenerTLS() {
	pool := taskpool.New(taskpool.Config{})
	test := httptest.NewTLSServer(nil) // for its certificate, and a client that trusts it
	defer test.Close()
	client := test.Client()
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = taskpool.FromContext(r.Context()).AfterResponse(func(ctx context.Context) error {
			outcome, _ := taskpool.FromContext(ctx).Outcome()
			fmt.Println(outcome.Release)
			return nil
		})
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		srv := &http.Server{
			Handler:   httppool.Middleware(pool)(handler),
			TLSConfig: &tls.Config{Certificates: test.TLS.Certificates},
		}
		ended <- httppool.ServeListenerTLS(ctx, srv, ln, "", "", pool, 20*time.Second)
	}()

	resp, err := client.Get("https://" + ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	stop()
	err = <-ended
	fmt.Println(resp.Proto, err)
	// Output:
	// stream closed
	// HTTP/2.0 <nil>
}

// An adapter for a framework on net/http whose handlers return errors.
func ExampleBegin() {
	type handler func(w http.ResponseWriter, r *http.Request) error
	middleware := func(src taskpool.Source, next handler) handler {
		return func(w http.ResponseWriter, r *http.Request) (err error) {
			x, w, r := httppool.Begin(src, w, r)
			panicked := true
			defer func() { x.End(err, panicked) }() // sees a panic pass, recovers nothing
			err = next(w, r)
			panicked = false
			return err
		}
	}

	pool := taskpool.New(taskpool.Config{})
	failing := middleware(pool, func(_ http.ResponseWriter, r *http.Request) error {
		s := taskpool.FromContext(r.Context())
		_ = s.OnSuccess(func(context.Context) error { fmt.Println("never"); return nil })
		_ = s.OnFailure(func(context.Context) error { fmt.Println("alert"); return nil })
		return errors.New("out of stock")
	})
	fmt.Println(failing(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)))
	report, _ := pool.Done(context.Background())
	fmt.Println(report.Succeeded, "ran,", report.Discarded, "discarded")
	// Unordered output:
	// out of stock
	// alert
	// 1 ran, 1 discarded
}
