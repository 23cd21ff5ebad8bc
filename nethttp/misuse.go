package httppool

import (
	"log"
	"net/http"
	"path"
	"reflect"
	"runtime"
	"strings"
)

// misused reports whether a WriteHeader comes too late for the server, and then says
// so in the server's place. The server's log names the first function outside of
// net/http that it finds on the stack (response.WriteHeader and relevantCaller, Go
// 1.26), which would be one of this package, whoever called it. HTTP/2 says nothing.
func (o *observer) misused() bool {
	if o.proto != 1 || o.status.Load() == 0 && !o.hijacked.Load() || !isServers(o.base) {
		return false
	}
	what := "superfluous response.WriteHeader call"
	if o.hijacked.Load() {
		what = "response.WriteHeader on hijacked connection"
	}
	logf := log.Printf
	if srv, ok := o.ctx.Value(http.ServerContextKey).(*http.Server); ok && srv.ErrorLog != nil {
		logf = srv.ErrorLog.Printf
	}
	caller := caller()
	logf("http: %s from %s (%s:%d)", what, caller.Function, path.Base(caller.File), caller.Line)
	return true
}

// isServers reports whether w is a writer of net/http's own.
func isServers(w http.ResponseWriter) bool {
	t := reflect.TypeOf(w)
	return t != nil && t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "net/http" && t.Elem().Name() == "response"
}

// caller is the first function on the stack that belongs neither to this package nor
// to net/http.
func caller() (f runtime.Frame) {
	pc := make([]uintptr, 16)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for more := true; more; {
		f, more = frames.Next()
		if !strings.HasPrefix(f.Function, "net/http.") && !strings.HasPrefix(f.Function, here) {
			break
		}
	}
	return f
}

// here is what the names of this package's functions begin with.
var here = reflect.TypeFor[observer]().PkgPath() + "."
