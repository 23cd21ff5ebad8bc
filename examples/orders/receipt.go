package orders

import (
	"crypto/rand"
	"fmt"
	"os"
	"time"
)

// OpenReceipts opens the directory where receipts are stored, which is made if need be, and writes to it once, so that
// one which cannot be written is known at the start and not from the first customer's receipt. The caller closes it,
// after the last task.
func OpenReceipts(dir string) (*os.Root, error) {
	root, err := openWritable(dir)
	if err != nil {
		return nil, fmt.Errorf("orders: receipts cannot be stored in %s: %w", dir, err)
	}
	return root, nil
}

func openWritable(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	probe := ".probe-" + rand.Text()
	err = root.WriteFile(probe, nil, 0o600)
	if err == nil {
		err = root.Remove(probe)
	}
	if err != nil {
		root.Close() // what is wrong is known
		return nil, err
	}
	return root, nil
}

// ReceiptFile is the name of an order's receipt in the directory.
func ReceiptFile(id string) string { return id + ".txt" }

// writeReceipt writes the receipt of an order so that nobody sees half of it, however often it is written.
func writeReceipt(dir *os.Root, id string, text []byte) error {
	unfinished := "." + id + "-" + rand.Text()
	err := dir.WriteFile(unfinished, text, 0o644)
	if err == nil {
		err = dir.Rename(unfinished, ReceiptFile(id))
	}
	if err != nil {
		_ = dir.Remove(unfinished)
	}
	return err
}

func (rec *record) receipt() []byte {
	return fmt.Appendf(nil, "Receipt  %s\nPlaced   %s\nCustomer %s\nItem     %s\nQuantity %d\n",
		rec.id, rec.placed.UTC().Format(time.RFC3339), rec.order.Customer, rec.order.Item, rec.order.Quantity)
}
