package echopool_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	echopool "github.com/elite-libs/taskpool/echo"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// Middlewares that stand outside put back the writer that they had found before the error is
// rendered. The grace is an hour: what is released by the sweep hangs the test.
func TestOutcomeHasTheStatusThatWentPastTheWriter(t *testing.T) {
	fails := func(echo.Context) error { return echo.ErrConflict }
	panics := func(echo.Context) error { panic("broken") }
	timeout := middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: time.Minute}) //nolint:staticcheck // people stack it
	for _, tt := range []struct {
		name    string
		outside echo.MiddlewareFunc
		h       echo.HandlerFunc
	}{
		{"Gzip, an error", middleware.Gzip(), fails},
		{"Gzip, a panic", middleware.Gzip(), panics},
		{"Timeout, an error", timeout, fails}, // after a panic its context ends before that is rendered
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := taskpool.New(taskpool.Config{Grace: time.Hour})
			got := make(chan taskpool.Outcome, 1)
			e := echo.New()
			e.Logger.SetOutput(io.Discard)
			e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{DisablePrintStack: true}), tt.outside, echopool.Middleware(pool))
			e.HEAD("/", func(c echo.Context) error {
				scope := echopool.From(c)
				must(t, scope.AfterResponse(func(context.Context) error {
					o, _ := scope.Outcome()
					got <- o
					return nil
				}))
				return tt.h(c)
			})
			srv := httptest.NewServer(e)
			defer srv.Close()
			resp, err := srv.Client().Head(srv.URL) // so that no body tells of the header
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if o := <-got; o.Status != resp.StatusCode || o.Status < 400 || o.Release != taskpool.ReleaseHandlerReturned {
				t.Errorf("got %+v, want the status %d when the handler has returned", o, resp.StatusCode)
			}
		})
	}
}

// A middleware outside may keep an error to itself. Nothing is rendered then, and what the server sends is a 200.
func TestOutcomeOfAnErrorThatNobodyRendersHasTheStatusThatWasSent(t *testing.T) {
	for _, tracked := range []bool{false, true} {
		pool := taskpool.New(taskpool.Config{Grace: time.Hour})
		got := make(chan taskpool.Outcome, 1)
		e := echo.New()
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				_ = next(c)
				return nil
			}
		}, echopool.Middleware(pool))
		e.GET("/", func(c echo.Context) error {
			scope := echopool.From(c)
			must(t, scope.AfterResponse(func(context.Context) error {
				o, _ := scope.Outcome()
				got <- o
				return nil
			}))
			return echo.ErrConflict
		})
		srv := httptest.NewUnstartedServer(e)
		if tracked {
			httppool.Track(srv.Config)
		}
		srv.Start()
		resp, err := srv.Client().Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if o := <-got; o.Status != resp.StatusCode || !errors.Is(o.Err, echo.ErrConflict) {
			t.Errorf("tracked %v: got %+v, want the status %d", tracked, o, resp.StatusCode)
		}
		srv.Close()
	}
}

// Echo uses its context again when Timeout has answered, while the handler still runs:
// the race detector sees who touches it then.
func TestAnErrorThatCameTooLateTouchesNothingOfEcho(t *testing.T) {
	pool := taskpool.New(taskpool.Config{})
	e := echo.New()
	late := middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: 10 * time.Millisecond}) //nolint:staticcheck // people stack it
	e.Use(late, echopool.Middleware(pool))
	free, ended := make(chan struct{}), make(chan struct{})
	e.GET("/late", func(c echo.Context) error {
		_, _ = c.Response().Writer.Write(nil) // orders what Timeout did to c before what follows
		must(t, echopool.From(c).OnFailure(func(context.Context) error { ended <- struct{}{}; return nil }))
		<-free
		return echo.ErrConflict
	})
	e.GET("/next", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	srv := httptest.NewServer(e)
	defer srv.Close()
	get := func(path string) {
		resp, err := srv.Client().Get(srv.URL + path)
		must(t, err)
		must(t, resp.Body.Close())
	}
	for range 16 {
		get("/late")
		free <- struct{}{}
		get("/next")
		<-ended
	}
}

// A writer that cannot be compared panics who tries.
type incomparable struct {
	http.ResponseWriter
	_ []int
}

func TestAnErrorWithoutAPoolPassesUntouched(t *testing.T) {
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Response().Writer = incomparable{ResponseWriter: c.Response().Writer}
			return next(c)
		}
	}, echopool.Middleware(nil))
	e.GET("/", func(echo.Context) error { return echo.ErrConflict })
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusConflict {
		t.Errorf("got %d, want 409", w.Code)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestFromAContextWithoutARequestIsTheZeroScope(t *testing.T) {
	c := echo.New().NewContext(nil, httptest.NewRecorder())
	if err := echopool.From(c).Add(func(context.Context) error { return nil }); !errors.Is(err, taskpool.ErrNoScope) {
		t.Errorf("got %v, want ErrNoScope", err)
	}
}
