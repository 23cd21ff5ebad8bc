package main

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/examples/internal/loopback"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // mails fail here on purpose
	os.Exit(m.Run())
}

// patience bounds what a test waits for. It is no measure of anything.
const patience = time.Minute

// await receives n times from c.
func await[T any](t *testing.T, c <-chan T, n int) (last T) {
	t.Helper()
	late := time.After(patience)
	for range n {
		select {
		case last = <-c:
		case <-late:
			t.Fatal("what was waited for does not come")
		}
	}
	return last
}

// A site is one of the servers, with a mailer of the test.
type site struct {
	url   string
	addr  string
	stop  func()
	ended chan error // receives what serving returned
}

// serve starts the server without a pool, or if it has a config the one with.
func serve(t *testing.T, config *taskpool.Config, handler http.Handler) *site {
	t.Helper()
	ln, url, err := loopback.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &site{url: url, addr: ln.Addr().String(), stop: stop, ended: make(chan error, 1)}
	go func() {
		if config == nil {
			s.ended <- serveBefore(ctx, ln, handler)
			return
		}
		config.Logger = slog.New(slog.DiscardHandler)
		s.ended <- serveAfter(ctx, ln, handler, taskpool.New(*config))
	}()
	return s
}

// post sends a request and returns the status.
func (s *site) post(t *testing.T) int {
	t.Helper()
	resp, err := http.Post(s.url+"/?to=ada", "text/plain", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// stopped tells the server to stop, and waits until it accepts no more.
func (s *site) stopped(t *testing.T) {
	t.Helper()
	s.stop()
	for late := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			return
		}
		c.Close()
		if time.Now().After(late) {
			t.Fatal("the server goes on accepting")
		}
	}
}

func (s *site) end(t *testing.T) {
	t.Helper()
	s.stop()
	if err := await(t, s.ended, 1); err != nil {
		t.Error(err)
	}
}

// TestContextAfterTheResponse: that of a goroutine is canceled, that of a task is not.
func TestContextAfterTheResponse(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		cause := make(chan error, 1)
		s := serve(t, nil, before(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return nil
		}))
		s.post(t)
		if got := await(t, cause, 1); !errors.Is(got, context.Canceled) {
			t.Errorf("got %v, want %v", got, context.Canceled)
		}
		s.end(t)
	})
	t.Run("after", func(t *testing.T) {
		answered, cause := make(chan struct{}), make(chan error, 1)
		s := serve(t, &taskpool.Config{}, after(func(ctx context.Context, to string) error {
			<-answered
			cause <- context.Cause(ctx)
			return nil
		}))
		s.post(t)
		http.DefaultClient.CloseIdleConnections() // and even the connection is gone
		close(answered)
		if got := await(t, cause, 1); got != nil {
			t.Errorf("got %v, want a context that is not canceled", got)
		}
		s.end(t)
	})
}

// TestStopWithAMailUnderWay: the server without a pool is through before the mail is, the one with a pool after.
func TestStopWithAMailUnderWay(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		begun, goOn, sent := make(chan struct{}), make(chan struct{}), make(chan struct{})
		s := serve(t, nil, detached(func(context.Context, string) error {
			close(begun)
			<-goOn
			close(sent)
			return nil
		}))
		s.post(t)
		await(t, begun, 1)
		s.end(t) // here main returns, and the process is gone
		close(goOn)
		await(t, sent, 1)
	})
	t.Run("after", func(t *testing.T) {
		begun, goOn, sent := make(chan struct{}), make(chan struct{}), make(chan struct{})
		s := serve(t, &taskpool.Config{}, after(func(context.Context, string) error {
			close(begun)
			<-goOn
			close(sent)
			return nil
		}))
		s.post(t)
		await(t, begun, 1)
		s.stopped(t)
		select {
		case err := <-s.ended:
			t.Fatalf("it has ended with a mail under way: %v", err)
		default:
		}
		close(goOn)
		s.end(t)
		select {
		case <-sent:
		default:
			t.Error("it has ended before the mail was sent")
		}
	})
}

// TestBurst: without a pool all mails are under way at once, with one its workers' number is, and others wait or are refused.
func TestBurst(t *testing.T) {
	const n, workers, queue = 50, 4, 10
	t.Run("before", func(t *testing.T) {
		begun, goOn := make(chan struct{}, n), make(chan struct{})
		s := serve(t, nil, detached(func(context.Context, string) error { begun <- struct{}{}; <-goOn; return nil }))
		for range n {
			if got := s.post(t); got != http.StatusAccepted {
				t.Errorf("got %d, want 202", got)
			}
		}
		await(t, begun, n) // and none has ended
		close(goOn)
		s.end(t)
	})
	t.Run("after", func(t *testing.T) {
		begun, goOn := make(chan struct{}, n), make(chan struct{})
		s := serve(t, &taskpool.Config{Workers: workers, QueueLimit: queue}, after(func(context.Context, string) error {
			begun <- struct{}{}
			<-goOn
			return nil
		}))
		statuses := map[int]int{}
		for range n {
			statuses[s.post(t)]++
		}
		if got, want := statuses[http.StatusAccepted], workers+queue; got != want || statuses[http.StatusServiceUnavailable] != n-want {
			t.Errorf("got %v, want %d accepted and the others told 503", statuses, want)
		}
		await(t, begun, workers)
		if len(begun) > 0 {
			t.Errorf("more than %d at once", workers)
		}
		close(goOn)
		s.end(t)
		if got, want := len(begun), queue; got != want {
			t.Errorf("%d have run after those, want %d", got, want)
		}
	})
}
