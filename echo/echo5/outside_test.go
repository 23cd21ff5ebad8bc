package echopool_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	echopool "github.com/elite-libs/taskpool/echo/echo5"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

// Gzip outside puts back the writer that it had found before the error is rendered. The grace is an hour: what is released by the sweep hangs the test.
func TestOutcomeHasTheStatusThatWentPastTheWriter(t *testing.T) {
	for name, outside := range map[string]echo.MiddlewareFunc{
		"Gzip": middleware.Gzip(),
	} {
		for what, h := range map[string]echo.HandlerFunc{
			"an error": func(*echo.Context) error { return echo.NewHTTPError(http.StatusConflict, "taken") },
			"a panic":  func(*echo.Context) error { panic("broken") },
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				pool := taskpool.New(taskpool.Config{Grace: time.Hour})
				got := make(chan taskpool.Outcome, 1)
				e := echo.New()
				e.Logger = slog.New(slog.DiscardHandler)
				e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{DisableStackAll: true}), outside, echopool.Middleware(pool))
				e.HEAD("/", func(c *echo.Context) error {
					scope := echopool.From(c)
					err := scope.AfterResponse(func(context.Context) error {
						o, _ := scope.Outcome()
						got <- o
						return nil
					})
					if err != nil {
						t.Error(err)
					}
					return h(c)
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
}

func TestFromAContextWithoutARequestIsTheZeroScope(t *testing.T) {
	c := echo.New().NewContext(nil, httptest.NewRecorder())
	if err := echopool.From(c).Add(func(context.Context) error { return nil }); !errors.Is(err, taskpool.ErrNoScope) {
		t.Errorf("got %v, want ErrNoScope", err)
	}
}
