package lanes

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"golang.org/x/time/rate"
)

// A kind is a model with its numbers.
type kind struct {
	name   string
	make   func(seed uint64) model
	rate   float64 // by hand: what is allowed in a second, in the long run
	burst  int     // … and at once
	atOnce int     // … and running
}

var kinds = []kind{
	{name: "fixed window, 100 in 10 s", make: func(uint64) model { return &fixed{limit: 100, window: 10 * time.Second} }, rate: 10, burst: 1},
	{name: "sliding window, 100 in 10 s", make: func(uint64) model { return &sliding{limit: 100, window: 10 * time.Second} }, rate: 10, burst: 1},
	{name: "token bucket, 50, 10/s", make: func(uint64) model { return &bucket{size: 50, rate: 10} }, rate: 10, burst: 50},
	{name: "leaky bucket, 40, 2/s", make: func(uint64) model { return &bucket{size: 40, rate: 2} }, rate: 2, burst: 40},
	{name: "no burst, 5/s", make: func(uint64) model { return &bucket{size: 1, rate: 5} }, rate: 4.7, burst: 1},
	{name: "8 at once", make: func(uint64) model { return &parallel{limit: 8} }, atOnce: 8},
	{name: "20 in 1 s and 300 in 60 s", make: func(uint64) model {
		return &both{&fixed{limit: 20, window: time.Second}, &fixed{limit: 300, window: time.Minute}}
	}, rate: 5, burst: 1},
	{name: "fixed window, half used by others", make: func(seed uint64) model {
		return &shared{model: &fixed{limit: 100, window: 10 * time.Second}, every: 200 * time.Millisecond, rnd: rand.New(rand.NewPCG(seed, 1))}
	}, rate: 5, burst: 1},
}

// A server is a model behind a network.
type server struct {
	dialect dialect
	mu      sync.Mutex
	model   model
	rnd     *rand.Rand
	calls   int
	refused int
	patient bool // it keeps calls waiting instead of refusing them: the ideal
}

func newServer(k kind, d dialect, seed uint64) *server {
	return &server{dialect: d, model: k.make(seed), rnd: rand.New(rand.NewPCG(seed, 2))}
}

// RoundTrip is a call: its way there, what the server takes, and the way back.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	way := 5*time.Millisecond + time.Duration(s.rnd.Int64N(int64(10*time.Millisecond)))
	takes := 60*time.Millisecond + time.Duration(s.rnd.Int64N(int64(40*time.Millisecond)))
	s.mu.Unlock()
	time.Sleep(way)
	s.mu.Lock()
	for s.patient && s.model.free(time.Now()) > 0 {
		wait := s.model.free(time.Now())
		s.mu.Unlock()
		time.Sleep(wait)
		s.mu.Lock()
	}
	s.calls++
	ok := s.model.take(time.Now())
	h := s.dialect.header(s.model, time.Now(), ok)
	if !ok {
		s.refused++
	}
	s.mu.Unlock()
	status := http.StatusOK
	if ok {
		time.Sleep(takes)
		s.mu.Lock()
		s.model.end()
		s.mu.Unlock()
	} else {
		status = http.StatusTooManyRequests
	}
	time.Sleep(way)
	return &http.Response{StatusCode: status, Header: h, Body: http.NoBody, Request: r}, nil
}

// An outcome is what came of a client's calls.
type outcome struct {
	took    time.Duration
	calls   int
	refused int
	failed  int // tasks
	used    int // attempts beyond the first, of all tasks
}

// A client has so many calls made by so many workers.
type client func(s *server, k kind, workers, calls int) outcome

func request(ctx context.Context, via http.RoundTripper) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://api.test/", nil)
	if err != nil {
		return err
	}
	resp, err := via.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	return httppool.CheckResponse(resp)
}

// pooled runs calls as jobs of a lane, each tried so often.
func pooled(s *server, via http.RoundTripper, before func(context.Context) error, workers, calls, runs int) outcome {
	pool := taskpool.New(taskpool.Config{Workers: workers, QueueLimit: -1, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	began := time.Now()
	var mu sync.Mutex
	used := 0
	backoff := taskpool.Backoff(runs, time.Second, time.Minute)
	for range calls {
		counted := 1
		_ = pool.Submit(taskpool.Job{
			Lane: "api",
			Retry: func(attempt int, err error) (time.Duration, bool) {
				mu.Lock()
				if attempt > counted {
					used += attempt - counted
					counted = attempt
				}
				mu.Unlock()
				return backoff(attempt, err)
			},
			Run: func(ctx context.Context) error {
				if before != nil {
					if err := before(ctx); err != nil {
						return err
					}
				}
				return request(ctx, via)
			},
		})
	}
	report, _ := pool.Drain(context.Background())
	o := outcome{took: time.Since(began), calls: s.calls, refused: s.refused, failed: report.Failed, used: used}
	_, _ = pool.Done(context.Background())
	return o
}

func lane(s *server, _ kind, workers, calls int) outcome {
	return pooled(s, &httppool.Transport{Base: s}, nil, workers, calls, 5)
}

func ideal(s *server, _ kind, workers, calls int) outcome {
	s.patient = true
	return pooled(s, s, nil, workers, calls, 1)
}

func byHand(s *server, k kind, workers, calls int) outcome {
	if k.atOnce > 0 {
		return pooled(s, s, nil, min(workers, k.atOnce), calls, 5)
	}
	l := rate.NewLimiter(rate.Limit(k.rate), k.burst)
	return pooled(s, s, l.Wait, workers, calls, 5)
}

func backoff(s *server, _ kind, workers, calls int) outcome {
	return pooled(s, s, nil, workers, calls, 5)
}

// An adaptive is the adaptive limiter of failsafe-go, which learns how many calls may run at once. One that is refused is
// a drop to it.
type adaptive struct {
	base    http.RoundTripper
	limiter adaptivelimiter.AdaptiveLimiter[any]
}

func (a *adaptive) RoundTrip(r *http.Request) (*http.Response, error) {
	permit, err := a.limiter.AcquirePermit(r.Context())
	if err != nil {
		return nil, err
	}
	resp, err := a.base.RoundTrip(r)
	if err != nil || resp.StatusCode == http.StatusTooManyRequests {
		permit.Drop()
	} else {
		permit.Record()
	}
	return resp, err
}

func failsafe(s *server, _ kind, workers, calls int) outcome {
	l := adaptivelimiter.NewBuilder[any]().WithLimits(1, uint(workers), uint(min(workers, 20))).Build()
	return pooled(s, &adaptive{s, l}, nil, workers, calls, 5)
}
