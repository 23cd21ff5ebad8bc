package poolpage

import (
	"fmt"
	"strings"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

const (
	second = time.Second
	kept   = 300 // seconds
)

// A history is what was noted in the last minutes, once a second.
type history struct {
	notes [kept]noted
	count int // how many were noted; the next has its place at count%kept
}

type noted struct {
	at               time.Time
	running, waiting int
	ended, failed    uint64
	oldest           time.Duration
}

// note notes the numbers of one moment, unless the latest are less than a second old, about.
func (h *history) note(at time.Time, s taskpool.Stats) {
	if h.count > 0 && at.Sub(h.notes[(h.count-1)%kept].at) < second-50*time.Millisecond {
		return
	}
	failed := s.Failed + s.Panicked + s.Canceled + s.Abandoned
	h.notes[h.count%kept] = noted{
		at: at, running: s.Running, waiting: s.Queued + s.Staged + s.Delayed + s.Retrying,
		ended: s.Succeeded + s.Discarded + failed, failed: failed, oldest: s.Oldest,
	}
	h.count++
}

// A point is what was noted, with what has happened since the one before as rates.
type point struct {
	Time    time.Time `json:"time"`
	Running int       `json:"running"`
	Waiting int       `json:"waiting"`
	Ended   float64   `json:"ended"`  // in a second
	Failed  float64   `json:"failed"` // in a second
	Oldest  float64   `json:"oldest"` // seconds that the oldest queued task has waited
}

func (h *history) points() []point {
	all := []point{}
	for i := max(h.count-kept, 0) + 1; i < h.count; i++ {
		before, n := h.notes[(i-1)%kept], h.notes[i%kept]
		took := n.at.Sub(before.at).Seconds()
		all = append(all, point{
			Time: n.at.UTC(), Running: n.running, Waiting: n.waiting, Oldest: n.oldest.Seconds(),
			Ended: float64(n.ended-before.ended) / took, Failed: float64(n.failed-before.failed) / took,
		})
	}
	return all
}

// A chart is one picture of the history: two lines at most, in a space of kept by 100.
type chart struct {
	Title, Most, Now  string
	First, Second     string // the points of the lines; Second is empty if there is one
	FirstIs, SecondIs string
}

func (h *history) charts() []chart {
	points := h.points()
	number := func(v float64) string { return fmt.Sprintf("%.3g", v) }
	draw := func(title, firstIs, secondIs string, text func(float64) string, first, second func(point) float64) chart {
		most := 0.0
		for _, p := range points {
			most = max(most, first(p))
			if second != nil {
				most = max(most, second(p))
			}
		}
		c := chart{Title: title, Most: text(most), FirstIs: firstIs, SecondIs: secondIs, First: line(points, first, most)}
		if second != nil {
			c.Second = line(points, second, most)
		}
		if len(points) > 0 {
			c.Now = text(first(points[len(points)-1]))
		}
		return c
	}
	return []chart{
		draw("Ended per second", "all", "failed", number, func(p point) float64 { return p.Ended }, func(p point) float64 { return p.Failed }),
		draw("Tasks", "waiting", "running", number, func(p point) float64 { return float64(p.Waiting) }, func(p point) float64 { return float64(p.Running) }),
		draw("Longest wait in the queue", "oldest", "", span, func(p point) float64 { return p.Oldest }, nil),
	}
}

// line is the points of a line in SVG; the newest is at the right.
func line(points []point, of func(point) float64, most float64) string {
	var b strings.Builder
	for i, p := range points {
		y := 0.0
		if most > 0 {
			y = of(p) / most
		}
		fmt.Fprintf(&b, "%d,%.1f ", kept-len(points)+i, 98-96*y)
	}
	return strings.TrimSpace(b.String())
}
