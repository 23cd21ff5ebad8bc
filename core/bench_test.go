package taskpool_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// The loops are over b.N: b.Loop would stop the clock before Drain.

func nop(context.Context) error { return nil }

// BenchmarkAdd: one producer, trivial tasks.
func BenchmarkAdd(b *testing.B) {
	p := taskpool.New(taskpool.Config{QueueLimit: -1})
	b.ReportAllocs()
	for range b.N {
		_ = p.Add(nop)
	}
	if _, err := p.Drain(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkAddParallel: as many producers as processors.
func BenchmarkAddParallel(b *testing.B) {
	p := taskpool.New(taskpool.Config{QueueLimit: -1})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = p.Add(nop)
		}
	})
	if _, err := p.Drain(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// requestOfFour is a request with four tasks, of which three are staged.
func requestOfFour(ctx context.Context, src taskpool.Source) {
	_, s := begin(src, ctx)
	_ = s.Add(nop)
	_ = s.AfterResponse(nop)
	_ = s.OnSuccess(nop, nop)
	s.Returned(taskpool.Outcome{Status: 200})
	s.Sent(taskpool.ReleaseFlushed)
}

// BenchmarkScope: a request with four tasks, of which three are staged.
func BenchmarkScope(b *testing.B) {
	p := taskpool.New(taskpool.Config{QueueLimit: -1})
	ctx := context.Background()
	b.ReportAllocs()
	for range b.N {
		requestOfFour(ctx, p)
	}
	if _, err := p.Drain(ctx); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkScopeEmpty: a request that adds no task.
func BenchmarkScopeEmpty(b *testing.B) {
	p := taskpool.New(taskpool.Config{})
	ctx := context.Background()
	b.ReportAllocs()
	for range b.N {
		_, s := begin(p, ctx)
		s.Returned(taskpool.Outcome{Status: 200})
	}
}

// BenchmarkBesideComputing: tasks of 5 µs, while as many goroutines compute as
// there are processors.
func BenchmarkBesideComputing(b *testing.B) {
	var stop atomic.Bool
	var computing sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		computing.Go(func() {
			for !stop.Load() {
			}
		})
	}
	p := taskpool.New(taskpool.Config{QueueLimit: -1})
	for range b.N {
		_ = p.Add(func(context.Context) error {
			for end := time.Now().Add(5 * time.Microsecond); time.Now().Before(end); {
			}
			return nil
		})
	}
	if _, err := p.Drain(b.Context()); err != nil {
		b.Fatal(err)
	}
	stop.Store(true)
	computing.Wait()
}

// BenchmarkPoolPerRequest: a pool made and done, with one task.
func BenchmarkPoolPerRequest(b *testing.B) {
	ctx := context.Background()
	b.ReportAllocs()
	for range b.N {
		p := taskpool.New(taskpool.Config{})
		_ = p.Add(nop)
		if _, err := p.Done(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPerRequest: BenchmarkScope with a pool for each request.
func BenchmarkPerRequest(b *testing.B) {
	src := taskpool.PerRequest(taskpool.Config{QueueLimit: -1})
	ctx := context.Background()
	b.ReportAllocs()
	for range b.N {
		requestOfFour(ctx, src)
	}
	if _, err := src.Done(ctx); err != nil {
		b.Fatal(err)
	}
}
