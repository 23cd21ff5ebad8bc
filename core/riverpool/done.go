package riverpool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// farewell is how long stored tasks may take to return when Done has run out of
// time and canceled their contexts, as in package taskpool.
const farewell = time.Second

// Begin begins a scope of Config.Source. It implements taskpool.Source.
func (q *Queue[TTx]) Begin(ctx context.Context) (context.Context, taskpool.Exchange) {
	if !q.made() {
		return new(taskpool.Pool).Begin(ctx) // which begins nothing
	}
	return q.config.Source.Begin(ctx)
}

// Done ends the work of this process, within ctx. No more stored tasks are
// started. It finishes the in-memory ones with Config.Source.Done, whose report
// and error it returns; these come first, as only they are lost when they are cut.
// Then it waits for the stored tasks that run. When ctx ends, those have their
// context canceled and a second to return: what fails then goes back to the
// database, uses up no attempt, and starts again in another process or after the
// next start. One that does not return in that second is named in the error; it
// keeps its attempt, and starts again once it is taken for dead, see
// Config.Timeout, or at the next start if Config.Sole is set.
//
// What is stored stays stored, and Submit and SubmitTx go on working for as long
// as the database is open: what is cut short may still hand over what it has.
// Done may be called again, by anyone. Called by a stored task it returns
// taskpool.ErrSelfWait and does nothing. It implements taskpool.Source.
func (q *Queue[TTx]) Done(ctx context.Context) (taskpool.Report, error) {
	if !q.made() {
		return taskpool.Report{}, errNoQueue
	}
	if ctx == nil {
		ctx = context.Background()
	}
	if _, self := RowOf(ctx); self {
		return taskpool.Report{}, taskpool.ErrSelfWait
	}
	q.mu.Lock()
	q.stopping = true
	started := q.started
	q.mu.Unlock()

	unbound := context.WithoutCancel(ctx)
	stopped := make(chan struct{})
	if started {
		go func() {
			defer close(stopped)
			_ = q.client.Stop(unbound) // no error: it waits for the tasks
		}()
		// Beside the in-memory pool, whose own farewell has begun. StopAndCancel cancels
		// at once, then waits for the Stop above whatever its context says.
		defer context.AfterFunc(ctx, func() { _ = q.client.StopAndCancel(unbound) })()
	} else {
		close(stopped)
	}
	report, err := q.config.Source.Done(ctx)
	if settleErr := q.settling.settle(ctx, nil, false); settleErr != nil { // what its tasks were cut at
		err = errors.Join(err, fmt.Errorf("riverpool: tasks of requests are left to Config.Hold: %w", databaseError(settleErr)))
	}
	select {
	case <-stopped:
		return report, err
	case <-ctx.Done():
	}
	t := time.NewTimer(farewell)
	defer t.Stop()
	select {
	case <-stopped:
	case <-t.C:
		err = errors.Join(err, fmt.Errorf("riverpool: stored tasks did not heed their context: %s", q.stillRunning()))
	}
	return report, err
}

// stillRunning names the stored tasks that run, but not all of very many.
func (q *Queue[TTx]) stillRunning() string {
	const most = 10
	q.mu.Lock()
	defer q.mu.Unlock()
	var names []string
	for _, id := range slices.Sorted(maps.Keys(q.running)) {
		if len(names) == most {
			names = append(names, fmt.Sprintf("and %d more", len(q.running)-most))
			break
		}
		names = append(names, fmt.Sprintf("%s (id %d)", q.running[id], id))
	}
	return strings.Join(names, ", ")
}
