package httppool_test

import (
	"testing"

	"github.com/elite-libs/taskpool/core/pooltest"
)

// TestChaosSoak takes ten minutes with CHAOS=1, or as long as CHAOS_SOAK says.
func TestChaosSoak(t *testing.T) {
	all := adapters()
	pooltest.Soak(t, all[len(all)-1]) // the tracked one
}
