package program

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	taskpool "github.com/elite-libs/taskpool/core"
)

// printLedger writes the balance of the pool's whole life, and the names of what the shutdown cut short.
func printLedger(w io.Writer, s taskpool.Stats, r taskpool.Report) {
	left := s.Running + s.Queued + s.Staged + s.Delayed + s.Retrying
	fmt.Fprintf(w, "ledger: %d tasks accepted = %d succeeded + %d failed + %d panicked + %d discarded + %d canceled + %d abandoned + %d left; %d refused\n",
		s.Accepted, s.Succeeded, s.Failed, s.Panicked, s.Discarded, s.Canceled, s.Abandoned, left, s.Refused)

	type key struct {
		fate taskpool.Fate
		name string
	}
	named := map[key]int{}
	unnamed := r.Canceled + r.Abandoned
	for _, res := range r.Results {
		if res.Fate == taskpool.FateCanceled || res.Fate == taskpool.FateAbandoned {
			named[key{res.Fate, res.Name}]++
			unnamed--
		}
	}
	byFateAndName := func(a, b key) int { return cmp.Or(cmp.Compare(a.fate, b.fate), cmp.Compare(a.name, b.name)) }
	for _, k := range slices.SortedFunc(maps.Keys(named), byFateAndName) {
		fmt.Fprintf(w, "%s: %d × %s\n", k.fate, named[k], k.name)
	}
	if unnamed > 0 {
		fmt.Fprintf(w, "canceled or abandoned: %d more\n", unnamed)
	}
}
