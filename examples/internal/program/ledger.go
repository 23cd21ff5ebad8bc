package program

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/examples/orders"
)

// A cut is what a shutdown cut short, with the orders that it belonged to: a count says how much is undone, only the
// orders say what somebody has to see to.
type cut struct {
	mu    sync.Mutex // protects following field
	tasks map[cutKey][]string
}

type cutKey struct {
	fate taskpool.Fate
	name string
}

// ended notes a task that was cut short. It is a [taskpool.Hooks].Ended.
func (c *cut) ended(ctx context.Context, r taskpool.Result) {
	if r.Fate != taskpool.FateCanceled && r.Fate != taskpool.FateAbandoned {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tasks == nil {
		c.tasks = map[cutKey][]string{}
	}
	key := cutKey{r.Fate, r.Name}
	c.tasks[key] = append(c.tasks[key], orders.ID(ctx))
}

// printStored writes how many stored tasks are to be done, by the next start or by another process.
func printStored(w io.Writer, db orders.Database) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	by, err := db.Counts(ctx)
	if err != nil {
		fmt.Fprintf(w, "stored: not counted: %v\n", err)
		return
	}
	n := by["available"] + by["scheduled"] + by["retryable"] + by["running"] + by["pending"]
	fmt.Fprintf(w, "stored: %d tasks are still to be done\n", n)
}

// printLedger writes the balance of the pool's whole life, and what the shutdown cut short.
func printLedger(w io.Writer, s taskpool.Stats, c *cut) {
	left := s.Running + s.Queued + s.Staged + s.Delayed + s.Retrying
	fmt.Fprintf(w, "ledger: %d tasks accepted = %d succeeded + %d failed + %d panicked + %d discarded + %d canceled + %d abandoned + %d left; %d refused\n",
		s.Accepted, s.Succeeded, s.Failed, s.Panicked, s.Discarded, s.Canceled, s.Abandoned, left, s.Refused)

	c.mu.Lock()
	defer c.mu.Unlock()
	unnamed := int(s.Canceled + s.Abandoned) // stays above 0 if the hook hung
	byFateAndName := func(a, b cutKey) int { return cmp.Or(cmp.Compare(a.fate, b.fate), cmp.Compare(a.name, b.name)) }
	for _, key := range slices.SortedFunc(maps.Keys(c.tasks), byFateAndName) {
		ids := c.tasks[key]
		unnamed -= len(ids)
		fmt.Fprintf(w, "%s: %d × %s\n", key.fate, len(ids), key.name)
		for _, id := range ids {
			if id != "" {
				fmt.Fprintf(w, "  order %s\n", id)
			}
		}
	}
	if unnamed > 0 {
		fmt.Fprintf(w, "canceled or abandoned: %d more\n", unnamed)
	}
}
