package httppool_test

import (
	"net/http"
	"slices"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

func adapters() []pooltest.Adapter {
	untracked := pooltest.Adapter{
		Name: "untracked",
		Handler: func(h pooltest.Handler, srcs ...taskpool.Source) http.Handler {
			next := pooltest.HTTP(h)
			for _, src := range slices.Backward(srcs) {
				next = httppool.Middleware(src)(next)
			}
			return next
		},
		Release: taskpool.ReleaseHandlerReturned,
		HTTP2:   taskpool.ReleaseStreamClosed,
		Hijack:  taskpool.ReleaseHandlerReturned,
	}
	tracked := untracked
	tracked.Name, tracked.Release, tracked.Server = "tracked", taskpool.ReleaseFlushed, httppool.Track
	return []pooltest.Adapter{untracked, tracked}
}

func TestConformance(t *testing.T)  { pooltest.Test(t, adapters()...) }
func TestChaosHostile(t *testing.T) { pooltest.Chaos(t, adapters()...) }
