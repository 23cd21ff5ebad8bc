package pooltest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// Soak has an adapter's server with one pool, and another with a pool for each
// request, answer good and hostile clients for a long time, with tasks of every
// kind, and shows that memory, goroutines and file descriptors do not grow and
// that no task is lost. With CHAOS=1 in the environment that is ten minutes, or as
// long as CHAOS_SOAK says; without it two seconds.
//
// Every few seconds the clients leave and the pools drain, and a sample is taken.
// The samples of the second half may not exceed those of the first, in the
// median, by more than 10 % and 1 MB of heap or 10 % and 500 objects, so that one
// object that is kept for each request shows in seconds. Of goroutines and
// descriptors none may be left.
func Soak(t *testing.T, a Adapter) {
	t.Helper()
	length := 2 * time.Second
	if inChaos {
		length = 10 * time.Minute
		if text := os.Getenv("CHAOS_SOAK"); text != "" {
			var err error
			if length, err = time.ParseDuration(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	soak(newRun(t, a, 3*patience), length)
}

// A sample is what the process has at a quiet moment.
type sample struct {
	heap, objects           uint64
	goroutines, descriptors int
}

func (s sample) String() string {
	return fmt.Sprintf("%d kB in %d objects, %d goroutines, %d descriptors", s.heap>>10, s.objects, s.goroutines, s.descriptors)
}

func soak(r *run, length time.Duration) {
	began, seed := time.Now(), r.seed()
	every := min(max(length/20, 100*time.Millisecond), 5*time.Second)
	work := new(work)
	config := taskpool.Config{
		Workers: 8, Grace: hostileGrace, Results: taskpool.KeepNone, Logger: slog.New(slog.DiscardHandler),
		Lanes: map[string]taskpool.Lane{"narrow": {Limit: 1}, "paced": {Rate: 50, Per: 10 * time.Millisecond}},
		Hooks: taskpool.Hooks{Ended: func(context.Context, taskpool.Result) { work.ended.Add(1) }},
	}
	sources := []taskpool.Source{taskpool.New(config), taskpool.PerRequest(config)}
	var targets []*target
	for _, src := range sources {
		targets = append(targets, r.soaked(src, work))
	}
	idle := runtime.NumGoroutine()

	var samples []sample
	for i := uint64(0); time.Since(began) < length || len(samples) < 5; i++ {
		until := time.Now().Add(every)
		over := func() bool { return time.Now().After(until) || r.Failed() }
		var all sync.WaitGroup
		for _, t := range targets {
			all.Go(func() { t.crowd(seed+i, 12, t.tricks(), over) })
		}
		all.Wait()
		s, ok := r.quiet(work, idle)
		if !ok {
			return
		}
		if i > 0 || length < time.Second { // the first round fills pools and caches
			samples = append(samples, s)
		}
	}
	r.flat(samples)
	requests := targets[0].requests.Load() + targets[1].requests.Load()
	r.Logf("%v: %d requests, %d handlers, %d tasks, %d of them failed or were retried, %d refused, %d lost", time.Since(began).Round(time.Second),
		requests, work.handlers.Load(), work.accepted.Load(), work.failed.Load(), work.refused.Load(), work.accepted.Load()-work.ended.Load())
	r.Logf("first:  %v", samples[0])
	r.Logf("middle: %v", samples[len(samples)/2])
	r.Logf("last:   %v", samples[len(samples)-1])
}

// soaked starts a server on a source. Its connections are not recorded.
func (r *run) soaked(src taskpool.Source, w *work) *target {
	r.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	t := &target{run: r, name: "soak", addr: ln.Addr().String(), step: 1}
	stop := func() {}
	if r.adapter.Handler != nil {
		stop = r.serveHTTP(ln, setup{maxHeader: hostileHeader}, w.handler(t), []taskpool.Source{src})
	} else {
		stop = r.adapter.Serve(r.TB, ln, w.handler(t), src)
	}
	r.Cleanup(func() {
		stop()
		ctx, cancel := context.WithTimeout(context.Background(), r.patience)
		defer cancel()
		if _, err := src.Done(ctx); err != nil {
			r.errorf("Done: %v", err)
		}
	})
	return t
}

// tricks are all that the server may be put to, and as many good clients.
func (t *target) tricks() []trick {
	all := slices.Clone(http1Tricks)
	if t.adapter.HTTP2 != 0 {
		all = append(all, http2Tricks...)
	}
	for range all {
		all = append(all, trick{"behaves well", behaves})
	}
	return all
}

// quiet waits until all tasks and connections have ended, and takes a sample.
func (r *run) quiet(w *work, idle int) (sample, bool) {
	r.Helper()
	if !r.eventually(func() bool { return w.ended.Load() == w.accepted.Load() }) {
		r.errorf("%d tasks were accepted, and %d have ended", w.accepted.Load(), w.ended.Load())
		return sample{}, false
	}
	var s sample
	if !r.eventually(func() bool { s.goroutines = runtime.NumGoroutine(); return s.goroutines <= idle }) {
		r.errorf("%d goroutines without a client, %d before the first one", s.goroutines, idle)
		return sample{}, false
	}
	runtime.GC()
	runtime.GC() // what stood in a sync.Pool is gone now
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.heap, s.objects, s.descriptors = m.HeapAlloc, m.HeapObjects, len(descriptors())
	return s, true
}

// flat compares the second half of the samples with the first.
func (r *run) flat(samples []sample) {
	r.Helper()
	median := func(of []sample, value func(sample) uint64) uint64 {
		var all []uint64
		for _, s := range of {
			all = append(all, value(s))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	first, second := samples[:len(samples)/2], samples[len(samples)/2:]
	for _, of := range []struct {
		name  string
		slack uint64
		value func(sample) uint64
	}{
		{"bytes of heap", 1 << 20, func(s sample) uint64 { return s.heap }},
		{"objects", 500, func(s sample) uint64 { return s.objects }},
	} {
		if was, is := median(first, of.value), median(second, of.value); is > was+was/10+of.slack {
			r.errorf("%d %s in the second half, %d in the first: %v", is, of.name, was, samples)
		}
	}
	was, is := samples[0].descriptors, 0
	if !r.eventually(func() bool { is = len(descriptors()); return is <= was }) { // a busy server closes late
		r.errorf("%d descriptors in the end, %d at first", is, was)
	}
	rising := slices.IsSortedFunc(samples, func(a, b sample) int {
		if a.objects < b.objects {
			return -1
		}
		return 1
	})
	if rising && len(samples) >= 10 {
		r.errorf("there are more objects in each sample than in the one before: %v", samples)
	}
}
