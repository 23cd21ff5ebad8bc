//go:build race

package taskpool_test

import "testing"

// underRace says that the race detector is on.
const underRace = true

// skipUnderRace skips a test of allocations: the race detector adds its own.
func skipUnderRace(t *testing.T) { t.Skip("the race detector allocates") }
