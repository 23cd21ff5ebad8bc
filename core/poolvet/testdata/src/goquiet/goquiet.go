// Package goquiet has go statements that are no fault, or not one to be sure of.
package goquiet

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/elite-libs/taskpool/core"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"
)

type key struct{}

func work(ctx context.Context) error { return nil }
func use(v ...any)                   {}
func userOf(r *http.Request) string  { return "" }

func nothingOfTheRequest(w http.ResponseWriter, r *http.Request) {
	id, user := r.PathValue("id"), userOf(r)
	go use(id, user)
	go use(r.URL.Path, r.Header.Get("X"), userOf(r), r.Context().Value(key{}), r.Context().Err())
	go func() { use(r.URL.Path, r.Header, r.Method, r.Host, r.RemoteAddr, r.PathValue("id"), r.UserAgent()) }()
	go func() { work(context.Background()) }()
	go func(ctx context.Context) { work(ctx) }(context.Background())
}

func decided(w http.ResponseWriter, r *http.Request) {
	go work(context.WithoutCancel(r.Context()))
	go func() { work(context.WithoutCancel(r.Context())) }()
	ctx := context.WithoutCancel(r.Context())
	go work(ctx)
	timed, cancel := context.WithTimeout(ctx, time.Second)
	go func() { defer cancel(); work(timed) }()
	own := r.Context()
	own = context.WithoutCancel(own)
	go work(own)
	either := context.Background()
	if r.Method == http.MethodGet {
		either = r.Context()
	}
	go work(either)
	go use(r.Clone(ctx), r.WithContext(context.Background()))
	one := r.Context()
	for _, one = range []context.Context{ctx} {
	}
	go work(one)
	two := r.Context()
	for two = range make(chan context.Context) {
	}
	go work(two)
	req := r.WithContext(ctx)
	go use(req)
}

func readsValues(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	go func() {
		slog.InfoContext(ctx, "begun")
		use(ctx.Value(key{}))
		use(taskpool.FromContext(ctx).Add(work))
	}()
}

func parameter(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	go work(ctx)
	if ctx == nil {
		ctx = r.Context()
	}
	go work(ctx)
}

func group(w http.ResponseWriter, r *http.Request) {
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			work(r.Context())
		}()
	}
	wg.Wait()
	wg.Go(func() { work(r.Context()) })
}

type errGroup struct{}

func (g *errGroup) Go(fn func() error) {}
func (g *errGroup) Wait() error        { return nil }

func groups(w http.ResponseWriter, r *http.Request) error {
	var g errGroup
	g.Go(func() error { return work(r.Context()) })
	return g.Wait()
}

func received(w http.ResponseWriter, r *http.Request) {
	errs := make(chan error, 1)
	go func() { errs <- work(r.Context()) }()
	if err := <-errs; err != nil {
		http.Error(w, err.Error(), 500)
	}
}

func receivedInOrder(w http.ResponseWriter, r *http.Request) error {
	errs := make(chan error, 1)
	go func() { errs <- work(r.Context()) }()
	return <-errs
}

func selected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			next.ServeHTTP(w, r.WithContext(ctx))
		}()
		select {
		case <-done:
		case <-ctx.Done():
			w.WriteHeader(http.StatusGatewayTimeout)
		}
	})
}

func ranged(w http.ResponseWriter, r *http.Request) {
	lines := make(chan string)
	go produce(r.Context(), lines)
	for line := range lines {
		fmt.Fprintln(w, line)
	}
}

func produce(ctx context.Context, lines chan<- string) { close(lines) }

func handedOn(w http.ResponseWriter, r *http.Request) {
	lines := make(chan string)
	go produce(r.Context(), lines)
	render(w, lines)
}

func render(w io.Writer, lines <-chan string) {}

func waitedForInDefer(w http.ResponseWriter, r *http.Request) {
	done := make(chan struct{})
	defer func() { <-done }()
	go func() {
		defer close(done)
		work(r.Context())
	}()
}

func groupInDefer(w http.ResponseWriter, r *http.Request) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if r.Method == http.MethodPost {
		wg.Add(1)
		go func() { defer wg.Done(); work(r.Context()) }()
	}
}

type worker struct {
	out  chan string
	done chan struct{}
}

func (w *worker) run(ctx context.Context) { close(w.done) }
func (w *worker) ended() <-chan struct{}  { return w.done }

func byItsMethods(w http.ResponseWriter, r *http.Request) {
	out := make(chan string)
	runner := &worker{out: out}
	go runner.run(r.Context())
	for line := range out {
		fmt.Fprintln(w, line)
	}
}

func byItsResult(w http.ResponseWriter, r *http.Request) {
	runner := &worker{}
	go runner.run(r.Context())
	for range runner.ended() {
	}
}

func byItsField(w http.ResponseWriter, r *http.Request) {
	runner := &worker{done: make(chan struct{})}
	ended := runner.ended()
	go runner.run(r.Context())
	<-ended
}

func byAFunction(w http.ResponseWriter, r *http.Request) {
	done := make(chan struct{})
	fn := func() {
		defer close(done)
		work(r.Context())
	}
	go fn()
	<-done
}

// It returns when the request ends, as the goroutine does.
func untilTheEnd(w http.ResponseWriter, r *http.Request) {
	go work(r.Context())
	<-r.Context().Done()
}

func forEver(w http.ResponseWriter, r *http.Request) {
	go work(r.Context())
	select {}
}

func inALiteral(w http.ResponseWriter, r *http.Request) {
	done := make(chan struct{})
	func() {
		go func() { defer close(done); work(r.Context()) }()
	}()
	<-done
}

func piped(w http.ResponseWriter, r *http.Request) {
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(work(r.Context())) }()
	io.Copy(w, pr)
}

func watched(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	go func() {
		<-ctx.Done()
		use("the client has gone", ctx.Err())
	}()
}

func meantToEnd(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	gone := make(chan bool)
	go func() {
		select {
		case <-gone:
			cancel()
		case <-ctx.Done():
			use(context.Cause(ctx))
		}
	}()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
				use("tick")
			}
		}
	}()
}

// The rule is about contexts. (That the body is closed does not harm this one.)
func theBody(w http.ResponseWriter, r *http.Request) {
	go io.Copy(io.Discard, r.Body)
	go func() { use(r.FormValue("id"), r.Body) }()
}

// Who gets the request alone may be on the way out, or in the middle of a server.
func passedOn(r *http.Request) {
	go use(r)
	go func() { use(r) }()
}

func socket(w http.ResponseWriter, r *http.Request) {
	go work(r.Context())
	for {
		if _, err := fmt.Fprintln(w, "event"); err != nil {
			return
		}
	}
}

func around(w http.ResponseWriter, r *http.Request) {
	for {
		if _, err := fmt.Fprintln(w, "event"); err != nil {
			return
		}
		go work(r.Context())
	}
}

func ginCopy(c *gin.Context) {
	cp := c.Copy()
	go func() { use(cp.Param("id"), cp.GetString("user"), cp.Request.URL.Path) }()
	go use(c.Param("id"), c.Copy(), cp)
	c = c.Copy()
	go use(c)
	if c.Request.Context().Err() != nil {
		return
	}
}

func echoValues(c echo.Context) error {
	go use(c.Param("id"), c.Request().Header.Get("X"))
	return nil
}

func fiberValues(c *fiber.Ctx) error {
	n, _ := c.ParamsInt("n")
	go use(n, c.IP())
	return nil
}

func noHandler(ctx context.Context) {
	go work(ctx)
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	go use(r, r.Context())
}
