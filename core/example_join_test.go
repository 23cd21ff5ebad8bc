package taskpool_test

import (
	"context"
	"fmt"

	taskpool "github.com/elite-libs/taskpool/core"
)

// A process with two pools has one shutdown.
func ExampleJoinSources() {
	mail, thumbnails := taskpool.New(taskpool.Config{Workers: 2}), taskpool.New(taskpool.Config{Workers: 8})
	_ = mail.Add(func(context.Context) error { return nil })
	_ = thumbnails.Add(func(context.Context) error { return nil })

	// httppool.Serve(ctx, srv, taskpool.JoinSources(mail, thumbnails), limit) does this in the end.
	report, err := taskpool.JoinSources(mail, thumbnails).Done(context.Background())
	fmt.Println(report.Succeeded, err)
	// Output: 2 <nil>
}
