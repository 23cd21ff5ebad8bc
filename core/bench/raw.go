package bench

import "time"

// The plain constructs of the language. They isolate no panic, have no ledger
// and no shutdown: they are shown beside as a reference, not compared against.

// semaphore: a channel with room for limit, sent to before the go statement.
func openSemaphore(limit int, ts []task) pool {
	sem := make(chan struct{}, limit)
	return newCounted(ts, func(f func()) {
		sem <- struct{}{}
		go func() {
			f()
			<-sem
		}()
	}, func() {})
}

// goroutines: a go statement for each task, without a limit.
func openGoroutines(_ int, ts []task) pool {
	return newCounted(ts, func(f func()) { go f() }, func() {})
}

// goFutures: a goroutine and a channel for each task, without a limit.
type goFutures struct{ ts []task }

func openGoFutures(_ int, ts []task) pool { return &goFutures{ts} }

func (p *goFutures) submit(from, to int) { p.await(from, to) }

func (p *goFutures) await(from, to int) int {
	return awaitAll(from, to,
		func(i int) chan int {
			c := make(chan int, 1)
			go func() { p.ts[i].run(); c <- 1 }()
			return c
		},
		func(c chan int) int { return <-c })
}

func (p *goFutures) wait() {}

// idle runs no task: it shows what the machine does to a latency by itself.
type idle struct{ ts []task }

func openIdle(_ int, ts []task) pool { return idle{ts} }

func (p idle) submit(from, to int) {
	for i := from; i < to; i++ {
		p.ts[i].ran++
	}
}

func (p idle) wait() { <-time.After(idleTime) }

const idleTime = 300 * time.Millisecond
