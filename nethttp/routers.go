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

// asked is the context that a scope begins with: a framework's own as it is, which Begin of package taskpool has to know,
// and else one in which lookups are seen.
func (o *observer) asked() context.Context {
	switch o.ctx.(type) {
	case interface{ SetUserValue(key, value any) }, interface{ AbortWithStatus(code int) }: // fasthttp's, Gin's
		return o.ctx
	}
	return (*lookups)(o)
}

func (l *lookups) Deadline() (time.Time, bool) { return l.ctx.Deadline() }
func (l *lookups) Done() <-chan struct{}       { return l.ctx.Done() }
func (l *lookups) Err() error                  { return l.ctx.Err() }

func (l *lookups) Value(key any) any {
	if t := reflect.TypeOf(key); t != nil && l.begun.Load() && reusesValues(t) {
		taskpool.CopyValue(key, exported)
	}
	return l.ctx.Value(key)
}

// reusesValues reports whether t is the type of the keys of chi, which pools what is
// under its RouteCtxKey (Mux.ServeHTTP, v5.5.0; as in every version since it has had
// it). ServeHTTP looks it up before there is one, and routeHTTP when the middlewares
// have run.
//
// gorilla/mux v1.8, bunrouter v1.0, httptreemux v5.5, goji v2, httprouter v1.3 and
// net/http's own mux make what they keep for each request. httprouter pools it in the
// commits that followed (Router.putParams), but looks nothing up: its users call
// CopyValue.
func reusesValues(t reflect.Type) bool {
	if t.Kind() != reflect.Pointer { // no name is looked at where it need not be
		return false
	}
	t = t.Elem()
	if t.Name() != "contextKey" {
		return false
	}
	version, ok := strings.CutPrefix(t.PkgPath(), "github.com/go-chi/chi")
	return ok && (version == "" || strings.HasPrefix(version, "/v") && !strings.Contains(version[1:], "/"))
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
