package ginpool_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	taskpool "github.com/elite-libs/taskpool/core"
	ginpool "github.com/elite-libs/taskpool/gin"
	"github.com/gin-gonic/gin"
)

func ExampleMiddleware() {
	pool := taskpool.New(taskpool.Config{})
	router := gin.New()
	router.Use(ginpool.Middleware(pool), gin.Recovery()) // in this order
	router.POST("/orders/:id", func(c *gin.Context) {
		id := c.Param("id") // a task must never see c
		err := ginpool.From(c).OnSuccess(func(context.Context) error {
			fmt.Println("receipt sent for", id)
			return nil
		})
		if err != nil { // overloaded, or shutting down: nothing was accepted
			c.String(http.StatusServiceUnavailable, err.Error())
			return
		}
		c.String(http.StatusOK, "ordered")
	})
	srv := httptest.NewServer(router)
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

// What knows no Gin finds the scope in the request's context.
func ExampleFrom() {
	pool := taskpool.New(taskpool.Config{})
	audit := func(ctx context.Context, what string) error {
		return taskpool.FromContext(ctx).AfterResponse(func(context.Context) error {
			fmt.Println("audited:", what)
			return nil
		})
	}
	router := gin.New()
	router.Use(ginpool.Middleware(pool))
	router.GET("/", func(c *gin.Context) {
		fmt.Println("the same pool:", ginpool.From(c).Pool() == pool)
		if err := audit(c.Request.Context(), "a visit"); err != nil {
			_ = c.AbortWithError(http.StatusServiceUnavailable, err)
		}
	})

	router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	_, _ = pool.Done(context.Background())
	// Output:
	// the same pool: true
	// audited: a visit
}
