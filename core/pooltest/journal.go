package pooltest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A journal is what happened in a check, in order. It is safe for concurrent use.
// Nil is one that nothing is noted in.
type journal struct {
	mu    sync.Mutex
	notes []string
}

func (j *journal) note(format string, args ...any) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.notes = append(j.notes, fmt.Sprintf(format, args...))
}

// index is the place of the first such note, or -1.
func (j *journal) index(note string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Index(j.notes, note)
}

// String is the journal as a failure shows it, its end if it is long.
func (j *journal) String() string {
	const most = 60
	j.mu.Lock()
	defer j.mu.Unlock()
	notes := j.notes
	if len(notes) > most {
		notes = notes[len(notes)-most:]
	}
	return "what happened:\n\t" + strings.Join(notes, "\n\t")
}
