package taskpool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// Whatever else there is to start, and whenever lanes have room, a lower priority has
// its turn. Equal durations are the hard ones: with them a lane may have no room
// each time that the turn comes.
func TestNoPriorityStarvesInOrBesideLanes(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { turnsOf(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func turnsOf(t *testing.T, r *rand.Rand) {
	places := []string{"", "a", "b", "c", "d"}[:1+r.IntN(5)]
	if len(places) > 1 && r.IntN(2) == 0 {
		places = places[1:] // in lanes alone
	}
	lanes := map[string]taskpool.Lane{}
	for _, name := range places {
		lanes[name] = taskpool.Lane{Limit: 1 + r.IntN(2)}
	}
	p := newPool(taskpool.Config{QueueLimit: -1, Workers: 1 + r.IntN(4), Lanes: lanes})
	equalTimes := r.IntN(2) == 0
	var starts int // under mu of the trail
	var order trail
	first := map[string]int{}
	job := func(lane string, of taskpool.Priority) taskpool.Job {
		took := time.Millisecond
		if !equalTimes {
			took = time.Duration(1 + r.IntN(1e6))
		}
		return taskpool.Job{Lane: lane, Priority: of, Run: func(context.Context) error {
			order.mu.Lock()
			starts++
			if name := lane + " " + of.String(); first[name] == 0 {
				first[name] = starts
			}
			order.mu.Unlock()
			time.Sleep(took)
			return nil
		}}
	}
	p.Pause()
	const many = 400
	for range many {
		for _, lane := range places {
			must(t, p.Submit(job(lane, taskpool.PriorityHigh)))
		}
	}
	for _, lane := range places {
		must(t, p.Submit(job(lane, taskpool.PriorityNormal), job(lane, taskpool.PriorityLow)))
	}
	p.Resume()
	drain(t, p)
	for name, at := range first {
		// Each place has its turn after those of the others, and a lane perhaps first
		// when what runs in it has ended.
		if most := 65 * (len(places) + 1); at > most {
			t.Errorf("of %q the first has started as number %d of %d, want %d at most", name, at, starts, most)
		}
	}
}
