package httppool

import (
	"context"
	"reflect"
	"strings"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// A lookups is the context of a request as Begin found it. Whatever is looked up in
// the contexts of the request that is not found further in comes past here: so the
// keys of routers are met without their packages.
type lookups observer

func (l *lookups) Deadline() (time.Time, bool) { return l.ctx.Deadline() }
func (l *lookups) Done() <-chan struct{}       { return l.ctx.Done() }
func (l *lookups) Err() error                  { return l.ctx.Err() }

func (l *lookups) Value(key any) any {
	if t := reflect.TypeOf(key); t != nil && l.begun.Load() && reusesValues(t) {
		taskpool.CopyValue(key, exported)
	}
	return l.ctx.Value(key)
}

// reusesValues reports whether t is the type of the keys of a router that uses the
// values under them again once the handler has returned:
//
//   - chi pools what is under RouteCtxKey (Mux.ServeHTTP, v5.5.0; as in every version
//     since it has had it). ServeHTTP looks it up before there is one, and
//     routeHTTP when the middlewares have run;
//   - httprouter pools the Params under ParamsKey since the commits that followed
//     v1.3.0 (Router.putParams).
//
// gorilla/mux v1.8, bunrouter v1.0, httptreemux v5.5, goji v2 and net/http's own mux
// make what they keep for each request.
func reusesValues(t reflect.Type) bool {
	switch t.Kind() { // no name is looked at where it need not be
	case reflect.Pointer:
		t = t.Elem()
		return t.Name() == "contextKey" && isPackage(t.PkgPath(), "github.com/go-chi/chi")
	case reflect.Struct:
		return t.Name() == "paramsKey" && isPackage(t.PkgPath(), "github.com/julienschmidt/httprouter")
	}
	return false
}

// isPackage reports whether path is that of a package, in any major version.
func isPackage(path, of string) bool {
	major, ok := strings.CutPrefix(path, of)
	return ok && (major == "" || strings.HasPrefix(major, "/v") && !strings.Contains(major[1:], "/"))
}

// exported is a copy of v, of the exported fields if it is a pointer to a struct. That
// is all there is to see from outside; what else there may be, as the context of the
// request in chi's, is not a task's to have. Elements of slices are taken to be values.
func exported(v any) any {
	from := reflect.ValueOf(v)
	if from.Kind() == reflect.Pointer {
		if from.IsNil() {
			return v
		}
		to := reflect.New(from.Type().Elem())
		copyExported(to.Elem(), from.Elem())
		return to.Interface()
	}
	to := reflect.New(from.Type()).Elem()
	copyExported(to, from)
	return to.Interface()
}

func copyExported(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.Struct:
		for i := range from.NumField() {
			if from.Type().Field(i).IsExported() {
				copyExported(to.Field(i), from.Field(i))
			}
		}
	case reflect.Slice:
		to.Set(reflect.AppendSlice(reflect.MakeSlice(from.Type(), 0, from.Len()), from))
	default:
		to.Set(from)
	}
}

var _ context.Context = (*lookups)(nil)
