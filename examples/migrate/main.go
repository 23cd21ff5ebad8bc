// Command migrate runs a handler that leaves mails to goroutines, and the same with a pool, through a burst of requests
// and a deploy, and prints what became of the mails. What to look at: before.go and after.go, side by side. The numbers
// in their comments are the same four faults:
//
//  1. as many goroutines as there are requests
//  2. the context is canceled as the handler returns
//  3. a panic kills the process (-panic -only before)
//  4. lost when the process is told to stop
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/examples/internal/loopback"
)

func main() {
	var (
		n      = flag.Int("n", 20, "requests")
		takes  = flag.Duration("takes", 300*time.Millisecond, "how long a mail takes")
		panics = flag.Bool("panic", false, "have the first mail panic")
		only   = flag.String("only", "", "run one of before, detached and after; empty means all")
	)
	flag.Parse()
	log.SetFlags(0)
	if err := run(*n, *takes, *panics, *only); err != nil {
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
}

func run(n int, takes time.Duration, panics bool, only string) error {
	pool := taskpool.New(taskpool.Config{Workers: 4})
	ran := false
	for _, side := range []struct {
		name    string
		handler func(send) http.HandlerFunc
		serve   func(ctx context.Context, ln net.Listener, h http.Handler) error
	}{
		{"before", before, serveBefore},
		{"detached", detached, serveBefore},
		{"after", after, func(ctx context.Context, ln net.Listener, h http.Handler) error { return serveAfter(ctx, ln, h, pool) }},
	} {
		if only != "" && only != side.name {
			continue
		}
		ran = true
		m := &mailer{takes: takes, panics: panics}
		accepted, err := deploy(n, side.handler(m.send), side.serve)
		if err != nil {
			return err
		}
		c := m.counts() // when the process would end
		fmt.Printf("%-8s  %d of %d requests accepted: %d mails sent, %d canceled, %d panicked, %d lost; at most %d at once\n",
			side.name, accepted, n, c.sent, c.canceled, c.panicked, accepted-c.sent-c.canceled-c.panicked, c.most)
	}
	if !ran {
		return fmt.Errorf("-only %q: want before, detached or after", only)
	}
	return nil
}

// deploy sends n requests to a server, stops it when they are answered, and returns when it would let the process end.
func deploy(n int, h http.Handler, serve func(context.Context, net.Listener, http.Handler) error) (accepted int, err error) {
	ln, server, err := loopback.Listen()
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, ln, h) }()
	for i := range n {
		resp, failed := http.PostForm(server, url.Values{"to": {fmt.Sprintf("user-%d@example.com", i)}})
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
		resp.Body.Close()
		if resp.StatusCode == http.StatusAccepted {
			accepted++
		}
	}
	stop()
	return accepted, errors.Join(err, <-ended)
}
