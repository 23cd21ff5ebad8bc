package pooltest_test

import (
	"net/http"

	"github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
)

// recovery is what frameworks have against panics.
func recovery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				http.Error(w, "recovered", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// recoveringInside is the correct adapter with a recovery inside of it.
func recoveringInside() pooltest.Adapter {
	a := adapter("recovery inside", observe)
	a.Recovery = pooltest.RecoveryInside
	a.Handler = func(h pooltest.Handler, srcs ...taskpool.Source) http.Handler {
		return middleware(observe).install(recovery(pooltest.HTTP(h)), srcs)
	}
	return a
}

// recoveringOutside is an adapter with a recovery around it.
func recoveringOutside(m middleware) pooltest.Adapter {
	a := exact("recovery outside", m)
	a.Recovery = pooltest.RecoveryOutside
	a.Handler = func(h pooltest.Handler, srcs ...taskpool.Source) http.Handler {
		return recovery(m.install(pooltest.HTTP(h), srcs))
	}
	return a
}
