package pooltest_test

import (
	"testing"

	"github.com/elite-libs/taskpool/core/pooltest"
)

// The small adapters here leave out what takes all of package httppool: they are what
// these checks have to find, see faults. That an adapter can pass them is shown by
// those of net/http, Gin and Echo.
var leftOut = []string{
	"request/", "signal/", "http/controls of a writer that has some", "http/header written twice",
}

func TestCorrectAdapterConforms(t *testing.T) {
	pooltest.Except(t, leftOut, adapter("untracked", observe), exact("tracked", observe),
		recoveringInside(), recoveringOutside(observe), buffering(noMistake))
}
