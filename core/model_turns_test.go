package taskpool_test

import (
	"fmt"

	"github.com/elite-libs/taskpool/core"
)

// turns follows whose turn it was: nothing may be passed over too often.
type turns struct {
	was    map[turn]int          // what was queued when the step's starts began
	starts map[turn]int          // in this step
	passed map[turn]map[turn]int // since a line's last start, the starts of the others of its priority
	over   [3]int                // since the last start of a priority that had something to start, those of the others
}

// A turn is that of a line, for one priority.
type turn struct {
	*line
	taskpool.Priority
}

func (t turn) level() int { return 1 - int(t.Priority) }

func newTurns() turns { return turns{passed: map[turn]map[turn]int{}} }

// ready is what waits for nothing but a worker. What is in lanes may be blocked.
func (s *schedule) ready() map[turn]int {
	all := map[turn]int{}
	for _, at := range s.lines() {
		for _, e := range at.tasks {
			if at.lane == nil {
				all[turn{at.line, e.job.Priority}]++
			}
		}
	}
	return all
}

func (t *turns) before(ready map[turn]int) { t.was, t.starts = ready, map[turn]int{} }

func (t *turns) start(l *line, of taskpool.Priority) { t.starts[turn{l, of}]++ }

// after checks the step's turns. Lines take turns, so none that is ready sees
// another of its priority go twice. Of 16 starts one is Normal's, but that of Low
// counts for it, too, and of 64 one is Low's.
func (t *turns) after(ready map[turn]int) (problem string) {
	var atAll [3]bool // was ready throughout the step
	var started [3]int
	all := 0
	for of, n := range t.starts {
		started[of.level()] += n
		all += n
	}
	for of := range t.passed {
		if ready[of] == 0 || t.was[of] == 0 || t.starts[of] > 0 {
			delete(t.passed, of)
		}
	}
	for of := range ready {
		if t.was[of] == 0 {
			continue
		}
		atAll[of.level()] = true
		if t.starts[of] > 0 {
			continue
		}
		if t.passed[of] == nil {
			t.passed[of] = map[turn]int{}
		}
		for other, n := range t.starts {
			if other.Priority == of.Priority {
				if t.passed[of][other] += n; t.passed[of][other] > 1 {
					return fmt.Sprintf("a line of priority %v has been passed over twice by another", of.Priority)
				}
			}
		}
	}
	for level, most := range []int{1, 31, 63} {
		if !atAll[level] || started[level] > 0 {
			t.over[level] = 0
			continue
		}
		if t.over[level] += all; t.over[level] > most {
			return fmt.Sprintf("priority %v has been passed over %d times", 1-taskpool.Priority(level), t.over[level])
		}
	}
	return ""
}
