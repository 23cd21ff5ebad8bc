package pooltest

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// inChaos says that there is time for the long form of what is random.
var inChaos = os.Getenv("CHAOS") == "1"

// seed is that of all random choices of a check. The order in which things happen
// is the machine's.
func (r *run) seed() uint64 {
	r.Helper()
	seed := uint64(time.Now().UnixNano()) % 1e6
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			r.Fatal(err)
		}
	}
	r.Logf("repeat with CHAOS_SEED=%d", seed)
	return seed
}

// Chaos runs the long form of the hostile check of [Test] on each adapter, with
// thousands of requests each, if the environment has CHAOS=1; otherwise it skips,
// for Test runs the short form. CHAOS_SEED repeats the choices of a run.
func Chaos(t *testing.T, adapters ...Adapter) {
	t.Helper()
	if !inChaos {
		t.Skip("CHAOS=1 runs it; the short form is one of the checks of pooltest.Test")
	}
	runEach(t, adapters, func(t *testing.T, a Adapter) {
		r := newRun(t, a, 3*patience)
		r.long = true
		hostile(r)
	})
}
