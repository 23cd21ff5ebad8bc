// The compare command measures the engine beside its peers and prints the table.
// It starts itself again for each figure: see bench.Comparison.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/elite-libs/taskpool/core/bench"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run() error {
	var (
		rounds   = flag.Int("rounds", 13, "how often each figure is taken")
		budget   = flag.Duration("budget", 100*time.Millisecond, "how long one process measures")
		scale    = flag.Float64("scale", 1, "of the number of tasks")
		full     = flag.Bool("full", false, "also the workloads that take long")
		only     = flag.String("workloads", "", "only those whose name matches this regular expression")
		lines    = flag.String("benchfmt", "", "write each figure to this file, for benchstat -col /peer")
		markdown = flag.String("markdown", "", "write the tables to this file too, between its marks for them if it has those")
		note     = flag.String("note", "", "a sentence to stand before the tables")
		one      = flag.String("measure", "", "measure the engine, or -as, in this workload and in this process")
		as       = flag.String("as", bench.Engine, "the entrant for -measure")
		profile  = flag.String("cpuprofile", "", "write a profile of -measure to this file")
	)
	flag.Parse()
	length := bench.Run{Scale: *scale, Budget: *budget}
	if *one != "" {
		return measure(*one, *as, length, *profile)
	}

	c, err := comparison(*only, *full)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.Rounds = *rounds
	c.Log = os.Stderr
	c.Child = func(ctx context.Context, w bench.Workload, e bench.Entrant) *exec.Cmd {
		return exec.CommandContext(ctx, self, "-measure", w.Name, "-as", e.Name,
			"-scale", fmt.Sprint(length.Scale), "-budget", length.Budget.String())
	}
	if *lines != "" {
		f, err := os.Create(*lines)
		if err != nil {
			return err
		}
		defer f.Close()
		c.Lines = f
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	results, failed := c.Run(ctx)

	var tables strings.Builder
	fmt.Fprintf(&tables, "%s, %s on %s/%s, %d processors, %d rounds of %v a figure. %s.\n%s\n\n", time.Now().Format(time.DateOnly),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), *rounds, *budget, peers(), *note)
	bench.Markdown(&tables, c.Workloads, results)
	fmt.Print(tables.String())
	if *markdown != "" {
		old, err := os.ReadFile(*markdown)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.WriteFile(*markdown, []byte(bench.Splice(string(old), tables.String())), 0o644); err != nil {
			return err
		}
	}
	return failed
}

// comparison is of the workloads whose name matches.
func comparison(only string, full bool) (c bench.Comparison, err error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return c, err
	}
	for _, w := range bench.Workloads() {
		if match.MatchString(w.Name) && (full || !w.Full) {
			c.Workloads = append(c.Workloads, w)
		}
	}
	if c.Workloads == nil {
		return c, fmt.Errorf("no workload matches %q", only)
	}
	return c, nil
}

// peers are bench.Modules and their versions.
func peers() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "versions unknown"
	}
	var list []string
	for _, m := range info.Deps {
		if slices.Contains(bench.Modules, m.Path) {
			list = append(list, m.Path+" "+m.Version)
		}
	}
	return strings.Join(list, ", ")
}

// measure takes one figure in this process.
func measure(workload, entrant string, length bench.Run, profile string) error {
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	line, err := bench.Measure(workload, entrant, length)
	if err != nil {
		return err
	}
	fmt.Println(line)
	return nil
}
