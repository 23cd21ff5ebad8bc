package pooltest_test

import (
	"testing"

	"github.com/elite-libs/taskpool/core/pooltest"
)

func TestCorrectAdapterConforms(t *testing.T) {
	pooltest.Test(t, adapter("untracked", observe), exact("tracked", observe),
		recoveringInside(), recoveringOutside(observe), buffering(noMistake))
}
