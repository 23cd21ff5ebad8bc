package taskpool

import (
	"context"
	"errors"
	"sync"
)

// JoinSources makes one Source of several, for a process that has more than one pool
// and one shutdown: httppool.Serve and fiberpool.Serve take it. Each middleware still
// gets its own Source; scopes that are begun on what is joined are the first one's.
//
// Done calls that of all of them at once, so that each has all of the time, and
// returns when the last has: the counts and results together, in the order of the
// sources, and the errors joined. A task that adds to another of the pools is refused
// there with ErrDone by then. One that is nil gives ErrNilSource, and the others are
// finalized all the same. Held requests are let go as Holder.Free does.
func JoinSources(sources ...Source) Source { return joined(sources) }

type joined []Source

func (j joined) Begin(ctx context.Context) (context.Context, Exchange) {
	if ctx == nil {
		ctx = context.Background()
	}
	if len(j) == 0 || j[0] == nil {
		return ctx, Exchange{}
	}
	return j[0].Begin(ctx)
}

func (j joined) Done(ctx context.Context) (Report, error) {
	j.Free() // of one before the Done of another, which may wait for a task that a held request is to end
	reports, errs := make([]Report, len(j)), make([]error, len(j))
	var all sync.WaitGroup
	for i, src := range j {
		all.Go(func() {
			if src == nil {
				errs[i] = ErrNilSource
				return
			}
			reports[i], errs[i] = src.Done(ctx)
		})
	}
	all.Wait()
	var sum Report
	for _, r := range reports {
		sum.Succeeded += r.Succeeded
		sum.Failed += r.Failed
		sum.Panicked += r.Panicked
		sum.Discarded += r.Discarded
		sum.Canceled += r.Canceled
		sum.Abandoned += r.Abandoned
		sum.Results = append(sum.Results, r.Results...)
		sum.Omitted += r.Omitted
	}
	return sum, errors.Join(errs...)
}

// Free is Holder.Free, for those of the sources that have it.
func (j joined) Free() {
	for _, src := range j {
		if held, ok := src.(interface{ Free() }); ok {
			held.Free()
		}
	}
}
