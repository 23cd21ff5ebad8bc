package bench_test

import (
	"context"
	"net"
	"testing"

	"github.com/elite-libs/taskpool/core/bench"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func TestServeAnswersALoadUntilItsContextEnds(t *testing.T) {
	for _, framework := range []string{"nethttp", "gin", "echo", "fiber"} {
		for _, as := range []string{bench.Engine, "bare", "goroutines"} {
			t.Run(framework+"/"+as, func(t *testing.T) {
				ln := listen(t)
				ctx, stop := context.WithCancel(t.Context())
				served := make(chan error, 1)
				go func() { served <- bench.Serve(ctx, ln, framework, as, 3) }()
				if err := bench.Load(ln.Addr().String(), 10); err != nil {
					t.Error(err)
				}
				stop()
				if err := <-served; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestServeKnowsWhatThereIs(t *testing.T) {
	if err := bench.Serve(t.Context(), listen(t), "chi", "bare", 0); err == nil {
		t.Error("got no error for a framework that there is not")
	}
	if err := bench.Serve(t.Context(), listen(t), "gin", "nobody", 0); err == nil {
		t.Error("got no error for a way to serve that there is not")
	}
}

// What answers otherwise is not measured.
func TestLoadRefusesAnotherResponse(t *testing.T) {
	for name, response := range map[string]string{
		"status": "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nhello",
		"body":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhallo",
		"cut":    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t)
			go func() {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				_, _ = c.Write([]byte(response))
				_ = c.(*net.TCPConn).CloseWrite()
			}()
			if err := bench.Load(ln.Addr().String(), 1); err == nil {
				t.Error("got no error")
			}
		})
	}
}
