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
	Bind() *Bind
	Params(key string, defaultValue ...string) string
}

type Config struct{ Immutable bool }

type App struct{}

func New(config ...Config) *App { return nil }

type Bind struct{}

func (b *Bind) WithAutoHandling() *Bind { return b }
func (b *Bind) Body(out any) error      { return nil }
func (b *Bind) Query(out any) error     { return nil }
func (b *Bind) Header(out any) error    { return nil }
func (b *Bind) JSON(out any) error      { return nil }
