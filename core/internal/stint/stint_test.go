package stint_test

import (
	"testing"

	"github.com/elite-libs/taskpool/core/internal/stint"
)

const micro = 1000

// worked is how long a worker works, on tasks that take so long each, until it pauses, and how often it reads the clock.
func worked(s *stint.Stint, from, task int64) (until int64, reads int) {
	for now := from; ; now += task {
		if s.Due() {
			reads++
			if s.Pauses(now) {
				return now, reads
			}
		}
	}
}

// begun is a stint after a pause, of a worker that has had tasks that take so long each.
func begun(task int64) (s stint.Stint, now int64) {
	s.Begin()
	now, _ = worked(&s, 1<<60, task)
	s.Paused(now, now, 1)
	return s, now
}

// Of tasks of any length a worker does a slice, and no more beyond it than come before the clock is read again: 16 that
// take no time to speak of, else 4.
func TestWorkerPausesWhenItHasWorkedForASlice(t *testing.T) {
	for _, test := range []struct{ task, most int64 }{{50, 16}, {200, 16}, {5 * micro, 4}, {30 * micro, 4}, {1000 * micro, 4}} {
		s, began := begun(test.task)
		until, reads := worked(&s, began, test.task)
		if got, want := until-began, stint.MinSlice+test.most*test.task; got < stint.MinSlice || got > want {
			t.Errorf("tasks of %d ns: paused after %d, want between %d and %d", test.task, got, stint.MinSlice, want)
		}
		if tasks := (until - began) / test.task; int64(reads) > tasks/test.most+1 {
			t.Errorf("tasks of %d ns: the clock was read %d times for %d of them", test.task, reads, tasks)
		}
	}
}

// Who was woken waits until an eighth of a slice is over, and for two tasks, whatever those take and how many came before.
func TestWorkerPausesSoonerWhenItHasWokenSomebody(t *testing.T) {
	for _, length := range []int64{0, 50, 5 * micro, 30 * micro} { // of those before
		for _, task := range []int64{5 * micro, 30 * micro, 1000 * micro} {
			for before := range int64(12) {
				s, now := begun(max(length, 50))
				for range before {
					if s.Due() && s.Pauses(now) {
						s.Paused(now, now, 1)
					}
					now += length
				}
				s.Woke()
				until, _ := worked(&s, now, task)
				if most := stint.MinSlice/stint.Woken + 2*task; until-now > most {
					t.Fatalf("%d tasks of %d ns, then of %d: paused after %d, want %d at most", before, length, task, until-now, most)
				}
				s.Paused(until, until, 1)
				if again, _ := worked(&s, until, task); again-until < stint.MinSlice {
					t.Fatalf("tasks of %d ns: the next pause came after %d, want a whole slice", task, again-until)
				}
			}
		}
	}
}

// Where tasks take no time to speak of, somebody who waits has the clock read a few times more, not for each of them.
func TestClockIsSeldomReadForWhoWasWoken(t *testing.T) {
	s, now := begun(50)
	s.Woke()
	until, reads := worked(&s, now, 50)
	if got := until - now; got < stint.MinSlice/stint.Woken || got > stint.MinSlice/stint.Woken+16*50 {
		t.Errorf("paused after %d, want an eighth of a slice", got)
	}
	if tasks := (until - now) / 50; int64(reads) > tasks/16+5 {
		t.Errorf("the clock was read %d times for %d tasks", reads, tasks)
	}
}

// A slice grows with the time that others take, not at once and not for ever, and is short again when they take none.
func TestSliceFollowsTheTimeThatOthersTake(t *testing.T) {
	s, now := begun(10)
	var slices []int64
	pause := func(away int64, peers int) {
		s.Paused(now, now+away, peers)
		now += away
		until, _ := worked(&s, now, 10) // so that the clock is read in time
		slices = append(slices, (until-now)/micro)
		now = until
	}
	for range 8 {
		pause(40_000*micro, 2) // 20 ms each, of which 10 are the most
	}
	pause(0, 1)
	pause(300*micro, 2)
	want := []int64{200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 100, 150}
	for i := range want {
		if slices[i] != want[i] {
			t.Fatalf("got slices of %v us, want %v", slices, want)
		}
	}
}
