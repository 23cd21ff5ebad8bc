// Package echo has a context that is a struct, as the next major version does.
package echo

import "net/http"

type Context struct{}

func (c *Context) Request() *http.Request   { return nil }
func (c *Context) Param(name string) string { return "" }
