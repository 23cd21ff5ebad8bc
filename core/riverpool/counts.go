package riverpool

import (
	"context"
	"fmt"
	"strings"

	"github.com/riverqueue/river/rivertype"
)

// MaxCount is how far Counts counts the tasks of one state.
const MaxCount = 10_000

// Counts returns how many stored tasks are in each of River's states, those of all
// processes and also those that another client of River stored: available, running,
// retryable, scheduled and pending are to be done, completed, cancelled and
// discarded are kept for a while. No state is left out. A count of MaxCount means
// that or more: so one that is asked for again and again costs milliseconds however
// much is stored, whereas River's own (JobCountByAllStates, v0.51.2) goes through
// the whole table. It blocks for one query, and on SQLite has the one connection
// meanwhile. It goes with the method ShowStored of package poolpage.
func (q *Queue[TTx]) Counts(ctx context.Context) (map[string]int, error) {
	if !q.made() {
		return nil, errNoQueue
	}
	states := rivertype.JobStates()
	columns, counts := make([]string, len(states)), make([]int, len(states))
	into := make([]any, len(states))
	for i, state := range states { // which the index river_job_prioritized_fetching_index begins with
		columns[i] = fmt.Sprintf("(SELECT count(*) FROM (SELECT 1 FROM %s WHERE state = '%s' LIMIT %d) AS seen)", q.settling.table, state, MaxCount)
		into[i] = &counts[i]
	}
	if err := q.driver.GetExecutor().QueryRow(ctx, "SELECT "+strings.Join(columns, ", ")).Scan(into...); err != nil {
		return nil, databaseError(err)
	}
	by := make(map[string]int, len(states))
	for i, state := range states {
		by[string(state)] = counts[i]
	}
	return by, nil
}
