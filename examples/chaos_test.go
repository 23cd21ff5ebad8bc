package examples_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// chaos says that there is time for the long form of the tests below: CHAOS=1.
var chaos = os.Getenv("CHAOS") == "1"

// farewell is what core gives running tasks, and then hooks, when the limit is over (core/done.go).
const farewell = time.Second

// overhead is what a loaded machine may add to a bound of time. The bounds are about hanging, not about speed.
const overhead = 15 * time.Second

// An ending is how a round goes out.
type ending int

const (
	finished  ending = iota // everything has its time
	cut                     // a partner hangs, clients stall, and the limit is short
	impatient               // a partner hangs, and a second signal comes
)

func (e ending) String() string { return [...]string{"finished", "cut", "impatient"}[e] }

// endings is the order of the rounds of a framework, over and over.
var endings = []ending{finished, cut, impatient, finished, cut, finished}

// TestChaosShutdown ends real processes with SIGTERM at random moments under clients of every kind. Every order that a
// client has seen answered with 201 has its receipt and its notice, or stands by its name in the printed ledger.
//
// Each round prints its seed, and has it in its name. CHAOS_SEED makes that the first round:
//
//	CHAOS_SEED=17 go test -run 'TestChaosShutdown/fiber' -v
func TestChaosShutdown(t *testing.T) {
	rounds, apart := 3, uint64(0)
	switch {
	case chaos:
		rounds = 50
	case testing.Short():
		rounds, apart = 1, 1 // so the frameworks end in different ways
	}
	base := uint64(time.Now().UnixNano()) % 1e6 * uint64(len(endings)) // the seed of a round also says how it ends
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		var err error
		if base, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
		apart = 0
	}
	var sum figures
	t.Cleanup(func() { t.Log(sum.String()) }) // when the parallel ones have ended
	for stream, name := range programs {
		t.Run(name, func(t *testing.T) {
			if !chaos { // which is to have the machine for itself
				t.Parallel()
			}
			binary := build(t, name)
			for i := range rounds {
				seed := base + uint64(stream)*apart + uint64(i)
				how := endings[seed%uint64(len(endings))]
				t.Run(fmt.Sprintf("seed=%d/%s", seed, how), func(t *testing.T) {
					t.Logf("repeat with CHAOS_SEED=%d", seed)
					sum.add(t, chaosRound(t, binary, rand.New(rand.NewPCG(seed, uint64(stream))), how))
				})
			}
		})
	}
}

// figures are what happened in a round, or in several.
type figures struct {
	mu                                                   sync.Mutex // protects the following fields of a sum
	rounds, requests, placed, accepted, tasks, cut, lost int
	longest                                              time.Duration // from the signal to the end, less the limit where that was used up
}

func (f *figures) add(t *testing.T, g *figures) {
	t.Log(g.String())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rounds += g.rounds
	f.requests += g.requests
	f.placed += g.placed
	f.accepted += g.accepted
	f.tasks += g.tasks
	f.cut += g.cut
	f.lost += g.lost
	f.longest = max(f.longest, g.longest)
}

func (f *figures) String() string {
	return fmt.Sprintf("%d rounds, %d requests, %d orders of which 201 was read, %d accepted, %d tasks of which %d cut short and named; %d lost; longest end %v",
		f.rounds, f.requests, f.placed, f.accepted, f.tasks, f.cut, f.lost, f.longest.Round(time.Millisecond))
}

// A plan is what a round puts a process through.
type plan struct {
	how     ending
	limit   time.Duration
	slow    time.Duration // of the partner
	hangs   int           // every how many calls the partner does not answer; 0 is never
	workers int
	queue   int
	wish    int     // orders placed before the signal
	clients []visit // what the first clients do
	others  int     // clients beside those: see visits
}

