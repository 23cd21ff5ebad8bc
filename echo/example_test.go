package echopool_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	taskpool "github.com/elite-libs/taskpool/core"
	echopool "github.com/elite-libs/taskpool/echo"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

func ExampleMiddleware() {
	pool := taskpool.New(taskpool.Config{})
	e := echo.New()
	e.Use(echopool.Middleware(pool), middleware.Recover()) // in this order
	e.POST("/orders/:id", func(c echo.Context) error {
		id := c.Param("id") // a task must never see c
		err := echopool.From(c).OnSuccess(func(context.Context) error {
			fmt.Println("receipt sent for", id)
			return nil
		})
		if err != nil { // overloaded, or shutting down: nothing was accepted
			return echo.NewHTTPError(http.StatusServiceUnavailable, err.Error())
		}
		return c.String(http.StatusOK, "ordered")
	})
	srv := httptest.NewServer(e)
	defer srv.Close()

	resp, err := http.Post(srv.URL+"/orders/17", "", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	report, err := pool.Done(context.Background())
	fmt.Println(string(body), report.Succeeded, err)
	// Output:
	// receipt sent for 17
	// ordered 1 <nil>
}

// What knows no Echo finds the scope in the request's context.
func ExampleFrom() {
	pool := taskpool.New(taskpool.Config{})
	audit := func(ctx context.Context, what string) error {
		return taskpool.FromContext(ctx).AfterResponse(func(context.Context) error {
			fmt.Println("audited:", what)
			return nil
		})
	}
	e := echo.New()
	e.Use(echopool.Middleware(pool))
	e.GET("/", func(c echo.Context) error {
		fmt.Println("the same pool:", echopool.From(c).Pool() == pool)
		return audit(c.Request().Context(), "a visit")
	})

	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	_, _ = pool.Done(context.Background())
	// Output:
	// the same pool: true
	// audited: a visit
}
