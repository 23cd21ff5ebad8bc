package pooltest_test

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// The parts of faulty adapters.

// around is the correct middleware with something before or after it.
func around(outer func(next http.Handler, w http.ResponseWriter, r *http.Request)) middleware {
	return func(src taskpool.Source, next http.Handler) http.Handler {
		next = observe(src, next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { outer(next, w, r) })
	}
}

// within is the correct middleware with something between it and the handler.
func within(inner func(next http.Handler, w http.ResponseWriter, r *http.Request)) middleware {
	return func(src taskpool.Source, next http.Handler) http.Handler {
		return observe(src, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner(next, w, r) }))
	}
}

// armed is the correct middleware with another trigger.
func armed(arm func(base context.Context, x taskpool.Exchange)) middleware {
	return func(src taskpool.Source, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			serve(src, next, w, r, func(base context.Context, x taskpool.Exchange, _ bool) { arm(base, x) })
		})
	}
}

// on is the correct middleware on another source.
func on(replace func(src taskpool.Source) taskpool.Source) middleware {
	return func(src taskpool.Source, next http.Handler) http.Handler { return observe(replace(src), next) }
}

// A source begins scopes in its own way.
type source struct {
	taskpool.Source
	begin func(ctx context.Context) (context.Context, taskpool.Exchange)
}

func (s source) Begin(ctx context.Context) (context.Context, taskpool.Exchange) { return s.begin(ctx) }

// inline waits for the tasks where the response has yet to be sent.
func inline(_ context.Context, x taskpool.Exchange) {
	x.Sent(taskpool.ReleaseHandlerReturned)
	_, _ = x.Scope().Drain(context.Background())
}

// at releases when the middleware returns, whatever it says.
func at(r taskpool.Release) func(context.Context, taskpool.Exchange) {
	return func(_ context.Context, x taskpool.Exchange) { x.Sent(r) }
}

// beside releases beside the server's final flush, and says that it was after it.
func beside(base context.Context, x taskpool.Exchange) {
	context.AfterFunc(base, func() { x.Sent(taskpool.ReleaseFlushed) })
}

func never(context.Context, taskpool.Exchange) {}

// atClose is track that takes only the end of a connection for the end of a response.
func atClose(srv *http.Server) {
	track(srv)
	all := srv.ConnState
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			all(nc, state)
		}
	}
}

func flushAfter(next http.Handler, w http.ResponseWriter, r *http.Request) {
	next.ServeHTTP(w, r)
	w.(http.Flusher).Flush()
}

func addHeader(next http.Handler, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Pool", "yes")
	next.ServeHTTP(w, r)
}

func hideInterfaces(next http.Handler, w http.ResponseWriter, r *http.Request) {
	next.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
}

// hideReaderFrom has all that the server's writer has but sendfile.
func hideReaderFrom(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if w1, ok := w.(http1); ok {
		w = struct {
			common
			http.Hijacker
		}{w1, w1}
	}
	next.ServeHTTP(w, r)
}

// flushOnPanic sends what the end of the connection was to keep from the client.
func flushOnPanic(next http.Handler, w http.ResponseWriter, r *http.Request) {
	panicked := true
	defer func() {
		if panicked {
			w.(http.Flusher).Flush()
		}
	}()
	next.ServeHTTP(w, r)
	panicked = false
}

func loseBody(next http.Handler, w http.ResponseWriter, r *http.Request) {
	r.Body = http.NoBody
	next.ServeHTTP(w, r)
}

func readBody(next http.Handler, w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	next.ServeHTTP(w, r)
}

func swallow(next http.Handler, w http.ResponseWriter, r *http.Request) {
	defer func() { _ = recover() }()
	next.ServeHTTP(w, r)
}

func raiseAgain(next http.Handler, w http.ResponseWriter, r *http.Request) {
	defer func() {
		if v := recover(); v != nil {
			defer panic(v)
		}
	}()
	next.ServeHTTP(w, r)
}

// blind sees neither status nor hijacking.
func blind(src taskpool.Source, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, x := src.Begin(r.Context())
		defer func() {
			x.Returned(taskpool.Outcome{Status: http.StatusOK})
			context.AfterFunc(r.Context(), func() { x.Sent(taskpool.ReleaseHandlerReturned) })
		}()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// unaware sees the status, and no panic.
func unaware(src taskpool.Source, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, x := src.Begin(r.Context())
		seen := new(observed)
		defer func() {
			x.Returned(taskpool.Outcome{Status: cmp.Or(seen.status, http.StatusOK)})
			context.AfterFunc(r.Context(), func() { x.Sent(taskpool.ReleaseHandlerReturned) })
		}()
		next.ServeHTTP(seen.wrap(w), r.WithContext(ctx))
	})
}

type eagerKey struct{}

// eager releases the scope that it finds, whoever has begun it.
func eager(src taskpool.Source, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, x := src.Begin(r.Context())
		if outer, ok := ctx.Value(eagerKey{}).(taskpool.Exchange); ok {
			x = outer
		}
		defer func() {
			x.Returned(taskpool.Outcome{Status: http.StatusOK})
			x.Sent(taskpool.ReleaseHandlerReturned)
		}()
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, eagerKey{}, x)))
	})
}

