package riverpool

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// OnSuccess stores jobs that start once the response is sent and are deleted
// unless the request succeeded. Once it has returned nil they are in the database:
// they start after a response that succeeded, are deleted after one that failed,
// and if the process dies before it has settled which, they run when Config.Hold
// has passed. So no success is ever lost, and only a crash (or a Done that ran out
// of time, or a database that stays away for Hold) in that moment lets a failed
// request's task run.
//
// The scope is the one that ctx carries, as for [taskpool.Scope.OnSuccess]: that
// of a request, of a taskpool.Handle, or of a stored task. It is all or none, and
// blocks for a commit. It also takes a place in the queue limit of the scope's
// pool, for a task named riverpool.settle, and returns that pool's refusals. A
// unique task is refused with ErrUnique.
func (q *Queue[TTx]) OnSuccess(ctx context.Context, jobs ...Job) error {
	if !q.made() {
		return errNoQueue
	}
	for i := range jobs {
		if t := jobs[i].task; t != nil && t.definition().options.Unique {
			return fmt.Errorf("%w: %s", ErrUnique, t.Name())
		}
	}
	p, err := q.params(ctx, jobs, q.config.Hold)
	if err != nil || len(p) == 0 {
		return err
	}
	h := &held{stored: make(chan struct{})}
	defer close(h.stored)
	if err := taskpool.FromContext(ctx).Submit(q.settle(h)); err != nil { // before anything is stored: it may be refused
		return err
	}
	rows, err := q.insert(ctx, p)
	if err != nil {
		return err
	}
	h.ids = make(map[time.Duration][]int64)
	for i, r := range rows {
		h.ids[jobs[i].Delay] = append(h.ids[jobs[i].Delay], r.Job.ID)
	}
	return nil
}

// held is what one OnSuccess has stored.
type held struct {
	stored chan struct{}             // closed when it has
	ids    map[time.Duration][]int64 // of its rows, by the delay of their jobs
}

// settle is the in-memory task that lets what a request stored start, or deletes
// it, once its outcome is known. It ends when that is done or, if the database is
// busy with others, when they do it for this one, too.
func (q *Queue[TTx]) settle(h *held) taskpool.Job {
	began := time.Now()
	return taskpool.Job{
		Name: "riverpool.settle", Start: taskpool.StartAfterResponse, Priority: taskpool.PriorityHigh,
		Retry: func(attempt int, _ error) (time.Duration, bool) {
			return min(100*time.Millisecond<<min(attempt, 6), 5*time.Second), time.Since(began) < q.config.Hold // then they start anyway
		},
		Run: func(ctx context.Context) error {
			<-h.stored
			o, _ := taskpool.FromContext(ctx).Outcome()
			ids := h.ids
			h.ids = nil // another run only tries again what is left
			return q.settling.settle(ctx, ids, o.Success())
		},
	}
}

// A settler carries out what became of held rows. What comes while the database
// is busy shares the next statement: one at a time would fall behind the inserts
// on SQLite's one connection.
type settler struct {
	exec     func(ctx context.Context, sql string, args ...any) error
	table    string
	postgres bool

	mu      sync.Mutex // protects what follows
	busy    bool
	release map[time.Duration][]int64 // rows to start, by delay
	drop    []int64                   // rows to delete
}

// settle adds rows to what is to be settled, and settles all there is unless
// somebody is at it.
func (s *settler) settle(ctx context.Context, ids map[time.Duration][]int64, success bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for delay, ids := range ids {
		s.addLocked(delay, ids, success)
	}
	if s.busy {
		return nil
	}
	s.busy = true
	defer func() { s.busy = false }()
	for len(s.release)+len(s.drop) > 0 {
		if err := s.flushLocked(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *settler) addLocked(delay time.Duration, ids []int64, success bool) {
	switch {
	case !success:
		s.drop = append(s.drop, ids...)
	case s.release == nil:
		s.release = map[time.Duration][]int64{delay: ids}
	default:
		s.release[delay] = append(s.release[delay], ids...)
	}
}

// flushLocked settles what is known now, without the lock. What fails is kept.
func (s *settler) flushLocked(ctx context.Context) (err error) {
	release, drop := s.release, s.drop
	s.release, s.drop = nil, nil
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		for delay, ids := range release {
			s.addLocked(delay, ids, true)
		}
		s.drop = append(s.drop, drop...)
	}()
	for delay, ids := range release {
		if err := s.execute(ctx, s.releaseSQL(delay), ids); err != nil {
			return err
		}
		delete(release, delay)
	}
	if err := s.execute(ctx, "DELETE FROM "+s.table, drop); err != nil {
		return err
	}
	drop = nil
	return nil
}

// lookAhead is how far ahead of its time River's scheduler makes a row available
// (internal/maintenance/job_scheduler.go, v0.51.2). Workers heed the time all the
// same, so what is due within it need not wait for the scheduler's next look.
const lookAhead = 5 * time.Second

func (s *settler) releaseSQL(delay time.Duration) string {
	state := "available"
	if delay > lookAhead {
		state = "scheduled"
	}
	at := "'" + time.Now().Add(delay).UTC().Format("2006-01-02 15:04:05.000") + "'" // SQLite compares text: River stores this form
	if s.postgres {                                                                 // whose clock is another machine's
		at = fmt.Sprintf("now() + interval '%d microseconds'", delay.Microseconds())
	}
	return fmt.Sprintf("UPDATE %s SET state = '%s', scheduled_at = %s", s.table, state, at)
}

// execute executes a statement on those of the rows that still wait for their
// outcome. River has no call for many rows that keeps to what has not started.
// Those whose Hold ends within the look-ahead are available already.
func (s *settler) execute(ctx context.Context, sql string, ids []int64) error {
	for len(ids) > 0 {
		n := min(len(ids), 1000)
		in := make([]string, n)
		for i, id := range ids[:n] {
			in[i] = strconv.FormatInt(id, 10)
		}
		if err := s.exec(ctx, sql+" WHERE id IN ("+strings.Join(in, ",")+") AND state IN ('scheduled', 'available') AND attempt = 0"); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}
