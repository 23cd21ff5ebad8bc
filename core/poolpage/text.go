package poolpage

import (
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

var funcs = template.FuncMap{
	"span":   span,
	"clock":  func(t time.Time) string { return t.Local().Format("15:04:05") },
	"iso":    func(t time.Time) string { return t.Format(time.RFC3339) },
	"until":  until,
	"short":  short,
	"share":  share,
	"waits":  waits,
	"holds":  holds,
	"limits": limits,
	"old":    old,
	"period": period,
	"less":   func(a, b int) int { return a - b },
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

// period is a span that is the same at all times, as whole seconds mostly.
func period(seconds float64) string { return strings.Replace(span(seconds), ".0 s", " s", 1) }

// until is how long it is from now to t.
func until(now time.Time, t *time.Time) string {
	if t == nil {
		return ""
	}
	return "in " + span(t.Sub(now).Seconds())
}

// funcName is the name of a func in a package whose path begins with a domain's name.
var funcName = regexp.MustCompile(`^[\w-]+(\.[\w-]+)+(/[\w.~-]+)*/([\w~-]+\.[\w.()*\[\]-]+)$`)

// short is a func's name without the path of its package; a name that was given stays as it is.
func short(name string) string {
	if m := funcName.FindStringSubmatch(name); m != nil {
		return m[3]
	}
	return name
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

var holding = map[taskpool.Block]string{
	taskpool.BlockNone:     "",
	taskpool.BlockLimit:    "one that runs: its limit",
	taskpool.BlockRate:     "its rate",
	taskpool.BlockHint:     "the API: nothing remains",
	taskpool.BlockRefusal:  "the API: it has refused a call",
	taskpool.BlockProbe:    "the answer to a call that goes first",
	taskpool.BlockLearned:  "the pace that refusals taught",
	taskpool.BlockParallel: "one that runs: as many do as refusals taught",
}

// holds says what the next task of a lane waits for.
func holds(b taskpool.Block) string {
	if text, ok := holding[b]; ok {
		return text
	}
	return b.String()
}

// limits says what limits a lane, one by one: what is configured, then what was learned.
func limits(l lane) (all []string) {
	add := func(yes bool, format string, of ...any) {
		if yes {
			all = append(all, fmt.Sprintf(format, of...))
		}
	}
	add(l.Limit > 0, "%d at once", l.Limit)
	add(l.Rate > 0, "%d in %s", l.Rate, period(l.Per))
	add(l.Queue > 0, "%d may wait", l.Queue)
	add(l.AtOnce > 0, "learned: %d at once", l.AtOnce)
	add(l.PerSec > 0, "learned: %.3g in 1 s", l.PerSec)
	return all
}

// old is how long ago t was; empty if that is about now.
func old(now, t time.Time) string {
	if ago := now.Sub(t); ago > 2*time.Second {
		return span(ago.Seconds())
	}
	return ""
}
