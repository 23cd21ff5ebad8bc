package bench

import (
	"fmt"
	"strconv"
	"strings"
)

// line is a figure in the format of the testing package's benchmarks, which
// benchstat reads: `benchstat -col /peer` puts the peers side by side.
func line(w Workload, e Entrant, value float64) string {
	return fmt.Sprintf("Benchmark%s/peer=%s 1 %s %s", w.Name, e.Name, strconv.FormatFloat(value, 'g', 8, 64), w.Unit)
}

// parseLine takes the figure out of such a line.
func parseLine(s string) (float64, error) {
	fields := strings.Fields(s)
	if len(fields) != 4 || !strings.HasPrefix(s, "Benchmark") {
		return 0, fmt.Errorf("not the line of a benchmark: %q", s)
	}
	return strconv.ParseFloat(fields[2], 64)
}