// hasty takes the first WriteHeader for the status.
func hasty(src taskpool.Source, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, x := src.Begin(r.Context())
		first := &firstStatus{ResponseWriter: w}
		defer func() {
			x.Returned(taskpool.Outcome{Status: first.status})
			context.AfterFunc(r.Context(), func() { x.Sent(taskpool.ReleaseHandlerReturned) })
		}()
		next.ServeHTTP(first, r.WithContext(ctx))
	})
}

type firstStatus struct {
	http.ResponseWriter
	status int
}

func (w *firstStatus) WriteHeader(code int) {
	if w.status == 0 {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func canceled(src taskpool.Source) taskpool.Source {
	return source{src, taskpool.New(taskpool.Config{
		Logger: slog.New(slog.DiscardHandler),
		Hooks: taskpool.Hooks{Run: func(ctx context.Context, _ string, next taskpool.Task) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return next(ctx)
		}},
	}).Begin}
}

func withoutValues(src taskpool.Source) taskpool.Source {
	return source{src, func(context.Context) (context.Context, taskpool.Exchange) { return src.Begin(context.Background()) }}
}

func withoutCancel(src taskpool.Source) taskpool.Source {
	return source{src, func(ctx context.Context) (context.Context, taskpool.Exchange) {
		return src.Begin(context.WithoutCancel(ctx))
	}}
}

// valuesLost takes every context of the server for one that is reused.
func valuesLost(src taskpool.Source) taskpool.Source {
	return source{src, func(ctx context.Context) (context.Context, taskpool.Exchange) {
		ctx, x := src.Begin(ctx)
		x.Reused(http.ServerContextKey, nil)
		return ctx, x
	}}
}

// noSweep never tires of waiting for the end of a response.
func noSweep(src taskpool.Source) taskpool.Source {
	return source{src, taskpool.New(taskpool.Config{Grace: time.Hour, Logger: slog.New(slog.DiscardHandler)}).Begin}
}

// once leaves a request alone that has a scope.
func once(src taskpool.Source) taskpool.Source {
	return source{src, func(ctx context.Context) (context.Context, taskpool.Exchange) {
		if taskpool.FromContext(ctx).Pool() != nil {
			return ctx, taskpool.Exchange{}
		}
		return src.Begin(ctx)
	}}
}

func stranger(src taskpool.Source) taskpool.Source {
	return source{src, taskpool.New(taskpool.Config{Logger: slog.New(slog.DiscardHandler)}).Begin}
}

// perConnection takes the scope of the connection's first request for all.
func perConnection() middleware {
	var scopes sync.Map // remote address to begun
	type begun struct {
		ctx      context.Context
		exchange taskpool.Exchange
	}
	return func(src taskpool.Source, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v, _ := scopes.LoadOrStore(r.RemoteAddr, sync.OnceValue(func() begun {
				ctx, x := src.Begin(r.Context())
				return begun{ctx, x}
			}))
			b := v.(func() begun)()
			defer func() {
				b.exchange.Returned(taskpool.Outcome{Status: http.StatusOK})
				b.exchange.Sent(taskpool.ReleaseHandlerReturned)
			}()
			next.ServeHTTP(w, r.WithContext(b.ctx))
		})
	}
}

// abort ends the connection instead of the response.
func abort(next http.Handler, w http.ResponseWriter, r *http.Request) {
	next.ServeHTTP(w, r)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func closeAfter(next http.Handler, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	next.ServeHTTP(w, r)
}

// together releases when no handler is left running.
func together() middleware {
	var mu sync.Mutex
	var running int
	var waiting []taskpool.Exchange
	return func(src taskpool.Source, next http.Handler) http.Handler {
		trigger := armed(func(_ context.Context, x taskpool.Exchange) {
			mu.Lock()
			defer mu.Unlock()
			waiting = append(waiting, x)
		})(src, next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			count := func(n int) {
				mu.Lock()
				defer mu.Unlock()
				if running += n; running == 0 {
					for _, x := range waiting {
						x.Sent(taskpool.ReleaseHandlerReturned)
					}
					waiting = nil
				}
			}
			count(1)
			defer count(-1)
			trigger.ServeHTTP(w, r)
		})
	}
}

// cloneRequest gives the handler trailers of its own, which nobody fills in.
func cloneRequest(next http.Handler, w http.ResponseWriter, r *http.Request) {
	next.ServeHTTP(w, r.Clone(r.Context()))
}

// thief waits for the server's notification of the end of a stream, of which there is one.
func thief(src taskpool.Source, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve(src, next, w, r, func(base context.Context, x taskpool.Exchange, _ bool) {
			if r.ProtoMajor != 2 {
				context.AfterFunc(base, func() { x.Sent(taskpool.ReleaseHandlerReturned) })
				return
			}
			closed := w.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // nothing else tells
			go func() {
				<-closed
				x.Sent(taskpool.ReleaseStreamClosed)
			}()
		})
	})
}
