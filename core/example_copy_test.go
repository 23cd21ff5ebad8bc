package taskpool_test

import (
	"context"
	"fmt"

	"github.com/elite-libs/taskpool/core"
)

// A router keeps the matched route in the context of the request, and fills in the same one for the next request.
func ExampleCopyValue() {
	type routeKey struct{}
	type route struct{ id string }
	taskpool.CopyValue(routeKey{}, func(value any) any {
		matched := *value.(*route)
		return &matched
	})

	pool := taskpool.New(taskpool.Config{Workers: 1})
	pool.Pause()
	reused := &route{id: "ada"}
	ctx, exchange := pool.Begin(context.WithValue(context.Background(), routeKey{}, reused))
	_ = taskpool.FromContext(ctx).Add(func(ctx context.Context) error {
		fmt.Println(ctx.Value(routeKey{}).(*route).id)
		return nil
	})
	exchange.Returned(taskpool.Outcome{})
	exchange.Sent(taskpool.ReleaseFlushed)
	reused.id = "bob" // the next request

	pool.Resume()
	_, _ = pool.Done(context.Background())
	// Output: ada
}
