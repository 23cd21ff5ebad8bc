package ginpool_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	ginpool "github.com/elite-libs/taskpool/gin"
	"github.com/gin-gonic/gin"
)

// Gin answers 404 and 405 itself, after the middleware has returned.
func TestHoldLeavesGinsOwnAnswersAlone(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.Use(ginpool.Middleware(taskpool.Hold(p, taskpool.HoldOptions{})), func(c *gin.Context) {
		if err := ginpool.From(c).AfterResponse(func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
	})
	e.POST("/there", func(*gin.Context) {})
	srv := httptest.NewServer(e)
	defer srv.Close()
	for path, want := range map[string]string{"/none": "404 page not found", "/there": "405 method not allowed"} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", path, body, err, want)
		}
	}
	if r, err := p.Done(t.Context()); r.Succeeded != 2 || err != nil {
		t.Errorf("got %+v, %v, want two tasks that ran", r, err)
	}
}

// An unwrapping writer cannot flush, and Gin's Flush then does nothing and says so to nobody.
type unwrapping struct{ http.ResponseWriter }

func (u unwrapping) Unwrap() http.ResponseWriter { return u.ResponseWriter }

func TestRequestThatGinCannotFlushIsNotHeld(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	finish := make(chan struct{})
	e := gin.New()
	e.Use(ginpool.Middleware(taskpool.Hold(p, taskpool.HoldOptions{})))
	e.GET("/", func(c *gin.Context) {
		if err := ginpool.From(c).AfterResponse(func(context.Context) error { <-finish; return nil }); err != nil {
			t.Error(err)
		}
		c.String(http.StatusOK, "hello")
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.ServeHTTP(unwrapping{w}, r) }))
	defer srv.Close()
	resp, err := http.Get(srv.URL) // to the end, while the task is blocked
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(body) != "hello" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
	close(finish)
	if _, err := p.Done(t.Context()); err != nil {
		t.Error(err)
	}
}
