//go:build race

package published_test

import (
	"fmt"
	"os"
	"testing"
)

// TestMain runs nothing under the race detector: what is tested here are processes, which are built without it.
func TestMain(*testing.M) {
	fmt.Println("not under the race detector, which sees nothing of the processes that are tested: make docs-check")
	os.Exit(0)
}
