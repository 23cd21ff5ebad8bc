package bench

import (
	"context"

	taskpool "github.com/elite-libs/taskpool/core"
)

// The engine: one pool without a queue limit. A scope goes through what an
// adapter does for a request: Begin, an Add for each task, Returned, Sent.
type engine struct {
	pool  *taskpool.Pool
	tasks []taskpool.Task
}

func openEngine(limit int, ts []task) pool {
	return &engine{
		pool:  taskpool.New(taskpool.Config{Workers: limit, QueueLimit: -1}),
		tasks: forms(ts, func(t *task) taskpool.Task { return t.runContext }),
	}
}

func (p *engine) submit(from, to int) {
	for _, t := range p.tasks[from:to] {
		must(p.pool.Add(t))
	}
}

func (p *engine) scope(from, to int, wait bool) {
	_, x := p.pool.Begin(context.Background())
	s := x.Scope()
	for _, t := range p.tasks[from:to] {
		must(s.Add(t))
	}
	if wait {
		_, err := s.Drain(context.Background())
		must(err)
	}
	x.Returned(taskpool.Outcome{Status: 200})
	x.Sent(taskpool.ReleaseFlushed)
}

func (p *engine) wait() {
	_, err := p.pool.Done(context.Background())
	must(err)
}

// The engine's futures: taskpool.Async and Promise.Await.
type engineFutures struct {
	engine
	values []func(context.Context) (int, error)
}

func openEngineFutures(limit int, ts []task) pool {
	p := &engineFutures{values: forms(ts, func(t *task) func(context.Context) (int, error) {
		return func(context.Context) (int, error) { t.run(); return 1, nil }
	})}
	p.pool = taskpool.New(taskpool.Config{Workers: limit, QueueLimit: -1})
	return p
}

func (p *engineFutures) await(from, to int) int {
	return awaitAll(from, to,
		func(i int) *taskpool.Promise[int] { return taskpool.Async(p.pool, p.values[i]) },
		func(f *taskpool.Promise[int]) int {
			v, err := f.Await(context.Background())
			must(err)
			return v
		})
}

// The engine made for one request: New, Add, Done.
func engineFresh(limit int, t *task) func() {
	run := taskpool.Task(t.runContext)
	return func() {
		p := taskpool.New(taskpool.Config{Workers: limit})
		must(p.Add(run))
		_, err := p.Done(context.Background())
		must(err)
	}
}
