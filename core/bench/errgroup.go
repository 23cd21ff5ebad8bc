package bench

import "golang.org/x/sync/errgroup"

// errgroup: SetLimit, Go, Wait. Go blocks while the limit is reached, and starts
// a goroutine for each task. A group "should not be reused for different tasks",
// so a scope is a group of its own, which shares no limit with others.
type errGroup struct {
	limit errgroup.Group
	funcs []func() error
}

func openErrgroup(limit int, ts []task) pool {
	p := &errGroup{funcs: forms(ts, func(t *task) func() error { return t.runError })}
	p.limit.SetLimit(limit)
	return p
}

func (p *errGroup) submit(from, to int) {
	for _, f := range p.funcs[from:to] {
		p.limit.Go(f)
	}
}

func (p *errGroup) scope(from, to int, _ bool) {
	var group errgroup.Group
	for _, f := range p.funcs[from:to] {
		group.Go(f)
	}
	must(group.Wait())
}

func (p *errGroup) wait() { must(p.limit.Wait()) }

func errgroupFresh(limit int, t *task) func() {
	run := t.runError
	return func() {
		var g errgroup.Group
		g.SetLimit(limit)
		g.Go(run)
		must(g.Wait())
	}
}
