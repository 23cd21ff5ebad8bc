// Package chi has the names that the analyzer knows.
package chi

import (
	"context"
	"net/http"
)

type Context struct {
	URLParams RouteParams
}

type RouteParams struct{ Keys, Values []string }

var RouteCtxKey = new(int)

func RouteContext(ctx context.Context) *Context              { return nil }
func URLParam(r *http.Request, key string) string            { return "" }
func URLParamFromCtx(ctx context.Context, key string) string { return "" }

func (c *Context) Clone() *Context            { return nil }
func (c *Context) URLParam(key string) string { return "" }
func (c *Context) RoutePattern() string       { return "" }
