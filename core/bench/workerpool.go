package bench

import "github.com/gammazero/workerpool"

// workerpool: Submit and StopWait, as in its README. It queues without bound and
// never blocks. It has no groups: a sync.WaitGroup is a scope's. It has no
// futures: SubmitWait blocks its caller.
type workerPool struct {
	*counted
	pool  *workerpool.WorkerPool
	plain []func()
}

func openWorkerpool(limit int, ts []task) pool {
	p := workerpool.New(limit)
	return &workerPool{newCounted(ts, p.Submit, p.StopWait), p, forms(ts, plain)}
}

func (p *workerPool) submit(from, to int) {
	for _, f := range p.plain[from:to] {
		p.pool.Submit(f)
	}
}

func workerpoolFresh(limit int, t *task) func() {
	run := plain(t)
	return func() {
		p := workerpool.New(limit)
		p.Submit(run)
		p.StopWait()
	}
}
