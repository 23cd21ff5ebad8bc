// Package ginpool gives the requests of Gin background tasks: its middleware
// puts a scope of a taskpool into the context of each request and starts what
// the request staged once its response is sent.
//
//	pool := taskpool.New(taskpool.Config{})
//	router := gin.New()
//	router.Use(ginpool.Middleware(pool), gin.Recovery())
//	srv := &http.Server{Addr: ":8080", Handler: router}
//	err := httppool.Serve(ctx, srv, pool, 20*time.Second)
//
// A Gin engine is a handler of net/http, so the server, its shutdown and what is
// promised of when tasks start are those of package httppool; serve with
// httppool.Serve, or call httppool.Track on the server, for exact releases.
package ginpool

import (
	"bufio"
	"net"
	"net/http"
	"reflect"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/gin-gonic/gin"
)

// Middleware puts a scope of src into the context of each request: From(c), or
// taskpool.FromContext(c.Request.Context()) in code that does not know Gin. It
// belongs first, outside of Recovery: it sees the panics of what is inside and
// recovers none. Outside of it, Recovery answers 500 to what it takes for a
// panic, which is a failure too. Outcome.Err is the last of c.Errors.
//
// Gin reuses its contexts, so a task must never see c: take what it needs before
// the handler returns. If a scope is taken from c itself (taskpool.FromContext(c), or
// where c.Request.WithContext(c) was set) or a context derived from it, its tasks get
// the values of the request's context instead.
//
// With a nil src adding tasks fails with taskpool.ErrNoScope.
func Middleware(src taskpool.Source) gin.HandlerFunc {
	return func(c *gin.Context) {
		x, view, r := httppool.Begin(src, c.Writer, c.Request)
		x.Reused(gin.ContextKey, find)
		w := &writer{c.Writer, x, view}
		// They stay: what is outside may still write, and be observed.
		c.Writer, c.Request = w, r
		panicked := true
		defer func() {
			var err error
			if last := c.Errors.Last(); last != nil {
				err = last.Err
			}
			x.Status(w.Status())
			x.End(err, panicked)
		}()
		c.Next()
		panicked = false
	}
}

// find is the scope in a context of Gin, which answers for its own keys alone, unless
// Engine.ContextWithFallback is set. Who makes it the request's, or what is derived from
// it, hides what Begin returned, and then only the writer knows; a copy has none, and is
// found by what it is a copy of.
func find(value any) taskpool.Scope {
	c, ok := value.(*gin.Context)
	if !ok {
		return taskpool.Scope{}
	}
	s := told(c)
	if s.Pool() != nil || c.Request == nil {
		return s
	}
	ctx := c.Request.Context()
	if of, ok := ctx.Value(gin.ContextKey).(*gin.Context); ok {
		return told(of)
	}
	return taskpool.FromContext(ctx)
}

// told is the scope that c's writer tells of, within what others have put around it.
func told(c *gin.Context) taskpool.Scope {
	for w := http.ResponseWriter(c.Writer); w != nil; w = below(w) {
		if w, ok := w.(*writer); ok && w.x.Scope().Pool() != nil {
			return w.x.Scope()
		}
	}
	return taskpool.Scope{}
}

// below is the writer that w wraps; nil if it wraps none. Most that wrap Gin's embed it
// and have no Unwrap.
func below(w http.ResponseWriter) http.ResponseWriter {
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	v := reflect.Indirect(reflect.ValueOf(w))
	if v.Kind() != reflect.Struct {
		return nil
	}
	if v = v.FieldByName("ResponseWriter"); !v.IsValid() || !v.CanInterface() {
		return nil
	}
	of, _ := v.Interface().(http.ResponseWriter)
	return of
}

// From returns the scope of a request; the zero Scope if Middleware is not
// installed.
func From(c *gin.Context) taskpool.Scope {
	if c.Request == nil { // as in a test of a handler
		return taskpool.Scope{}
	}
	return taskpool.FromContext(c.Request.Context())
}

// A writer observes the status, which Gin holds back until the first byte.
type writer struct {
	gin.ResponseWriter
	x    httppool.Exchange
	view http.ResponseWriter // what Begin returned, over the same writer
}

func (w *writer) WriteHeader(status int) {
	w.ResponseWriter.WriteHeader(status)
	w.x.Status(w.Status())
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.x.Failed(err)
	return n, err
}

func (w *writer) WriteString(s string) (int, error) {
	n, err := w.ResponseWriter.WriteString(s)
	w.x.Failed(err)
	return n, err
}

func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := w.ResponseWriter.Hijack()
	if err == nil {
		w.x.Hijacked()
	}
	return c, rw, err
}

// CloseNotify is that of the view: over HTTP/2 the server's own is for one alone, and
// the release of staged tasks waits for it.
func (w *writer) CloseNotify() <-chan bool {
	if n, ok := w.view.(http.CloseNotifier); ok { //nolint:staticcheck // what Context.Stream calls
		return n.CloseNotify()
	}
	return w.ResponseWriter.CloseNotify()
}

func (w *writer) Unwrap() http.ResponseWriter { return w.view }
