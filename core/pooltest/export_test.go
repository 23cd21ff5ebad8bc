package pooltest

import (
	"testing"
	"time"
)

// Checks gives the kit's own tests each check by its name.
func Checks(a Adapter, patience time.Duration, each func(name string, run func(t testing.TB))) {
	for _, c := range checks(a) {
		each(c.name, func(t testing.TB) { c.run(newRun(t, a, patience)) })
	}
}

// PerRequestToo are the names of the checks that are run with a PerRequest, too.
var PerRequestToo = perRequestToo
