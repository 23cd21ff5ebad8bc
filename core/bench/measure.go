package bench

import (
	"runtime"
	"sync"
	"time"
)

// A Run says how long a measurement may take. Its zero value is one short pass,
// which is what the tests do.
type Run struct {
	Scale  float64       // of the number of tasks; 1 is what is published
	Budget time.Duration // passes are repeated until it is spent
}

// clients is the most goroutines that a workload submits from, scopeSize how
// many tasks a scope has, sharedLimit the limit where a workload has but one.
const (
	clients     = 32
	scopeSize   = 3
	sharedLimit = 4
)

// size scales a number of tasks, so that it can still be shared out evenly.
func (r Run) size(tasks int) int {
	const even = clients * scopeSize
	return max(int(float64(tasks)*r.Scale)/even*even, even)
}

// passes repeats a pass until the budget is spent, and returns the median. The
// first pass warms up and is dropped, unless it is the only one.
func (r Run) passes(pass func() (float64, error)) (float64, error) {
	var values []float64
	for start := time.Now(); len(values) == 0 || time.Since(start) < r.Budget; {
		runtime.GC() // what the last pass left behind is not charged to this one
		v, err := pass()
		if err != nil {
			return 0, err
		}
		values = append(values, v)
	}
	if len(values) > 1 {
		values = values[1:]
	}
	return median(values), nil
}

// pooled repeats a pass likewise, and returns the q-quantile of what all passes
// together have seen.
func (r Run) pooled(q float64, pass func() ([]float64, error)) (float64, error) {
	var seen []float64
	_, err := r.passes(func() (float64, error) {
		values, err := pass()
		seen = append(seen, values...)
		return 0, err
	})
	return quantile(seen, q), err
}

// per is the time since start for each of n.
func per(n int, start time.Time) float64 {
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

// share calls f for equal parts of [0, n) on k goroutines, and waits for them.
func share(n, k int, f func(from, to int)) {
	if k == 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for i := range k {
		wg.Go(func() { f(n/k*i, n/k*(i+1)) })
	}
	wg.Wait()
}
