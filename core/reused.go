package taskpool

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// Reused names a key that only the framework's own contexts answer, and what is
// derived from them: adapters of frameworks that use their contexts again call it
// right after Begin. Where a scope is then taken from such a context, its tasks
// get the values of the context that Begin was given instead, and if that is one
// too, none: they would read another request's.
//
// Where those contexts do not hand on what others ask them for, as Gin's, find tells
// FromContext the scope by the value of the key; else it is nil. It is called by whoever
// calls FromContext. The first one that is given for a key counts, and is kept for as
// long as the program runs.
func (x Exchange) Reused(key any, find func(value any) Scope) {
	if x.scope == nil || x.joined != nil || key == nil {
		return
	}
	x.scope.framework = frameworkOf(key, find)
	if x.scope.framework.owns(x.scope.request) {
		x.scope.valueless = true
	}
}

// isReused reports whether ctx is itself a framework's context: fasthttp's RequestCtx, which fasthttpadaptor gives to the
// handlers of net/http that are mounted in Fiber, a Ctx of Fiber 3 or Gin's Context. No adapter may be there to say so.
// What is derived from one is not known.
func isReused(ctx context.Context) bool {
	switch ctx.(type) {
	case interface{ SetUserValue(key, value any) }, interface {
		Locals(key any, value ...any) any
	}, interface{ AbortWithStatus(code int) }:
		return true
	}
	return false
}

// A reusedContext answers for such a context that it is one, and for what is derived from it.
type reusedContext struct{ context.Context }

type reusedKey struct{}

func (c reusedContext) Value(key any) any {
	if key == (reusedKey{}) {
		return true
	}
	return c.Context.Value(key)
}

// A framework is one that uses its contexts again: its place in frameworks, plus one.
// A scope has no room for its key.
type framework uint8

// anyFramework is one of which the key is not known: there are a handful in the world,
// and room for more. Any context may be its own.
const anyFramework = math.MaxUint8

type reusing struct {
	key  any // that its contexts answer
	find func(value any) Scope
}

var frameworks struct {
	mu  sync.Mutex // of those who add to them
	all atomic.Pointer[[]reusing]
}

func knownFrameworks() []reusing {
	if all := frameworks.all.Load(); all != nil {
		return *all
	}
	return nil
}

func frameworkOf(key any, find func(value any) Scope) framework {
	if f := placeOf(key); f != 0 {
		return f
	}
	frameworks.mu.Lock()
	defer frameworks.mu.Unlock()
	if f := placeOf(key); f != 0 {
		return f
	}
	all := knownFrameworks()
	if len(all)+1 == anyFramework {
		return anyFramework
	}
	all = append(slices.Clone(all), reusing{key, find})
	frameworks.all.Store(&all)
	return framework(len(all))
}

// placeOf is the framework of a key; 0 if it is not known.
func placeOf(key any) framework {
	for i, f := range knownFrameworks() {
		if f.key == key {
			return framework(i + 1)
		}
	}
	return 0
}

// owns reports whether ctx is one of the framework's contexts, or derived from one.
func (f framework) owns(ctx context.Context) bool {
	switch f {
	case 0:
		return false
	case anyFramework:
		return true
	}
	return ctx.Value(knownFrameworks()[f-1].key) != nil
}

// foundIn is the scope that a framework finds in ctx; nil if there is none.
func foundIn(ctx context.Context) *scope {
	if ctx == nil {
		return nil
	}
	for _, f := range knownFrameworks() {
		if f.find == nil {
			continue
		}
		if v := ctx.Value(f.key); v != nil {
			if s := f.find(v).scope; s != nil {
				return s
			}
		}
	}
	return nil
}