func newPlan(rng *rand.Rand, how ending) plan {
	p := plan{how: how, limit: 30 * time.Second, slow: 1 + upTo(rng, 20*time.Millisecond), workers: 2 + rng.IntN(7), queue: 10_000,
		wish: 1 + rng.IntN(200), others: 4 + rng.IntN(9)}
	if rng.IntN(3) == 0 {
		p.queue = 20 + rng.IntN(200) // some orders are refused
	}
	switch slow := rng.IntN(8); {
	case how == impatient:
		p.limit, p.hangs, p.wish = time.Hour, 1, 1+rng.IntN(10)
	case how == cut:
		p.limit, p.hangs = 100*time.Millisecond+upTo(rng, 400*time.Millisecond), 1+rng.IntN(4)
		if slow < 4 {
			p.clients = []visit{stall, stall}
		}
	case slow == 0: // the server gives them half of the limit, and that is nobody's fault
		p.limit, p.slow, p.clients = 10*time.Second, p.slow/4, []visit{lurk, lurk}
	}
	return p
}

func chaosRound(t *testing.T, binary string, rng *rand.Rand, how ending) *figures {
	plan := newPlan(rng, how)
	var calls atomic.Int64
	called := make(chan struct{})
	p := startPartner(t, func(ctx context.Context) {
		n := calls.Add(1)
		if n == 1 {
			close(called)
		}
		if plan.hangs > 0 && n%int64(plan.hangs) == 0 {
			<-ctx.Done()
		}
		pause(ctx, plan.slow)
	})
	dir := t.TempDir()
	c := serve(t, binary, "-partner", p.URL, "-receipts", dir,
		"-limit", plan.limit.String(), "-workers", fmt.Sprint(plan.workers), "-queue", fmt.Sprint(plan.queue))

	m := newMob(strings.TrimPrefix(c.url, "http://"), plan.wish)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	leave := func() {
		cancel()
		wg.Wait()
	}
	defer leave() // should the test end before that
	for i := range len(plan.clients) + plan.others {
		dice, does := rand.New(rand.NewPCG(rng.Uint64(), 0)), visits
		if i < len(plan.clients) {
			does = plan.clients[i : i+1]
		}
		wg.Go(func() { m.run(ctx, dice, does) })
	}
	switch how {
	case finished:
		await(t, m.enough)
	case impatient:
		await(t, called) // so that it has to wait for something
		fallthrough
	case cut: // a pool whose tasks hang may fill up before; then this moment is as random
		select {
		case <-m.enough:
		case <-time.After(upTo(rng, time.Second)):
		}
	}
	pause(ctx, upTo(rng, 5*time.Millisecond)) // so that it is not always the moment of an answer

	m.stopped.Store(true)
	began := time.Now()
	c.signal(t, syscall.SIGTERM)
	if how == impatient {
		c.stderr.find(t, stopping, c.exited)
		pause(ctx, upTo(rng, 50*time.Millisecond))
		began = time.Now()
		c.signal(t, syscall.SIGTERM)
	}
	state := c.wait(t)
	f := &figures{rounds: 1, longest: time.Since(began)}
	leave()
	m.check(t)
	f.requests, f.placed = int(m.posted.Load()), len(m.placed)

	if how == impatient {
		if status := state.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM || f.longest > overhead {
			t.Errorf("got %v after %v, want it ended by SIGTERM at once", state, f.longest)
		}
		return f // what it had in memory is lost, and that is what was asked for
	}
	if most := plan.limit + 2*farewell + overhead; f.longest > most {
		t.Errorf("the end took %v, want %v at most", f.longest, most)
	}
	if how == cut {
		f.longest = max(0, f.longest-plan.limit)
	}
	a := readAccount(t, c)
	stored, heard := storedIn(t, dir), p.tally()
	f.accepted, f.tasks, f.cut = len(a.answered), a.balance["tasks accepted"], len(a.named)
	f.lost = a.lost(t, m.placed, stored, heard)
	a.check(t, stored, heard)
	a.checkEnd(t, how, state.ExitCode())
	return f
}
