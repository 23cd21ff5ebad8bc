package ginpool_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	ginpool "github.com/elite-libs/taskpool/gin"
	"github.com/gin-gonic/gin"
)

// Gin's context answers no keys of others by itself, and some make it the request's.
func TestScopeIsFoundInGinsContext(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	e := gin.New()
	e.Use(ginpool.Middleware(p))
	e.GET("/", func(c *gin.Context) {
		direct := taskpool.FromContext(c)
		c.Request = c.Request.WithContext(c)
		for name, s := range map[string]taskpool.Scope{"FromContext(c)": direct, "From(c) when c is the request's": ginpool.From(c)} {
			if err := s.OnSuccess(func(context.Context) error { return nil }); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if r, err := p.Done(t.Context()); r.Succeeded != 2 || err != nil {
		t.Errorf("got %+v, %v, want two tasks that ran", r, err)
	}
}
