// Package fiber has a context that is an interface, as the next major version does.
package fiber

import (
	"context"

	"github.com/valyala/fasthttp"
)

type Ctx interface {
	context.Context
	Context() context.Context
	RequestCtx() *fasthttp.RequestCtx
	Params(key string, defaultValue ...string) string
}
