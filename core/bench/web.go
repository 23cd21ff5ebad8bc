package bench

import (
	"errors"
	"os/exec"
	"time"
)

// pairs is the least number of pairs that a ratio is the median of. A ratio that
// is near one takes more passes than another figure.
const (
	pairs      = 10
	ratioTakes = 9 // budgets
)

// middlewareRatio is the ratio of the requests per second that a way to serve has
// to those of the bare handler. Both servers are in this process, and passes of
// some milliseconds alternate between them, so that what slows the machine down
// slows down both of a pair, or one pair among many. Nothing collects garbage
// between passes: what a server leaves behind is its own cost.
func middlewareRatio(f framework, as string, tasks int) measure {
	return besideBare(f, as, tasks, 8, func(r Run, s, b *site) (float64, error) {
		n := r.size(100)
		return r.paired(func() (float64, error) { return s.rate(n) }, func() (float64, error) { return b.rate(n) }, func(s, b float64) float64 { return s / b })
	})
}

// paired is the median of what compare makes of the figures of pairs of passes.
func (r Run) paired(a, b func() (float64, error), compare func(a, b float64) float64) (float64, error) {
	var got []float64
	for start := time.Now(); len(got) <= pairs || time.Since(start) < ratioTakes*r.Budget; {
		var figures [2]float64
		for i := range figures {
			i ^= len(got) % 2 // who is first changes
			var err error
			if figures[i], err = [...]func() (float64, error){a, b}[i](); err != nil {
				return 0, err
			}
		}
		got = append(got, compare(figures[0], figures[1]))
	}
	return median(got[1:]), nil // the first pair warms up
}

// withNeighbour takes a figure while another process computes. That one ends with
// this, also if this is killed.
func withNeighbour(take measure) measure {
	return func(r Run) (float64, error) {
		neighbour := exec.Command("sh", "-c", "while kill -0 $PPID 2>/dev/null; do i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done; done")
		if err := neighbour.Start(); err != nil {
			return 0, err
		}
		v, err := take(r)
		_ = neighbour.Process.Kill()
		_ = neighbour.Wait() // it was killed
		return v, err
	}
}

// requestAllocs is the allocations of a request: those that a way to serve adds
// to the bare handler's, or if it is that one, its own.
func requestAllocs(f framework, as string, tasks int) measure {
	return besideBare(f, as, tasks, 1, func(r Run, s, b *site) (float64, error) {
		n := r.size(2_000)
		count := func(s *site) (got float64, err error) {
			got = allocs(1, func() { err = s.ask(n) }) / float64(n)
			return got, err
		}
		got, err := count(s)
		without, err2 := count(b)
		if as == bare {
			without = 0
		}
		return got - without, errors.Join(err, err2)
	})
}

// besideBare measures a way to serve beside the bare handler, each with a number
// of clients.
func besideBare(f framework, as string, tasks, clients int, take func(r Run, s, b *site) (float64, error)) measure {
	return func(r Run) (float64, error) {
		s, err := openSite(f, as, tasks, clients)
		if err != nil {
			return 0, err
		}
		b, err := openSite(f, bare, 0, clients)
		if err != nil {
			return 0, errors.Join(err, s.close())
		}
		v, err := take(r, s, b)
		return v, errors.Join(err, s.close(), b.close())
	}
}

// foreground is how long a request to a trivial handler takes while the pool
// computes, from the moment at which it was due: one is due each millisecond,
// whether the last has been answered or not.
func foreground(open opener, q float64) measure {
	return func(r Run) (float64, error) {
		s, err := openSite(frameworks[0], bare, 0, 1)
		if err != nil {
			return 0, err
		}
		v, err := r.pooled(q, func() ([]float64, error) {
			ts := make([]task, r.size(600))
			for i := range ts {
				ts[i].work = func() { spin(time.Millisecond) }
			}
			const interval = time.Millisecond
			seen, err := sample(saturate(open, ts), interval, s.clients[0].ask)
			if err != nil {
				return nil, err
			}
			return regular(seen, float64(interval)), checkOnce(ts)
		})
		return v, errors.Join(err, s.close())
	}
}
