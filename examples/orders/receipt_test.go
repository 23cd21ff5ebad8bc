package orders_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/elite-libs/taskpool/examples/orders"
)

func TestOpenReceiptsMakesTheDirectoryAndLeavesNothingInIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	root, err := orders.OpenReceipts(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("got %v, %v, want an empty directory", files, err)
	}
}

func TestOpenReceiptsRefusesWhatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Below a regular file nobody can make a directory, not even root; nor can anybody write to /proc.
	for _, dir := range []string{file, filepath.Join(file, "below"), "/proc"} {
		_, err := orders.OpenReceipts(dir)
		if err == nil || !strings.HasPrefix(err.Error(), "orders: ") || strings.Count(err.Error(), dir) == 0 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want an error of one line that names it", dir, err)
		}
	}
}
