package taskpool_test

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/elite-libs/taskpool/core"
)

// framework stands for a context that its framework uses again.
type framework struct{ context.Context }

func (f framework) Value(key any) any {
	if key == (frameworkKey{}) {
		return f
	}
	return f.Context.Value(key)
}

type frameworkKey struct{}

func TestTaskDoesNotGetTheValuesOfAContextThatIsReused(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	var seen trail
	ctx, s := begin(p, withUser(context.Background(), "request"))
	s.Reused(frameworkKey{}, nil)
	must(t, taskpool.FromContext(withUser(ctx, "kept")).Add(user(&seen)))
	must(t, taskpool.FromContext(withUser(framework{ctx}, "reused")).Add(user(&seen)))
	must(t, taskpool.FromContext(framework{ctx}).Submit(taskpool.Job{Run: user(&seen)}))
	drain(t, p)
	if got, want := seen.String(), "kept request request"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTaskGetsNoValuesIfTheRequestsOwnAreReused(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	var seen trail
	ctx, s := begin(p, withUser(framework{context.Background()}, "reused"))
	s.Reused(frameworkKey{}, nil)
	if got := ctx.Value(userKey{}); got != "reused" {
		t.Errorf("the handler sees %v, want its own value", got)
	}
	must(t, s.Add(user(&seen)))
	must(t, taskpool.FromContext(withUser(ctx, "derived")).Add(user(&seen)))
	drain(t, p)
	if got, want := seen.String(), "<nil> <nil>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Contexts of frameworks' own, by what they can do: nobody says that they are used again.
type (
	fasthttpContext struct{ context.Context }
	fiberContext    struct{ context.Context }
	ginContext      struct{ context.Context }
)

func (fasthttpContext) SetUserValue(_, _ any)       {}
func (fiberContext) Locals(_ any, _ ...any) (_ any) { return nil }
func (ginContext) AbortWithStatus(int)              {}

func TestTaskReadsNoContextOfAFrameworksOwn(t *testing.T) {
	user0 := withUser(context.Background(), "reused")
	for name, of := range map[string]context.Context{"fasthttp": fasthttpContext{user0}, "fiber": fiberContext{user0}, "gin": ginContext{user0}} {
		p := newPool(taskpool.Config{Workers: 1})
		var seen trail
		must(t, taskpool.Handle(of, p, func(ctx context.Context) error {
			equal(t, name+": the handler sees", ctx.Value(userKey{}), any("reused"))
			s := taskpool.FromContext(ctx)
			must(t, s.Add(user(&seen)))
			must(t, s.AfterResponse(user(&seen)))
			return taskpool.FromContext(withUser(ctx, "derived")).Submit(taskpool.Job{Run: user(&seen)})
		}))
		drain(t, p)
		equal(t, name+": the tasks see", seen.String(), "<nil> <nil> <nil>")
		ctx, s := begin(p, withUser(context.Background(), "request"))
		must(t, s.Add(nop))
		of = map[string]context.Context{"fasthttp": fasthttpContext{withUser(ctx, "reused")}, "fiber": fiberContext{withUser(ctx, "reused")}, "gin": ginContext{withUser(ctx, "reused")}}[name]
		must(t, taskpool.FromContext(of).Add(user(&seen)))
		drain(t, p)
		equal(t, name+": the tasks see", seen.String(), "<nil> <nil> <nil> request")
	}
}

// A muteContext answers for its own key alone, as Gin's does.
type muteContext struct {
	context.Context
	of taskpool.Scope
}

func (c muteContext) Value(key any) any {
	if key == (muteKey{}) {
		return c
	}
	return nil
}

type muteKey struct{}

func findMute(v any) taskpool.Scope { return v.(muteContext).of }

func TestFrameworkFindsItsScopeInContextsThatHandNothingOn(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	ctx, s := begin(p, withUser(context.Background(), "request"))
	s.Reused(muteKey{}, findMute)
	_, other := begin(p, context.Background())
	other.Reused(muteKey{}, func(any) taskpool.Scope { return other.Scope }) // too late: a framework finds in one way

	var seen trail
	mute := muteContext{ctx, s.Scope}
	must(t, taskpool.FromContext(mute).Add(user(&seen)))
	must(t, taskpool.FromContext(withUser(mute, "reused")).Add(user(&seen)))
	if err := taskpool.FromContext(muteContext{ctx, taskpool.Scope{}}).Add(nop); err == nil {
		t.Error("a task was accepted where there is no scope")
	}
	r, err := s.Drain(context.Background())
	must(t, err)
	equal(t, "succeeded", r.Succeeded, 2)
	if got, want := seen.String(), "request request"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Keys are to name frameworks. One who makes up a key for each request loses the values
// of contexts within the handler, and nothing else.
func TestKeysWithoutEndHarmNobody(t *testing.T) {
	if os.Getenv("MANY_KEYS") == "" { // what is known of frameworks lasts as long as the process
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), "MANY_KEYS=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	type key int
	p := newPool(taskpool.Config{Workers: 1})
	var derived, own trail
	var ctx context.Context
	var s opened
	for i := range 300 {
		ctx, s = begin(p, withUser(context.Background(), "request"))
		s.Reused(key(i), nil)
		must(t, s.Add(nop))
	}
	must(t, taskpool.FromContext(withUser(ctx, "derived")).Add(user(&derived)))
	_, first := begin(p, withUser(context.Background(), "request"))
	first.Reused(key(0), nil)
	must(t, first.Add(user(&own)))
	drain(t, p)
	if got, want := derived.String()+" "+own.String(), "<nil> request"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
