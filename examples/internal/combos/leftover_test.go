package combos_test

import (
	"os"
	"testing"
	"time"
)

// A server removes the files of a form beside the client's reading of the response.
func TestUploadsLeaveNoFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	run(t, []combo{
		{name: "Gin", requests: uploads(), build: (*party).formInGin},
		{name: "Echo", requests: uploads(), build: (*party).formInEcho},
		{name: "Fiber", requests: uploads(), app: (*party).formInFiber},
		{name: "Fiber 3", requests: uploads(), app3: (*party).formInFiber3},
	})
	var left []os.DirEntry
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		var err error
		if left, err = os.ReadDir(dir); err != nil || len(left) == 0 {
			return
		}
	}
	t.Fatalf("%d files are left of uploads, such as %s", len(left), left[0].Name())
}
