// Package fasthttp has the names that the analyzer knows.
package fasthttp

import (
	"context"
	"time"
)

type RequestCtx struct{}

func (ctx *RequestCtx) Deadline() (t time.Time, ok bool) { return }
func (ctx *RequestCtx) Done() <-chan struct{}            { return nil }
func (ctx *RequestCtx) Err() error                       { return nil }
func (ctx *RequestCtx) Value(key any) any                { return nil }

var _ context.Context = (*RequestCtx)(nil)
