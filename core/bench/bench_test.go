package bench_test

import (
	"os"
	"strings"
	"testing"

	"github.com/elite-libs/taskpool/core/bench"
)

func TestEveryEntrantCompletesEveryWorkload(t *testing.T) {
	for _, w := range bench.Workloads() {
		for _, e := range w.Entrants {
			t.Run(w.Name+"/"+e.Name, func(t *testing.T) {
				s, err := bench.Measure(w.Name, e.Name, bench.Run{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := bench.ParseLine(s); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestWorkloadsAreNamedOnceAndMeasureTheEngine(t *testing.T) {
	names := map[string]bool{}
	for _, w := range bench.Workloads() {
		if names[w.Name] {
			t.Errorf("%s: there are two", w.Name)
		}
		names[w.Name] = true
		engines := 0
		for _, e := range w.Entrants {
			if e.Name == bench.Engine && e.Beside == "" {
				engines++
			}
		}
		if engines != 1 {
			t.Errorf("%s: got %d engines, want 1", w.Name, engines)
		}
	}
}

func TestLostTaskFailsTheMeasurement(t *testing.T) {
	for name, measure := range bench.SpoiledMeasures(func(i int) int { return min(i, 1) }) {
		if _, err := measure(bench.Run{}); err == nil || !strings.Contains(err.Error(), "ran 0 times") {
			t.Errorf("%s: got error %v, want one about a task that ran 0 times", name, err)
		}
	}
}

func TestTaskRunTwiceFailsTheMeasurement(t *testing.T) {
	for name, measure := range bench.SpoiledMeasures(func(i int) int { return 1 + i%2 }) {
		if _, err := measure(bench.Run{}); err == nil || !strings.Contains(err.Error(), "ran 2 times") {
			t.Errorf("%s: got error %v, want one about a task that ran 2 times", name, err)
		}
	}
}

func TestMeasureKnowsWhatThereIs(t *testing.T) {
	if _, err := bench.Measure("OneProducer/limit=4", "nobody", bench.Run{}); err == nil {
		t.Error("got no error for an entrant that there is not")
	}
}

func TestModulesAreRequired(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range bench.Modules {
		if !strings.Contains(string(mod), m+" v") {
			t.Errorf("go.mod does not require %s", m)
		}
	}
}
