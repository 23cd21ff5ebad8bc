package poolpage

import (
	"cmp"
	"slices"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// lane is what is shown of a lane.
type lane struct {
	Name    string     `json:"name"`
	Running int        `json:"running"`
	Waiting int        `json:"waiting"`
	Until   *time.Time `json:"until,omitempty"` // it starts nothing before
}

// lanesOf gives the lanes of the tasks that a snapshot has, those first of which most waits.
func lanesOf(_ *taskpool.Pool, s taskpool.Snapshot) []lane {
	by := map[string]*lane{}
	of := func(i taskpool.TaskInfo) *lane {
		if by[i.Lane] == nil {
			by[i.Lane] = &lane{Name: i.Lane}
		}
		return by[i.Lane]
	}
	for _, i := range s.Running {
		of(i).Running++
	}
	for _, i := range s.Waiting {
		if l := of(i); i.State == taskpool.StateQueued {
			l.Waiting++
			if !i.Due.IsZero() {
				due := i.Due.UTC()
				l.Until = &due
			}
		}
	}
	delete(by, "")
	all := []lane{}
	for _, l := range by {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b lane) int { return cmp.Or(cmp.Compare(b.Waiting, a.Waiting), cmp.Compare(a.Name, b.Name)) })
	return all[:min(len(all), listed)]
}
