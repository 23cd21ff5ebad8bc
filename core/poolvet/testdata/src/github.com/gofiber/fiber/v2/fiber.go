// Package fiber has the names that the analyzer knows.
package fiber

import (
	"context"

	"github.com/valyala/fasthttp"
)

type Config struct {
	AppName   string
	Immutable bool
}

type App struct{}

func New(config ...Config) *App { return nil }

type Ctx struct{}

func (c *Ctx) Context() *fasthttp.RequestCtx                          { return nil }
func (c *Ctx) UserContext() context.Context                           { return nil }
func (c *Ctx) SetUserContext(ctx context.Context)                     {}
func (c *Ctx) Params(key string, defaultValue ...string) string       { return "" }
func (c *Ctx) Query(key string, defaultValue ...string) string        { return "" }
func (c *Ctx) Get(key string, defaultValue ...string) string          { return "" }
func (c *Ctx) Path(override ...string) string                         { return "" }
func (c *Ctx) Body() []byte                                           { return nil }
func (c *Ctx) IP() string                                             { return "" }
func (c *Ctx) ParamsInt(key string, defaultValue ...int) (int, error) { return 0, nil }
func (c *Ctx) SendStatus(status int) error                            { return nil }
func (c *Ctx) Next() error                                            { return nil }

func (c *Ctx) Queries() map[string]string       { return nil }
func (c *Ctx) IPs() []string                    { return nil }
func (c *Ctx) BodyParser(out interface{}) error { return nil }

func (c *Ctx) QueryParser(out interface{}) error     { return nil }
func (c *Ctx) ParamsParser(out interface{}) error    { return nil }
func (c *Ctx) ReqHeaderParser(out interface{}) error { return nil }
func (c *Ctx) CookieParser(out interface{}) error    { return nil }
