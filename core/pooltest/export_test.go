package pooltest

import (
	"slices"
	"strings"
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

// Except is Test without the checks whose names begin so.
func Except(t *testing.T, leftOut []string, adapters ...Adapter) {
	t.Helper()
	runEach(t, adapters, func(t *testing.T, a Adapter) {
		runChecks(t, a, slices.DeleteFunc(checks(a), func(c check) bool {
			return slices.ContainsFunc(leftOut, func(begin string) bool { return strings.HasPrefix(c.name, begin) })
		}))
	})
}
