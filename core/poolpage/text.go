package poolpage

import (
	"fmt"
	"html/template"
	"time"
)

var funcs = template.FuncMap{
	"span":  span,
	"clock": func(t time.Time) string { return t.Local().Format("15:04:05") },
	"iso":   func(t time.Time) string { return t.Format(time.RFC3339) },
	"until": until,
	"share": share,
	"waits": waits,
	"less":  func(a, b int) int { return a - b },
	"sum": func(of ...uint64) (all uint64) {
		for _, n := range of {
			all += n
		}
		return all
	},
}

// span is a duration of so many seconds, to two or three digits.
func span(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case d <= 0:
		return "0 s"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
}

// until is how long it is from now to t.
func until(now time.Time, t *time.Time) string {
	if t == nil {
		return ""
	}
	return "in " + span(t.Sub(now).Seconds())
}

// share is running of workers as a part of a hundred.
func share(running, workers int) int { return min(100, 100*running/max(workers, 1)) }

// waits says what a task waits for.
func waits(t task) string {
	switch state := t.State.String(); {
	case state == "queued" && t.Lane != "" && t.Due != nil:
		return "held by its lane"
	case state == "queued" && t.Lane != "":
		return "a worker, or room in its lane"
	case state == "queued":
		return "a worker"
	case state == "staged":
		return "the response (" + t.Start.String() + ")"
	case state == "delayed":
		return "its delay"
	default:
		return "its next run"
	}
}
