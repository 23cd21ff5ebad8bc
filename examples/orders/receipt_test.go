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
	bucket, err := orders.OpenReceipts(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("got %v, %v, want an empty directory", files, err)
	}
	if err := bucket.WriteAll(t.Context(), orders.ReceiptKey("X"), []byte("text"), nil); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 || files[0].Name() != "X.txt" {
		t.Errorf("got %v, %v, want X.txt alone", files, err)
	}
}

func TestOpenReceiptsTakesAURL(t *testing.T) {
	for _, target := range []string{"mem://", "file://" + filepath.ToSlash(t.TempDir()) + "?no_tmp_dir=true"} {
		bucket, err := orders.OpenReceipts(t.Context(), target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		bucket.Close()
	}
}

func TestOpenReceiptsRefusesWhatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Below a regular file nobody can make a directory, not even root.
	for _, target := range []string{file, filepath.Join(file, "below"), "nowhere://bucket", "file:///no/such/place", "://"} {
		_, err := orders.OpenReceipts(t.Context(), target)
		if err == nil || !strings.HasPrefix(err.Error(), "orders: ") || !strings.Contains(err.Error(), target) {
			t.Errorf("%s: got %v, want an error that names it", target, err)
		}
	}
}
