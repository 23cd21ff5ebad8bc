package taskpool_test

import (
	"context"
	"testing"

	"github.com/elite-libs/taskpool/core"
)

// A route is a value that its router uses again.
type route struct{ tenant string }

// newKey is a key of this run of the test alone: CopyValue holds for the process.
func newKey() any { return new(int) }

func withRoute(ctx context.Context, key any, tenant string) (context.Context, *route) {
	r := &route{tenant}
	return context.WithValue(ctx, key, r), r
}

func copyRoute(v any) any {
	r := *v.(*route)
	return &r
}

// tenant is a task that notes which tenant it finds, and whose user.
func tenant(seen *trail, key any) taskpool.Task {
	return func(ctx context.Context) error {
		if r, ok := ctx.Value(key).(*route); ok {
			seen.add("%s/%v", r.tenant, ctx.Value(userKey{}))
		} else {
			seen.add("none/%v", ctx.Value(userKey{}))
		}
		return nil
	}
}

// again is a task that adds another, and another by way of a context that it derives.
func again(next taskpool.Task) taskpool.Task {
	return func(ctx context.Context) error {
		if err := taskpool.FromContext(ctx).Add(next); err != nil {
			return err
		}
		return taskpool.FromContext(withUser(ctx, "derived")).Add(next)
	}
}

func TestTaskSeesAReusedValueAsItWasWhenItWasAdded(t *testing.T) {
	key := newKey()
	taskpool.CopyValue(key, copyRoute)
	for name, inside := range map[string]bool{"beneath the scope": false, "in a context that a router derives": true} {
		t.Run(name, func(t *testing.T) {
			p := newPool(taskpool.Config{Workers: 1})
			var seen trail
			ctx, r := withRoute(context.Background(), key, "ann")
			ctx, s := begin(p, ctx)
			if inside {
				ctx, s = begin(newPool(taskpool.Config{Workers: 1}), context.Background())
				ctx, r = withRoute(ctx, key, "ann")
			}
			scope := taskpool.FromContext(ctx)
			scope.Pool().Pause() // nothing runs before the value is another's
			must(t, scope.Add(tenant(&seen, key)))
			must(t, scope.AfterResponse(tenant(&seen, key)))
			must(t, scope.Submit(taskpool.Job{Run: tenant(&seen, key)}))
			taskpool.Async(scope, func(ctx context.Context) (int, error) { return 0, tenant(&seen, key)(ctx) })
			must(t, taskpool.FromContext(withUser(ctx, "inner")).Add(tenant(&seen, key)))
			must(t, scope.OnSuccess(again(again(tenant(&seen, key)))))
			r.tenant = "bob"
			must(t, scope.Add(tenant(&seen, key)))
			finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
			r.tenant = "eve"
			scope.Pool().Resume()
			must(t, drain(t, scope.Pool()).Err())
			equal(t, "seen", seen.sorted(), "ann/<nil> ann/<nil> ann/<nil> ann/<nil> ann/<nil> ann/derived ann/derived ann/derived ann/inner bob/<nil>")
		})
	}
}

func TestTaskDoesNotFindAReusedValueThatWasNotCopied(t *testing.T) {
	key := newKey()
	p := newPool(taskpool.Config{Workers: 1})
	var seen trail
	ctx, _ := withRoute(withUser(context.Background(), "ann"), key, "ann")
	ctx, s := begin(p, ctx)
	p.Pause()
	must(t, s.Add(tenant(&seen, key), again(tenant(&seen, key))))
	must(t, taskpool.FromContext(withUser(ctx, "inner")).Add(tenant(&seen, key)))
	taskpool.CopyValue(key, func(v any) any { // a router is met when its first request is on its way
		t.Error("what the handler owns no more is looked at")
		return v
	})
	finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	p.Resume()
	must(t, drain(t, p).Err())
	equal(t, "seen", seen.sorted(), "none/ann none/ann none/derived none/inner")
}

func TestCopyThatWasMadeAsTheHandlerReturnedIsNotUsed(t *testing.T) {
	key := newKey()
	p := newPool(taskpool.Config{Workers: 1})
	var seen trail
	ctx, _ := withRoute(context.Background(), key, "eve")
	_, s := begin(p, ctx)
	g := newGate()
	must(t, s.Add(func(ctx context.Context) error { // added before the key is known
		if err := g.task(ctx); err != nil {
			return err
		}
		return taskpool.FromContext(ctx).Add(tenant(&seen, key))
	}))
	taskpool.CopyValue(key, func(v any) any {
		finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
		return v
	})
	g.open()
	must(t, drain(t, p).Err())
	equal(t, "seen", seen.String(), "none/<nil>")
}

func TestReusedValueThatCannotBeCopiedIsHidden(t *testing.T) {
	key := newKey()
	taskpool.CopyValue(key, nil)
	taskpool.CopyValue(key, copyRoute) // the first call counts
	p := newPool(taskpool.Config{Workers: 1})
	var seen trail
	ctx, _ := withRoute(withUser(context.Background(), "ann"), key, "ann")
	ctx, s := begin(p, ctx)
	equal(t, "the handler's own", ctx.Value(key) != nil, true)
	must(t, s.Add(tenant(&seen, key)))
	drain(t, p)
	equal(t, "seen", seen.String(), "none/ann")
}

func TestSeveralReusedValuesAreCopied(t *testing.T) {
	one := newKey()
	two := newKey()
	taskpool.CopyValue(one, copyRoute)
	taskpool.CopyValue(two, copyRoute)
	p := newPool(taskpool.Config{Workers: 1})
	var seen trail
	ctx, first := withRoute(context.Background(), one, "ann")
	ctx, second := withRoute(ctx, two, "bob")
	_, s := begin(p, ctx)
	must(t, s.AfterResponse(tenant(&seen, one), tenant(&seen, two)))
	first.tenant, second.tenant = "eve", "eve"
	finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	drain(t, p)
	equal(t, "seen", seen.sorted(), "ann/<nil> bob/<nil>")
}
