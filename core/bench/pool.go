package bench

import "sync"

// A pool is a contender with the tasks that were prepared for it. Its submit and
// scope are called by several goroutines at once, for different tasks.
type pool interface {
	// submit hands over the tasks [from, to) one by one.
	submit(from, to int)
	// wait returns when all that was handed over has run, and ends the pool.
	wait()
}

// A scoper runs tasks in groups that know when their last task has ended.
type scoper interface {
	pool
	// scope hands over the tasks [from, to) as a group, one by one, and waits for
	// it if asked to.
	scope(from, to int, wait bool)
}

// A futures hands out a future for each task.
type futures interface {
	pool
	// await hands over the tasks [from, to), waits for each, and returns the sum
	// of their values, which are 1.
	await(from, to int) int
}

// An opener makes a pool that runs at most limit of the tasks at once.
type opener func(limit int, ts []task) pool

// futureWindow is how many futures are out at once.
const futureWindow = 1000

// awaitAll starts the futures [from, to) a window at a time, and awaits them in
// the order in which they were started.
func awaitAll[F any](from, to int, start func(i int) F, value func(F) int) (sum int) {
	window := make([]F, min(futureWindow, to-from))
	for ; from < to; from += len(window) {
		window = window[:min(len(window), to-from)]
		for i := range window {
			window[i] = start(from + i)
		}
		for _, f := range window {
			sum += value(f)
		}
	}
	return sum
}

// counted is a peer that knows nothing of waiting, or nothing of groups: as its
// documentation shows, a sync.WaitGroup does that, one for a group. The funcs
// that count down are made before the clock starts, in the peer's favour.
type counted struct {
	start func(func())
	end   func()

	ts     []task
	funcs  []func()
	all    sync.WaitGroup
	scopes []*sync.WaitGroup // by their first task
}

func newCounted(ts []task, start func(func()), end func()) *counted {
	p := &counted{start: start, end: end, ts: ts, scopes: make([]*sync.WaitGroup, len(ts))}
	for i := range ts {
		ts[i].done = &p.all
	}
	p.funcs = forms(ts, func(t *task) func() { return t.runDone })
	return p
}

func (p *counted) submit(from, to int) {
	for _, f := range p.funcs[from:to] {
		p.all.Add(1)
		p.start(f)
	}
}

func (p *counted) scope(from, to int, wait bool) {
	group := new(sync.WaitGroup)
	p.scopes[from] = group
	for i := from; i < to; i++ {
		p.ts[i].done = group
		group.Add(1)
		p.start(p.funcs[i])
	}
	if wait {
		group.Wait()
	}
}

func (p *counted) wait() {
	p.all.Wait()
	for _, group := range p.scopes {
		if group != nil {
			group.Wait()
		}
	}
	p.end()
}

// ungrouped submits the tasks of a scope as they are: nothing knows when they
// have ended.
type ungrouped struct{ pool }

func (p ungrouped) scope(from, to int, _ bool) { p.submit(from, to) }

func withoutGroups(open opener) opener {
	return func(limit int, ts []task) pool { return ungrouped{open(limit, ts)} }
}
