package bench_test

import (
	"strings"
	"testing"

	"github.com/elite-libs/taskpool/core/bench"
)

var entrants = []bench.Entrant{
	{Name: bench.Engine}, {Name: "slow"}, {Name: "fast"}, {Name: "raw", Beside: "a reference"},
}

func TestVerdict(t *testing.T) {
	ratio := bench.Workload{Unit: "ns/op", Asked: 0.6, Aim: 0.5, Entrants: entrants}
	more := bench.Workload{Unit: "req/s", Asked: 0.97, Aim: 0.99, More: true, Entrants: entrants}
	absolute := bench.Workload{Unit: "ns/op", Asked: 30, Aim: 20, Absolute: true, Entrants: entrants}
	whole := bench.Workload{Unit: "allocs/op", Absolute: true, Whole: true, Entrants: entrants[:1]}
	nothing := bench.Workload{Unit: "ns/op", Entrants: entrants}
	for _, c := range []struct {
		name   string
		w      bench.Workload
		engine []float64
		want   string
	}{
		{"ratio, aim", ratio, []float64{50}, "aim met"},
		{"ratio, asked", ratio, []float64{60}, "met"},
		{"ratio, neither", ratio, []float64{61}, "not met"},
		{"ratio of medians", ratio, []float64{1000, 50, 40}, "aim met"},
		{"more, aim", more, []float64{198}, "aim met"},
		{"more, asked", more, []float64{194}, "met"},
		{"more, neither", more, []float64{193}, "not met"},
		{"absolute, asked", absolute, []float64{30}, "met"},
		{"absolute, neither", absolute, []float64{31}, "not met"},
		{"whole", whole, []float64{0.02}, "aim met"},
		{"whole, not met", whole, []float64{1}, "not met"},
		{"nothing asked", nothing, []float64{1}, "–"},
		{"failed", ratio, nil, "failed"},
	} {
		results := map[string][]float64{bench.Engine: c.engine, "slow": {200}, "fast": {100}, "raw": {1}}
		word, peer, _ := bench.Verdict(c.w, results)
		if word != c.want {
			t.Errorf("%s: got %q, want %q", c.name, word, c.want)
		}
		want := "fast"
		if c.w.More {
			want = "slow" // it has the larger figure
		}
		if len(c.w.Entrants) > 1 && peer != want {
			t.Errorf("%s: got best peer %q, want %q", c.name, peer, want)
		}
	}
}

func TestRatioIsOfTheMedians(t *testing.T) {
	w := bench.Workload{Unit: "ns/op", Entrants: entrants}
	_, _, got := bench.Verdict(w, map[string][]float64{bench.Engine: {10, 30, 20}, "fast": {50, 30, 40}, "slow": {80}})
	if got != 0.5 {
		t.Errorf("got %v, want 0.5", got)
	}
}

func TestMarkdownHasEveryFigureAndReason(t *testing.T) {
	w := bench.Workload{
		Name: "Name/limit=4", Text: "the text", Unit: "ns/op", Asked: 0.6, Aim: 0.5, Near: 1.5,
		LeftOut:  "others: no such thing.",
		Entrants: append(entrants[:len(entrants):len(entrants)], bench.Entrant{Name: bench.Prototype, Beside: "the limit"}),
	}
	beyond := w
	beyond.Text, beyond.Near = "beyond", 1.3
	var out strings.Builder
	bench.Markdown(&out, []bench.Workload{w, beyond}, bench.Results{w.Name: {
		bench.Engine: {55, 50, 60}, "slow": {2500}, "fast": {100, 101, 99}, "raw": {7}, bench.Prototype: {40},
	}})
	for _, want := range []string{
		"| the text | 55.0 ns | fast, 100 ns | 0.55 | 0.6 | 0.5 | met | 1.38, 1.5 asked: met |",
		"| beyond | 55.0 ns | fast, 100 ns | 0.55 | 0.6 | 0.5 | met | 1.38, 1.3 asked: not met |",
		"| Name/limit=4 | engine 55.0 ns (50.0–60.0); slow 2.50 µs (2.50–2.50); fast 100 ns (99.0–101); *raw* 7.00 ns (7.00–7.00); *prototype* 40.0 ns (40.0–40.0) |",
		"- raw: a reference.",
		"- Name/limit=4: others: no such thing.",
	} {
		if !strings.Contains(out.String(), want+"\n") {
			t.Errorf("want the line\n%s\nin\n%s", want, out.String())
		}
	}
}

func TestSpliceReplacesTheTablesAlone(t *testing.T) {
	page := "above\n<!-- tables -->\nold\n<!-- end of tables -->\nbelow\n"
	want := "above\n<!-- tables -->\n\nnew\n\n<!-- end of tables -->\nbelow\n"
	if got := bench.Splice(page, "new\n"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := bench.Splice(want, "new\n"); got != want {
		t.Errorf("twice: got %q, want %q", got, want)
	}
	if got := bench.Splice("no marks", "new\n"); got != "new\n" {
		t.Errorf("without marks: got %q, want the tables", got)
	}
}
