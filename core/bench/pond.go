package bench

import "github.com/alitto/pond/v2"

// pond: Go for a task that nobody waits for ("Submits a task to the pool without
// waiting for it to complete"), NewGroup on the shared pool for a scope, a
// ResultPool for futures, StopAndWait at the end. The queue is unbounded, which
// is its default. Its README shows Submit first, which makes a future that
// nobody looks at here: it is shown beside.
type pondPool struct {
	pool  pond.Pool
	funcs []func()
}

func openPond(limit int, ts []task) pool {
	return &pondPool{pond.NewPool(limit), forms(ts, plain)}
}

func (p *pondPool) submit(from, to int) {
	for _, f := range p.funcs[from:to] {
		must(p.pool.Go(f))
	}
}

func (p *pondPool) scope(from, to int, wait bool) {
	group := p.pool.NewGroup()
	for _, f := range p.funcs[from:to] {
		group.Submit(f)
	}
	if wait {
		must(group.Wait())
	}
}

func (p *pondPool) wait() { p.pool.StopAndWait() }

type pondSubmit struct{ pondPool }

func openPondSubmit(limit int, ts []task) pool {
	return &pondSubmit{pondPool{pond.NewPool(limit), forms(ts, plain)}}
}

func (p *pondSubmit) submit(from, to int) {
	for _, f := range p.funcs[from:to] {
		p.pool.Submit(f)
	}
}

type pondFutures struct {
	pool   pond.ResultPool[int]
	values []func() int
}

func openPondFutures(limit int, ts []task) pool {
	return &pondFutures{pond.NewResultPool[int](limit), forms(ts, func(t *task) func() int {
		return func() int { t.run(); return 1 }
	})}
}

func (p *pondFutures) submit(from, to int) { p.await(from, to) }

func (p *pondFutures) await(from, to int) int {
	return awaitAll(from, to,
		func(i int) pond.ResultTask[int] { return p.pool.Submit(p.values[i]) },
		func(f pond.ResultTask[int]) int {
			v, err := f.Wait()
			must(err)
			return v
		})
}

func (p *pondFutures) wait() { p.pool.StopAndWait() }

func pondFresh(limit int, t *task) func() {
	run := plain(t)
	return func() {
		p := pond.NewPool(limit)
		must(p.Go(run))
		p.StopAndWait()
	}
}
