package lanes

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// So many calls: few enough for a test, and enough that the first burst of 100, of which nobody knows better, is a
// fortieth of them.
const calls = 4000

func play(t *testing.T, c client, k kind, d dialect, workers int) (o outcome) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { o = c(newServer(k, d, 1), k, workers, calls) })
	return o
}

// unmet is what is not within what is asked, and why.
var unmet = map[string]string{
	"no burst, 5/s, X-RateLimit": "it says whole seconds: nothing remains for one, where 0.2 s are meant",
	"no burst, 5/s, RateLimit":   "it says whole seconds: one call in one, where five are meant",
	"no burst, 5/s, durations":   "nothing remains after each call, and what comes next is asked before more go: 0.3 s instead of 0.2",
	"8 at once, X-RateLimit":     "a refusal asks for a second, the time of a hundred calls, and has to be tried for",
	"8 at once, RateLimit":       "the same",
	"8 at once, durations":       "the same",
	"8 at once, Retry-After":     "the same",
}

// inFull says whether the whole table is asked for, as by make lanes: else it is a
// third of it, and of the lanes alone.
func inFull() bool { return os.Getenv("LANES") == "1" }

// TestTable makes the table in core/bench/README.md. A lane is to be within 1.10 of the ideal, and no more than a burst
// refused, where the server says what its limit is; and where it does not, 1.5 and 5 %. The ideal is what the better
// informed of two takes: the client that the server keeps waiting, or, of a limit that is shared, the one that was told
// its share.
func TestTable(t *testing.T) {
	fmt.Print("| server | workers | ideal | by hand |")
	dialects := []dialect{fields, ietf, exact, retry, silent}
	for _, d := range dialects {
		fmt.Printf(" %s |", d)
	}
	fmt.Print(" failsafe-go | backoff |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, k := range kinds {
		for _, workers := range []int{1, 10, 100} {
			if workers != 10 && !inFull() {
				continue
			}
			best := play(t, ideal, k, silent, workers)
			hand := play(t, byHand, k, silent, workers)
			bar := max(best.took, hand.took)
			cell := func(o outcome) {
				fmt.Printf(" %.2f, %.1f %%, %d", o.took.Seconds()/best.took.Seconds(), 100*float64(o.refused)/float64(o.calls), o.used)
				if o.failed > 0 {
					fmt.Printf(", %d failed", o.failed)
				}
				fmt.Print(" |")
			}
			fmt.Printf("| %s | %d | %.0f s |", k.name, workers, best.took.Seconds())
			cell(hand)
			for _, d := range dialects {
				o := play(t, lane, k, d, workers)
				cell(o)
				most, refused := 1.10, max(workers, calls/100)
				if d == retry || d == silent {
					most, refused = 1.5, o.calls/20
				}
				if _, known := unmet[fmt.Sprintf("%s, %s", k.name, d)]; !known && (o.took > time.Duration(most*float64(bar)) || o.refused > refused || o.failed > 0) {
					t.Errorf("%s, %d workers, %s: took %v, want %.2f of %v; %d refused, want %d; %d failed", k.name, workers, d, o.took, most, bar, o.refused, refused, o.failed)
				}
			}
			if inFull() {
				cell(play(t, failsafe, k, silent, workers))
				cell(play(t, backoff, k, silent, workers))
			}
			fmt.Println()
		}
	}
}
