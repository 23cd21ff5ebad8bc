package poolpage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

const listed = 50 // tasks, lanes: the first of them

// data is what the page shows, and what ?format=json gives. Durations are in seconds.
type data struct {
	Time   time.Time    `json:"time"`
	Pools  []poolView   `json:"pools"`
	Stored []storedView `json:"stored,omitempty"`
}

type poolView struct {
	Name     string    `json:"name"`
	Stats    stats     `json:"stats"`
	Running  []task    `json:"running"`
	Waiting  []task    `json:"waiting"`
	Lanes    []lane    `json:"lanes"` // the busiest
	AllLanes int       `json:"all_lanes"`
	LanesAt  time.Time `json:"lanes_at,omitzero"` // when they were read; zero if they are being read for the first time
	Failures []failure `json:"failures"`
	History  []point   `json:"history"`
	Charts   []chart   `json:"-"`
}

type stats struct {
	Workers   int     `json:"workers"`
	Running   int     `json:"running"`
	Queued    int     `json:"queued"`
	Staged    int     `json:"staged"`
	Delayed   int     `json:"delayed"`
	Retrying  int     `json:"retrying"`
	Overrun   int     `json:"overrun"`
	Accepted  uint64  `json:"accepted"`
	Succeeded uint64  `json:"succeeded"`
	Failed    uint64  `json:"failed"`
	Panicked  uint64  `json:"panicked"`
	Discarded uint64  `json:"discarded"`
	Canceled  uint64  `json:"canceled"`
	Abandoned uint64  `json:"abandoned"`
	Refused   uint64  `json:"refused"`
	Retried   uint64  `json:"retried"`
	Oldest    float64 `json:"oldest"`
}

type task struct {
	Name     string            `json:"name"`
	State    taskpool.State    `json:"state"`
	Lane     string            `json:"lane,omitempty"`
	Start    taskpool.Start    `json:"start"`
	Priority taskpool.Priority `json:"priority"`
	Attempt  int               `json:"attempt"`
	Waited   float64           `json:"waited"`
	Ran      float64           `json:"ran"`
	Due      *time.Time        `json:"due,omitempty"`
	Error    string            `json:"error,omitempty"` // of the run before
}

type failure struct {
	Time     time.Time     `json:"time"`
	Name     string        `json:"name"`
	Fate     taskpool.Fate `json:"fate"`
	Attempts int           `json:"attempts"`
	Error    string        `json:"error"`
}

func (w *watched) view(now time.Time) poolView {
	s := w.snapshot(listed)
	w.history.note(now, s.Stats)
	v := poolView{
		Name: w.name, Stats: statsOf(s.Stats), Running: tasks(s.Running), Waiting: tasks(s.Waiting), Failures: []failure{},
		History: w.history.points(), Charts: w.history.charts(),
	}
	v.Lanes, v.AllLanes, v.LanesAt = w.lanes.view()
	for _, f := range s.Failures {
		v.Failures = append(v.Failures, failure{f.Time.UTC(), f.Result.Name, f.Result.Fate, f.Result.Attempts, textOf(f.Result.Err)})
	}
	return v
}

func statsOf(s taskpool.Stats) stats {
	return stats{
		s.Workers, s.Running, s.Queued, s.Staged, s.Delayed, s.Retrying, s.Overrun, s.Accepted, s.Succeeded, s.Failed,
		s.Panicked, s.Discarded, s.Canceled, s.Abandoned, s.Refused, s.Retried, s.Oldest.Seconds(),
	}
}

func tasks(infos []taskpool.TaskInfo) []task {
	all := make([]task, 0, len(infos))
	for _, i := range infos {
		all = append(all, task{i.Name, i.State, i.Lane, i.Start, i.Priority, i.Attempt, i.Waited.Seconds(), i.Ran.Seconds(), at(i.Due), textOf(i.Err)})
	}
	return all
}

// textOf is the text of an error, or of the panic that asking for it gave: errors are the caller's.
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = "an error whose Error method panics"
		}
	}()
	if err == nil {
		return ""
	}
	text = err.Error()
	const most = 500
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…" // it may be cut within a character
	}
	return text
}

// storedTasks are tasks that are kept elsewhere.
type storedTasks struct {
	name, link string
	counts     func(context.Context) (map[string]int, error)
	latest     *latestCounts
}

type latestCounts struct {
	mu     sync.Mutex
	asked  time.Time
	asking bool
	at     time.Time // when it was asked for what is known
	states []stateCount
	err    error
}

type storedView struct {
	Name     string       `json:"name"`
	Link     string       `json:"link,omitempty"`
	States   []stateCount `json:"states"`
	StatesAt time.Time    `json:"states_at,omitzero"` // when they were counted; zero if that is being done for the first time
	Error    string       `json:"error,omitempty"`
}

type stateCount struct {
	State string `json:"state"`
	Count int    `json:"count"`
}

const (
	askEvery  = 5 * time.Second
	askWithin = 5 * time.Second
)

// view is what is known, and has it asked for anew if that is old: nobody waits for a database here.
func (s storedTasks) view(now time.Time) storedView {
	l := s.latest
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asking && now.Sub(l.asked) >= askEvery {
		l.asking, l.asked = true, now
		go s.ask()
	}
	states := append([]stateCount{}, l.states...) // null in JSON would be no list
	return storedView{s.name, s.link, states, l.at, textOf(l.err)}
}

// ask asks. It is on a goroutine of its own, where nobody else could bear a panic.
func (s storedTasks) ask() {
	var counts map[string]int
	err := errors.New("the counting called runtime.Goexit")
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the counting panicked: %v", v)
		}
		s.latest.note(counts, err)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	counts, err = s.counts(ctx)
}

func (l *latestCounts) note(counts map[string]int, err error) {
	var states []stateCount
	for state, n := range counts {
		states = append(states, stateCount{state, n})
	}
	slices.SortFunc(states, func(a, b stateCount) int { return cmp.Compare(a.State, b.State) })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking, l.err = false, err
	if err == nil {
		l.states, l.at = states, l.asked.UTC()
	}
}
