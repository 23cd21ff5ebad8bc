package bench

import concpool "github.com/sourcegraph/conc/pool"

// conc: pool.New().WithMaxGoroutines(n), Go, Wait, as its README shows. Go
// blocks while all goroutines are busy. A pool must be waited for and belongs to
// one owner, so a scope is a pool of its own, which shares no limit with others.
type concPool struct {
	limit *concpool.Pool
	funcs []func()
}

func openConc(limit int, ts []task) pool {
	return &concPool{concpool.New().WithMaxGoroutines(limit), forms(ts, plain)}
}

func (p *concPool) submit(from, to int) {
	for _, f := range p.funcs[from:to] {
		p.limit.Go(f)
	}
}

func (p *concPool) scope(from, to int, _ bool) {
	group := concpool.New()
	for _, f := range p.funcs[from:to] {
		group.Go(f)
	}
	group.Wait()
}

func (p *concPool) wait() { p.limit.Wait() }

func concFresh(limit int, t *task) func() {
	run := plain(t)
	return func() {
		p := concpool.New().WithMaxGoroutines(limit)
		p.Go(run)
		p.Wait()
	}
}
