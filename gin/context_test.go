package ginpool_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	ginpool "github.com/elite-libs/taskpool/gin"
	"github.com/gin-gonic/gin"
)

type key struct{}

// A wrapper is what many a middleware of Gin puts in place of its writer.
type wrapper struct{ gin.ResponseWriter }

// Gin's context answers no keys of others by itself, and some make it the request's.
func TestScopeIsFoundInGinsContext(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	e := gin.New()
	e.Use(ginpool.Middleware(p))
	e.GET("/", func(c *gin.Context) {
		before := c.Request
		scopes := map[string]taskpool.Scope{"FromContext(c)": taskpool.FromContext(c)}
		c.Request = before.WithContext(c)
		scopes["From(c) when c is the request's"] = ginpool.From(c)
		c.Writer = wrapper{c.Writer}
		c.Request = before.WithContext(context.WithValue(c, key{}, 1))
		scopes["From(c) within what is derived from c, and another writer"] = ginpool.From(c)
		scopes["FromContext of a copy whose request has what is derived from c"] = taskpool.FromContext(c.Copy())
		c.Request = before
		scopes["FromContext(c) within another writer"] = taskpool.FromContext(c)
		scopes["FromContext of a copy of c"] = taskpool.FromContext(c.Copy())
		for name, s := range scopes {
			if err := s.OnSuccess(func(context.Context) error { return nil }); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if r, err := p.Done(t.Context()); r.Succeeded != 6 || err != nil {
		t.Errorf("got %+v, %v, want six tasks that ran", r, err)
	}
}

func TestFromAContextWithoutARequestIsTheZeroScope(t *testing.T) {
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	if err := ginpool.From(c).Add(func(context.Context) error { return nil }); !errors.Is(err, taskpool.ErrNoScope) {
		t.Errorf("got %v, want ErrNoScope", err)
	}
}
