package poolpage_test

import (
	"context"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/poolpage"
)

// BenchmarkBeside is a plain task of a pool that no page shows, and of one that a page shows and nobody looks at.
func BenchmarkBeside(b *testing.B) {
	for _, shown := range []bool{false, true} {
		name := "without"
		if shown {
			name = "page"
		}
		b.Run(name, func(b *testing.B) {
			p := taskpool.New(taskpool.Config{Workers: 4, QueueLimit: -1})
			if shown {
				page := poolpage.New()
				page.Show("orders", p)
				defer page.Close()
			}
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Add(nop)
			}
			_, _ = p.Done(context.Background())
		})
	}
}
