// Package gin has the names that the analyzer knows.
package gin

import (
	"mime/multipart"
	"net/http"
	"time"
)

type ResponseWriter interface {
	http.ResponseWriter
	Status() int
}

type Param struct{ Key, Value string }

type Params []Param

type Context struct {
	Params  Params
	Request *http.Request
	Writer  ResponseWriter
}

func (c *Context) Copy() *Context                                      { return nil }
func (c *Context) Param(key string) string                             { return "" }
func (c *Context) GetString(key string) string                         { return "" }
func (c *Context) FormFile(name string) (*multipart.FileHeader, error) { return nil, nil }
func (c *Context) Next()                                               {}
func (c *Context) JSON(code int, v any)                                {}

func (c *Context) Deadline() (t time.Time, ok bool) { return }
func (c *Context) Done() <-chan struct{}            { return nil }
func (c *Context) Err() error                       { return nil }
func (c *Context) Value(key any) any                { return nil }
