package taskpool

import (
	"context"
	"sync/atomic"
)

// CopyValue tells of a value in the contexts of requests that its owner uses
// again for other requests, as a router may do with the parameters of a path:
// tasks find under key what fn made of the value when they were added, which is
// while the handler still owned it. A value of which fn makes nil, and one that
// was not seen when the task was added, tasks do not find at all; a nil fn hides
// every value. fn is called on the goroutine that adds, once for each call that
// adds, and is not called for values that are nil.
//
// It holds for the process, from the call on and for every pool; the first call for
// a key counts. It may be called at any time and from several goroutines.
// httppool.Middleware calls it for chi's route. httprouter uses its parameters again in
// the commits that followed v1.3.0; a program with one of them calls
// CopyValue(httprouter.ParamsKey, fn) with an fn that clones the Params.
func CopyValue(key any, fn func(value any) any) {
	for {
		was := copiers.Load()
		if copierOf(was, key) != nil {
			return
		}
		now := []copier{{key, fn}}
		if was != nil {
			now = append(now, *was...)
		}
		if copiers.CompareAndSwap(was, &now) {
			return
		}
	}
}

// copiers are the values that tasks see copies of; nil if there are none, so that
// who has none pays a load for each call that adds.
var copiers atomic.Pointer[[]copier]

type copier struct {
	key any
	fn  func(value any) any
}

func copierOf(all *[]copier, key any) *copier {
	if all == nil {
		return nil
	}
	for i := range *all {
		if c := &(*all)[i]; c.key == key {
			return c
		}
	}
	return nil
}

// A copiedValue is a context with a copy of one of its values.
type copiedValue struct {
	context.Context
	key, value any
}

func (c *copiedValue) Value(key any) any {
	if key == c.key {
		return c.value
	}
	return c.Context.Value(key)
}

// copied is ctx with copies of the values that are used again; nil stands for the
// scope's own context there.
func (s *scope) copied(ctx context.Context) context.Context {
	all := copiers.Load()
	if all == nil || ctx == nil && (s.valueless || s.request == nil) {
		return ctx
	}
	values := ctx
	if values == nil {
		values = s.request
	}
	// What the handler owned it owns no more when it has returned. The values of a
	// task's context are copies already, and hidden unless they are copied again.
	theirs := taskOf(values) == nil
	if theirs && !s.open() {
		return ctx
	}
	made, copied := values, false // contexts of callers may not be comparable
	for i := range *all {
		c := &(*all)[i]
		if c.fn == nil || hasCopy(made, c.key) {
			continue
		}
		if v := values.Value(c.key); v != nil {
			made, copied = &copiedValue{made, c.key, c.fn(v)}, true
		}
	}
	if !copied || theirs && !s.open() { // it returned meanwhile: the copy may be of another's
		return ctx
	}
	return made
}

// hasCopy reports whether ctx is one that copied made, with a copy for key.
func hasCopy(ctx context.Context, key any) bool {
	for {
		c, ok := ctx.(*copiedValue)
		if !ok || c.key == key {
			return ok
		}
		ctx = c.Context
	}
}

// copyOrNone is the value v that a task sees under key in ctx, unless it would be
// another request's by now.
func copyOrNone(ctx context.Context, key, v any) any {
	if v == nil || copierOf(copiers.Load(), key) == nil || hasCopy(ctx, key) {
		return v
	}
	return nil
}
