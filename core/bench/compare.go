package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A Comparison runs workloads, each entrant in a process of its own, so that
// what one leaves behind (goroutines, a grown heap, a tuned collector) does not
// reach the next. Rounds go through all workloads, and within a workload through
// its entrants in random order: a busy minute of the machine hits all alike.
type Comparison struct {
	Workloads []Workload
	Rounds    int
	Limit     time.Duration // of one process; 0 is a minute
	// Child is the command that measures one entrant and writes its line to stdout.
	Child func(ctx context.Context, w Workload, e Entrant) *exec.Cmd
	Lines io.Writer // what the children wrote, for benchstat; may be nil
	Log   io.Writer // progress and what went wrong; may be nil
}

// Results are the figures of a comparison, one for each round, by workload and
// entrant.
type Results map[string]map[string][]float64

// Run runs the comparison. An entrant that failed, or lost a task, has no figure
// for that round, and the error names it.
func (c Comparison) Run(ctx context.Context) (Results, error) {
	if c.Lines == nil {
		c.Lines = io.Discard
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	fmt.Fprintf(c.Lines, "goos: %s\ngoarch: %s\npkg: github.com/elite-libs/taskpool/core/bench\n", runtime.GOOS, runtime.GOARCH)
	results := Results{}
	var failed []string
	for round := range c.Rounds {
		fmt.Fprintf(c.Log, "round %d of %d\n", round+1, c.Rounds)
		for _, w := range c.Workloads {
			if results[w.Name] == nil {
				results[w.Name] = map[string][]float64{}
			}
			for _, i := range rand.Perm(len(w.Entrants)) {
				e := w.Entrants[i]
				s, value, err := c.child(ctx, w, e)
				if ctx.Err() != nil {
					return results, context.Cause(ctx)
				}
				if err != nil {
					fmt.Fprintf(c.Log, "%s: %s: %v\n", w.Name, e.Name, err)
					failed = append(failed, w.Name+": "+e.Name)
					continue
				}
				fmt.Fprintln(c.Lines, s)
				results[w.Name][e.Name] = append(results[w.Name][e.Name], value)
			}
		}
	}
	if failed != nil {
		return results, fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return results, nil
}

// child measures one entrant in a process of its own.
func (c Comparison) child(ctx context.Context, w Workload, e Entrant) (string, float64, error) {
	limit := c.Limit
	if limit <= 0 {
		limit = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := c.Child(ctx, w, e)
	if w.Procs > 0 {
		cmd.Env = append(cmd.Environ(), "GOMAXPROCS="+strconv.Itoa(w.Procs))
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", 0, fmt.Errorf("%w: %s", err, firstLine(stderr.String()))
	}
	s := firstLine(stdout.String())
	value, err := parseLine(s)
	return s, value, err
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// Measure takes the figure of one entrant in this process, and returns its line.
func Measure(workload, entrant string, r Run) (string, error) {
	for _, w := range Workloads() {
		for _, e := range w.Entrants {
			if w.Name != workload || e.Name != entrant {
				continue
			}
			value, err := e.measure(r)
			if err != nil {
				return "", err
			}
			return line(w, e, value), nil
		}
	}
	return "", fmt.Errorf("no entrant %q in a workload %q", entrant, workload)
}
