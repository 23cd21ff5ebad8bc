package pooltest_test

import (
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core/pooltest"
)

// A check that was renamed would be dropped in silence.
func TestChecksOnPerRequestExist(t *testing.T) {
	names := make(map[string]bool)
	for _, a := range []pooltest.Adapter{adapter("untracked", observe), exact("tracked", observe)} {
		pooltest.Checks(a, time.Second, func(name string, _ func(testing.TB)) { names[name] = true })
	}
	for _, name := range pooltest.PerRequestToo {
		if !names["per request/"+name] {
			t.Errorf("there is no check %q", name)
		}
	}
}
