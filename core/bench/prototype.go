package bench

import (
	"context"
	"sync"
	"time"

	"github.com/elite-libs/taskpool/core/bench/fair"
)

// The prototype that the engine was built after: what is practically possible.
type prototype struct {
	pool  *fair.Pool
	tasks []func()
}

func openPrototype(limit int, ts []task) pool {
	return &prototype{
		pool:  fair.New(limit, fair.Options{Recheck: 1, YieldAfter: 100 * time.Microsecond, YieldWaiter: true}),
		tasks: forms(ts, func(t *task) func() { return t.run }),
	}
}

func (p *prototype) submit(from, to int) {
	for _, f := range p.tasks[from:to] {
		p.pool.Go(f)
	}
}

func (p *prototype) scope(from, to int, wait bool) {
	s := p.pool.NewScope()
	for _, f := range p.tasks[from:to] {
		s.Add(f)
	}
	if wait {
		s.Wait()
	} else {
		s.Close(nil)
	}
}

func (p *prototype) wait() { p.pool.Drain() }

// A prototypeFuture is one allocation, and knows its value alone: no error, no
// panic, no context.
type prototypeFuture struct {
	run   func(context.Context) (int, error)
	value int
	ended sync.WaitGroup
}

func (f *prototypeFuture) Run() {
	f.value, _ = f.run(context.Background())
	f.ended.Done()
}

type prototypeFutures struct {
	prototype
	values []func(context.Context) (int, error)
}

func openPrototypeFutures(limit int, ts []task) pool {
	return &prototypeFutures{*openPrototype(limit, ts).(*prototype), forms(ts, func(t *task) func(context.Context) (int, error) {
		return func(context.Context) (int, error) { t.run(); return 1, nil }
	})}
}

func (p *prototypeFutures) await(from, to int) int {
	return awaitAll(from, to,
		func(i int) *prototypeFuture {
			f := &prototypeFuture{run: p.values[i]}
			f.ended.Add(1)
			p.pool.GoRunner(f)
			return f
		},
		func(f *prototypeFuture) int {
			f.ended.Wait()
			return f.value
		})
}
