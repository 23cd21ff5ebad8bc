package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// A verdict is what became of what is asked of a workload.
type verdict struct {
	engine float64 // its median
	peer   string  // the best one; empty if there is none
	best   float64 // its median
	ratio  float64 // engine to best
	word   string

	near     float64 // engine to prototype
	nearWord string
}

// judge compares the engine's median with the best peer's. What is only shown
// beside does not count.
func judge(w Workload, results map[string][]float64) verdict {
	v := verdict{engine: median(results[Engine]), best: math.NaN(), word: "–"}
	for _, e := range w.Entrants {
		m := median(results[e.Name])
		if e.Name == Engine || e.Beside != "" || math.IsNaN(m) {
			continue
		}
		if v.peer == "" || m < v.best != w.More {
			v.peer, v.best = e.Name, m
		}
	}
	v.ratio = v.engine / v.best
	v.near = v.engine / median(results[Prototype])
	switch {
	case w.Near == 0, math.IsNaN(v.near):
	case v.near <= w.Near:
		v.nearWord = fmt.Sprintf(", %g asked: met", w.Near)
	default:
		v.nearWord = fmt.Sprintf(", %g asked: not met", w.Near)
	}
	got := v.ratio
	if w.Absolute {
		got = v.engine
	}
	if w.Whole {
		got = math.Floor(got)
	}
	within := func(bound float64) bool { return got <= bound != w.More || got == bound }
	switch {
	case math.IsNaN(v.engine):
		v.word = "failed"
	case w.Asked == 0 && !w.Absolute, math.IsNaN(got):
	case within(w.Aim):
		v.word = "aim met"
	case within(w.Asked):
		v.word = "met"
	default:
		v.word = "not met"
	}
	return v
}

// Markdown writes the tables: what is asked and what came of it, every figure
// with its spread, and who is left out or shown beside, and why.
func Markdown(out io.Writer, ws []Workload, results Results) {
	fmt.Fprintf(out, "| workload | engine | best peer | ratio | asked | aim | | of the prototype |\n|---|---|---|---|---|---|---|---|\n")
	for _, w := range ws {
		v := judge(w, results[w.Name])
		peer, ratio := "–", "–"
		if v.peer != "" {
			peer, ratio = fmt.Sprintf("%s, %s", v.peer, figure(v.best, w.Unit)), ratioOf(v)
		}
		near := "–"
		if !math.IsNaN(v.near) {
			near = fmt.Sprintf("%.2f%s", v.near, v.nearWord)
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %s |\n",
			w.Text, figure(v.engine, w.Unit), peer, ratio, bound(w, w.Asked), bound(w, w.Aim), v.word, near)
	}
	fmt.Fprintf(out, "\nEvery figure: the median of the rounds, and in brackets the least and the most. What is in italics is shown beside.\n\n")
	fmt.Fprintf(out, "| workload | |\n|---|---|\n")
	for _, w := range ws {
		var cells []string
		for _, e := range w.Entrants {
			name := e.Name
			if e.Beside != "" {
				name = "*" + name + "*"
			}
			cells = append(cells, name+" "+spread(results[w.Name][e.Name], w.Unit))
		}
		fmt.Fprintf(out, "| %s | %s |\n", w.Name, strings.Join(cells, "; "))
	}
	fmt.Fprintf(out, "\nShown beside, not compared against:\n\n")
	for _, s := range collect(ws, func(w Workload, add func(what, why string)) {
		for _, e := range w.Entrants {
			if e.Beside != "" {
				add(e.Name, e.Beside)
			}
		}
	}) {
		fmt.Fprintf(out, "- %s.\n", s)
	}
	fmt.Fprintf(out, "\nLeft out:\n\n")
	for _, s := range collect(ws, func(w Workload, add func(what, why string)) {
		if w.LeftOut != "" {
			add(w.Name, w.LeftOut)
		}
	}) {
		fmt.Fprintf(out, "- %s\n", s)
	}
}

// The marks in a page, between which the tables stand.
const (
	tablesBegin = "<!-- tables -->\n"
	tablesEnd   = "<!-- end of tables -->\n"
)

// Splice puts the tables into a page in the place of those that it has; a page
// without the marks becomes the tables alone.
func Splice(page, tables string) string {
	before, rest, begun := strings.Cut(page, tablesBegin)
	_, after, ended := strings.Cut(rest, tablesEnd)
	if !begun || !ended {
		return tables
	}
	return before + tablesBegin + "\n" + tables + "\n" + tablesEnd + after
}

// collect gathers what has the same reason: "a, b: the reason".
func collect(ws []Workload, each func(w Workload, add func(what, why string))) (lines []string) {
	var reasons []string
	of := map[string][]string{}
	for _, w := range ws {
		each(w, func(what, why string) {
			if of[why] == nil {
				reasons = append(reasons, why)
			}
			if !slices.Contains(of[why], what) {
				of[why] = append(of[why], what)
			}
		})
	}
	for _, why := range reasons {
		lines = append(lines, strings.Join(of[why], ", ")+": "+why)
	}
	return lines
}

func ratioOf(v verdict) string {
	if v.ratio < 0.01 {
		return fmt.Sprintf("%.1g", v.ratio)
	}
	return fmt.Sprintf("%.2f", v.ratio)
}

func bound(w Workload, v float64) string {
	switch {
	case v == 0 && !w.Absolute:
		return "–"
	case w.Absolute:
		by, suffix := scale(v, w.Unit)
		return fmt.Sprintf("%g%s", v/by, suffix)
	}
	return fmt.Sprintf("%g", v)
}

// spread is the median of values, and the least and the most of them.
func spread(values []float64, unit string) string {
	if len(values) == 0 {
		return "failed"
	}
	m := median(values)
	by, _ := scale(m, unit)
	return fmt.Sprintf("%s (%s–%s)", figure(m, unit), digits(slices.Min(values)/by), digits(slices.Max(values)/by))
}

// figure is a value with its unit, in three digits.
func figure(v float64, unit string) string {
	if math.IsNaN(v) {
		return "–"
	}
	by, suffix := scale(v, unit)
	return digits(v/by) + suffix
}

// scale is what a value is divided by to be read easily, and what then stands
// behind it.
func scale(v float64, unit string) (by float64, suffix string) {
	switch {
	case unit == "B/task":
		return 1, " B"
	case unit == "allocs/op", unit == "ratio":
		return 1, ""
	case unit == "req/s":
		return 1, "/s"
	case v < 1e3:
		return 1, " ns"
	case v < 1e6:
		return 1e3, " µs"
	}
	return 1e6, " ms"
}

func digits(v float64) string {
	switch {
	case v < 1:
		return fmt.Sprintf("%.3f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
