package orders

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/memblob" // mem://
)

// OpenReceipts opens the place where receipts are stored, and writes to it once, so that a place which cannot be
// written is known at the start and not from the first customer's receipt. The target is the path of a directory,
// which is made if need be, or the URL of a bucket: mem:// or file:///path. Others are one import away in the main
// package, and not here because of what they bring along:
//
//	import _ "gocloud.dev/blob/s3blob"    // s3://bucket?region=eu-central-1
//	import _ "gocloud.dev/blob/gcsblob"   // gs://bucket
//	import _ "gocloud.dev/blob/azureblob" // azblob://container
//
// The caller closes the bucket, after the last task.
func OpenReceipts(ctx context.Context, target string) (*blob.Bucket, error) {
	bucket, err := openBucket(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("orders: receipts cannot be stored in %s: %w", target, err)
	}
	probe := ".probe-" + rand.Text()
	err = bucket.WriteAll(ctx, probe, nil, nil)
	if err == nil {
		err = bucket.Delete(ctx, probe)
	}
	if err != nil {
		bucket.Close() // what is wrong has been said
		return nil, fmt.Errorf("orders: receipts cannot be stored in %s: %w", target, err)
	}
	return bucket, nil
}

func openBucket(ctx context.Context, target string) (*blob.Bucket, error) {
	if strings.Contains(target, "://") {
		return blob.OpenBucket(ctx, target)
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return nil, err
	}
	return fileblob.OpenBucket(target, &fileblob.Options{
		// fileblob writes to a temporary file and renames it, which fails from one file system to another.
		NoTempDir: true,
		// No second file beside each receipt.
		Metadata: fileblob.MetadataDontWrite,
	})
}

// ReceiptKey is the key of an order's receipt in the bucket.
func ReceiptKey(id string) string { return id + ".txt" }

func (rec *record) receipt() []byte {
	return fmt.Appendf(nil, "Receipt  %s\nPlaced   %s\nCustomer %s\nItem     %s\nQuantity %d\n",
		rec.id, rec.placed.UTC().Format(time.RFC3339), rec.order.Customer, rec.order.Item, rec.order.Quantity)
}
