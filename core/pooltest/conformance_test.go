package pooltest_test

import (
	"testing"

	"github.com/elite-libs/taskpool/core/pooltest"
)

func TestCorrectAdapterConforms(t *testing.T) {
	pooltest.Test(t, adapter("untracked", observe))
	pooltest.Test(t, exact("tracked", observe))
	pooltest.Test(t, recoveringInside())
	pooltest.Test(t, recoveringOutside(observe))
	pooltest.Test(t, buffering(noMistake))
}
