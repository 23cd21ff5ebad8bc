package bench

import (
	"sync"

	"github.com/panjf2000/ants/v2"
)

// ants: NewPool with the default options, Submit, and a sync.WaitGroup told by
// each task, as its examples do; Release at the end. It has no queue: Submit
// blocks while all workers are busy. It has no groups and no futures.
func openAnts(limit int, ts []task) pool {
	p, err := ants.NewPool(limit)
	must(err)
	return newCounted(ts, func(f func()) { must(p.Submit(f)) }, p.Release)
}

func antsFresh(limit int, t *task) func() {
	var wg sync.WaitGroup
	t.done = &wg
	run := t.runDone
	return func() {
		p, err := ants.NewPool(limit)
		must(err)
		wg.Add(1)
		must(p.Submit(run))
		wg.Wait()
		p.Release()
	}
}
