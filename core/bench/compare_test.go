package bench_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/elite-libs/taskpool/core/bench"
)

// TestMain is also the child of a comparison: it prints what it is told to, or
// fails.
func TestMain(m *testing.M) {
	switch line := os.Getenv("BENCH_CHILD"); line {
	case "":
		os.Exit(m.Run())
	case "fail":
		fmt.Fprintln(os.Stderr, "a task was lost")
		os.Exit(1)
	default:
		fmt.Println(strings.ReplaceAll(line, "PROCS", os.Getenv("GOMAXPROCS")))
	}
}

// child answers for each entrant with the line that lines has for it.
func child(lines map[string]string) func(context.Context, bench.Workload, bench.Entrant) *exec.Cmd {
	return func(ctx context.Context, _ bench.Workload, e bench.Entrant) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), "BENCH_CHILD="+lines[e.Name])
		return cmd
	}
}

func TestComparisonTakesEachFigureOnceARound(t *testing.T) {
	var out strings.Builder
	results, err := bench.Comparison{
		Workloads: []bench.Workload{{Name: "W", Procs: 3, Entrants: entrants[:2]}},
		Rounds:    4,
		Child:     child(map[string]string{bench.Engine: "BenchmarkW/peer=engine 1 PROCS.5 ns/op", "slow": "BenchmarkW/peer=slow 1 7 ns/op"}),
		Lines:     &out,
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(results["W"][bench.Engine], results["W"]["slow"]); got != "[3.5 3.5 3.5 3.5] [7 7 7 7]" {
		t.Errorf("got %s", got)
	}
	if got := strings.Count(out.String(), "\nBenchmarkW/peer=engine 1 3.5 ns/op\n"); got < 1 {
		t.Errorf("got no line for benchstat in\n%s", out.String())
	}
}

func TestComparisonNamesWhatFailed(t *testing.T) {
	var log strings.Builder
	results, err := bench.Comparison{
		Workloads: []bench.Workload{{Name: "W", Entrants: entrants[:3]}},
		Rounds:    1,
		Child:     child(map[string]string{bench.Engine: "BenchmarkW/peer=engine 1 5 ns/op", "slow": "fail", "fast": "nonsense"}),
		Log:       &log,
	}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "W: slow") || !strings.Contains(err.Error(), "W: fast") {
		t.Errorf("got error %v, want one that names slow and fast", err)
	}
	if !strings.Contains(log.String(), "a task was lost") {
		t.Errorf("got log %q, want what the child said", log.String())
	}
	if got := results["W"]; len(got) != 1 || len(got[bench.Engine]) != 1 {
		t.Errorf("got %v, want the engine's figure alone", got)
	}
}

func TestComparisonEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := bench.Comparison{
		Workloads: []bench.Workload{{Name: "W", Entrants: entrants}},
		Rounds:    1,
		Child:     child(nil),
	}.Run(ctx)
	if err == nil {
		t.Error("got no error")
	}
}
