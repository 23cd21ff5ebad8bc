package taskpool

import (
	"context"
	"log/slog"
	"time"

	"github.com/elite-libs/taskpool/core/internal/pace"
)

// Throttle tells the lane of the task whose context is given what an API has
// answered. Other lanes and tasks without one go on, and no worker is held. It
// does not block. It does nothing outside of a task, in a task without a lane, and
// after the task has ended. [ParseRateLimit] reads an answer; the Transport of the
// module nethttp does both for each request.
//
// What a lane makes of it:
//
//   - At most r.Remaining further tasks start before r.Reset, less those that run
//     beside the caller and have not called Throttle in this run: their answers are
//     still to come. Of answers to calls that ran at once the lowest Remaining counts,
//     and the answer to a call that was made after one had come replaces it.
//   - Limits are told apart by Name and Limit, and, if they have none, by a Reset
//     that is earlier. A Reset that moves on with each answer is one of a quota that
//     fills little by little, as a sliding window or a bucket does: how fast is
//     measured, and tasks start at that pace.
//   - After r.Refused nothing starts before r.Reset, or, if that was not said, for a
//     wait that begins with what a call takes and grows by half until a call is
//     accepted, to an hour at most. Then one task goes first, and when it is
//     answered, or has ended without another refusal, the lane opens up again.
//   - From refusals that no quota had announced the lane learns: how many of its tasks
//     may run at once, or, if that is not it, how many start in a second. It tries a
//     little more with each task that this has slowed, so that about one call of forty
//     is refused, and forgets it ten minutes after the last refusal.
//   - When a window has passed of which nothing remained, one task asks what the next
//     allows, too.
//
// An answer without limits, the zero RateLimit, may be told as well: that it was no
// refusal is known some time before the task ends.
//
// A run that was told of a refusal and failed uses up no attempt of the job's Retry:
// the attempt that it is given does not count it, up to 20 times. [Pool.FreeLane]
// takes back what a lane was told.
func Throttle(ctx context.Context, r RateLimit) {
	task := jobOf(ctx)
	if task == nil {
		return
	}
	j := task.full()
	if j == nil {
		return
	}
	p := j.scope.pool
	p.lock()
	if j.stay == nil || !j.stay.running {
		p.mu.Unlock()
		return
	}
	l := j.stay.lane
	l.answeredLocked(j, r)
	unread := r.Unread != "" && !l.unread
	l.unread = l.unread || unread
	p.unlock()
	if unread {
		p.log(ctx, slog.LevelDebug, "rate limit was not understood", slog.String("lane", l.name), slog.String("field", r.Unread))
	}
}

// answeredLocked passes on what a task of the lane has told.
func (l *lane) answeredLocked(j *fullJob, r RateLimit) {
	now, s := ticks(), j.stay
	if l.pace == nil {
		l.pace = pace.Begin(now, l.running)
	}
	h := pace.Hint{
		Name: r.Name, Limit: max(r.Limit, 0), Remaining: max(r.Remaining, 0),
		Per: later(0, max(r.Per, 0)), Refused: r.Refused, Asked: j.started,
	}
	if !r.Reset.IsZero() {
		h.Reset = later(now, time.Until(r.Reset))
	}
	h.Told = !r.Refused && (!r.Reset.IsZero() || r.Remaining > 0 || r.Limit > 0 || r.Name != "")
	switch {
	case !r.Asked.IsZero():
		h.Asked = now - int64(max(time.Since(r.Asked), 0))
	case s.answered != 0:
		h.Asked = s.answered + 1
	}
	if l.pace.Answered(now, int(s.beside), s.answered == 0, h) {
		s.refused = true
		l.refused++
	}
	s.answered = now
	l.pool.wakeLaneLocked(l)
}

// FreeLane takes back all that the lane of that name was told by Throttle, and
// what it has learned: after a limit was raised, a token replaced, or an API had
// said something wrong. What Config says of the lane stays. It does nothing if
// there is no such lane, and does not block.
func (p *Pool) FreeLane(name string) {
	if !p.made() {
		return
	}
	p.lock()
	if l := p.lanes[name]; l != nil && l.pace != nil {
		l.pace = pace.Begin(ticks(), l.running)
		p.wakeLaneLocked(l)
	}
	p.unlock()
}

// maxExcused is how often the refusal of a call may use up no attempt of a job: a
// job cannot go on for ever.
const maxExcused = 20

// attempt is the number of the run that has just failed, by which its Retry
// decides: refusals that are the lane's to avoid do not count. It needs no lock.
func (j *fullJob) attempt() int {
	s := j.stay
	if s == nil {
		return int(j.attempts)
	}
	p := j.scope.pool
	p.lock() // what the task has left behind may still call Throttle
	defer p.mu.Unlock()
	if s.refused && s.excused < maxExcused {
		s.excused++
		s.refused = false
	}
	return max(int(j.attempts-s.excused), 1)
}
