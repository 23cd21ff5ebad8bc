package pooltest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// loadChecks: many requests at once, of every program in every mode.
func loadChecks() []check {
	return []check{{"load", load}}
}

const requests = 240

// load: each of the tasks of each of the requests has exactly one fate, the
// right one, and the ledger adds up at every moment that is looked at.
func load(r *run) {
	program := func(i int) program { return programs[i%len(programs)] }
	mode := func(i int) mode { return modes[i/len(programs)%len(modes)] }
	name := func(i int, kind taskpool.Start) string { return fmt.Sprintf("request %d, %v", i, kind) }

	var runs [requests][4]atomic.Int32
	s := r.serve(setup{}, func(x Exchange) error {
		var i int
		if _, err := fmt.Sscanf(x.Path(), "/%d", &i); err != nil {
			r.errorf("path %q: %v", x.Path(), err)
			return nil
		}
		scope := taskpool.FromContext(x.Context())
		for _, kind := range kinds {
			err := scope.Submit(taskpool.Job{Name: name(i, kind), Start: kind, Run: func(context.Context) error {
				runs[i][kind].Add(1)
				return nil
			}})
			if err != nil {
				r.errorf("Submit: %v", err)
			}
		}
		return program(i).run(x)
	})

	var clients, watch sync.WaitGroup
	answered := make(chan struct{})
	watch.Go(func() {
		again := time.NewTicker(100 * time.Microsecond) // a processor of its own would see little more
		defer again.Stop()
		for s.balanced(s.source.stats()) {
			select {
			case <-answered:
				return
			case <-again.C:
			}
		}
	})
	for i := range requests {
		clients.Go(func() {
			c, err := connect(s.listener.Addr().String(), r.patience)
			if err != nil {
				r.errorf("request %d: %v", i, err)
				return
			}
			defer c.Close()
			resp, err := c.roundTrip(mode(i).method, mode(i).request(fmt.Sprintf("/%d", i)))
			if err != nil {
				r.errorf("request %d: %v", i, err)
				return
			}
			program(i).verify(r, mode(i), resp)
		})
	}
	clients.Wait()
	close(answered)
	watch.Wait()

	results := s.finish()
	for i := range requests {
		for _, kind := range kinds {
			want := taskpool.FateSucceeded
			if kind == taskpool.StartOnSuccess && !program(i).success() || kind == taskpool.StartOnFailure && program(i).success() {
				want = taskpool.FateDiscarded
			}
			ran, got := runs[i][kind].Load(), results[name(i, kind)].Fate
			if got != want || ran > 1 || (ran == 1) != (want == taskpool.FateSucceeded) {
				r.errorf("%s: %v, %d times run; want %v", name(i, kind), got, ran, want)
			}
		}
	}
}
