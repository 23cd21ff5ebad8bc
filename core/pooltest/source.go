package pooltest

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// A source is what a site's middleware is installed with. It notes the pools that
// scopes are begun on.
type source struct {
	taskpool.Source

	split atomic.Bool // a request got a second pool within the middleware that gave it the first

	mu    sync.Mutex
	pools map[*taskpool.Pool]struct{} // protected by mu
}

// source makes the pool of a site, or what makes one for each request.
func (r *run) source(s setup) *source {
	config := taskpool.Config{
		Workers: s.workers, Grace: s.grace, Results: taskpool.KeepAll, ResultLimit: max(s.results, 10_000),
		Logger: slog.New(slog.DiscardHandler),
	}
	if s.quiet {
		config.QueueLimit = -1 // a client that resets streams by the hundred is to be refused nothing
	}
	if config.Workers == 0 {
		config.Workers = 16
	}
	if config.Grace == 0 {
		config.Grace = time.Hour // what releases is to be seen, not what comes to the rescue
	}
	from := &source{pools: make(map[*taskpool.Pool]struct{})}
	if r.perRequest || s.perRequest {
		from.Source = taskpool.PerRequest(config)
	} else {
		from.Source = taskpool.New(config)
	}
	return from
}

func (s *source) Begin(ctx context.Context) (context.Context, taskpool.Exchange) {
	outer := taskpool.FromContext(ctx).Pool()
	ctx, x := s.Source.Begin(ctx)
	pool := x.Scope().Pool()
	if s.has(outer) && pool != outer {
		s.split.Store(true)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools[pool] = struct{}{}
	return ctx, x
}

// has reports whether a scope was begun on p.
func (s *source) has(p *taskpool.Pool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.pools[p]
	return ok
}

// count is on how many pools there was one.
func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pools)
}

// stats are those of all pools.
func (s *source) stats() taskpool.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum taskpool.Stats
	for p := range s.pools {
		st := p.Stats()
		sum.Running += st.Running
		sum.Queued += st.Queued
		sum.Staged += st.Staged
		sum.Delayed += st.Delayed
		sum.Retrying += st.Retrying
		sum.Accepted += st.Accepted
		sum.Succeeded += st.Succeeded
		sum.Failed += st.Failed
		sum.Panicked += st.Panicked
		sum.Discarded += st.Discarded
		sum.Canceled += st.Canceled
		sum.Abandoned += st.Abandoned
	}
	return sum
}

// An install is how often the middleware is installed, and with what, the
// outermost first.
type install func(src taskpool.Source) []taskpool.Source

func once(src taskpool.Source) []taskpool.Source  { return []taskpool.Source{src} }
func twice(src taskpool.Source) []taskpool.Source { return []taskpool.Source{src, src} }

// over has an inner middleware with another pool.
func over(second taskpool.Source) install {
	return func(src taskpool.Source) []taskpool.Source { return []taskpool.Source{src, second} }
}

// counted counts the scopes that are begun or joined.
func counted(begun *atomic.Int32) install {
	return func(src taskpool.Source) []taskpool.Source {
		return []taskpool.Source{countedSource{src, begun}}
	}
}

type countedSource struct {
	taskpool.Source
	begun *atomic.Int32
}

func (s countedSource) Begin(ctx context.Context) (context.Context, taskpool.Exchange) {
	s.begun.Add(1)
	return s.Source.Begin(ctx)
}
