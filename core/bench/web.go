package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// A site is a server on the loopback interface and a client with connections to
// it that are kept alive. Both are in the measured process.
type site struct {
	server http.Server
	client http.Client
	url    string
	served chan error
}

func newSite(track bool, h http.Handler) (*site, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &site{url: "http://" + ln.Addr().String(), served: make(chan error, 1)}
	s.server.Handler = h
	if track {
		httppool.Track(&s.server)
	}
	s.client.Transport = &http.Transport{MaxIdleConnsPerHost: clients}
	go func() { s.served <- s.server.Serve(ln) }()
	return s, nil
}

func (s *site) get() error {
	res, err := s.client.Get(s.url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("got status %d", res.StatusCode)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

func (s *site) close() error {
	s.client.CloseIdleConnections()
	err := s.server.Shutdown(context.Background())
	if served := <-s.served; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	return err
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// requests is how many requests a second are served by a handler, bare or in the
// middleware, that adds no task.
func requests(middleware bool) measure {
	return func(r Run) (float64, error) {
		var h http.Handler = http.HandlerFunc(hello)
		if middleware {
			h = httppool.Middleware(taskpool.New(taskpool.Config{}))(h)
		}
		s, err := newSite(middleware, h)
		if err != nil {
			return 0, err
		}
		const callers = 8
		n := r.size(2_000)
		v, err := r.passes(func() (float64, error) {
			var first error
			var once sync.Once
			start := time.Now()
			share(n, callers, func(from, to int) {
				for range to - from {
					if err := s.get(); err != nil {
						once.Do(func() { first = err })
						return
					}
				}
			})
			return float64(time.Second) / per(n, start), first
		})
		if err != nil {
			return 0, err
		}
		return v, s.close()
	}
}

// foreground is how long a request to a trivial handler takes while the pool
// computes, from the moment at which it was due: a client asks a millisecond
// after each answer. One that asked at once would see mostly the few moments in
// which answers are fast.
func foreground(open opener, q float64) measure {
	return func(r Run) (float64, error) {
		s, err := newSite(false, http.HandlerFunc(hello))
		if err != nil {
			return 0, err
		}
		v, err := r.pooled(q, func() ([]float64, error) {
			ts := make([]task, r.size(600))
			for i := range ts {
				ts[i].work = func() { spin(time.Millisecond) }
			}
			if err := s.get(); err != nil { // the connection
				return nil, err
			}
			seen, err := sample(saturate(open, ts), time.Millisecond, s.get)
			if err != nil {
				return nil, err
			}
			return seen, checkOnce(ts)
		})
		if err != nil {
			return 0, err
		}
		return v, s.close()
	}
}
