package taskpool

import (
	"fmt"
	"path"
	"reflect"
	"runtime"
	"strings"
	"sync"
)

// funcNames are those that were asked for, by the address of the func's code: a
// program has no more of them than funcs.
var funcNames sync.Map

// funcName is the name of a func without the path of its package, such as
// "orders.(*Service).Audit"; empty for one that is nil. One that is written inside
// another has no name but a number, which says little, and so the line on which it
// begins stands behind: "orders.(*Service).Place.func1 (service.go:74)".
func funcName(of any) string {
	v := reflect.ValueOf(of)
	if v.Kind() != reflect.Func || v.IsNil() {
		return ""
	}
	at := v.Pointer()
	if name, ok := funcNames.Load(at); ok {
		return name.(string)
	}
	f := runtime.FuncForPC(at)
	if f == nil {
		return ""
	}
	name := strings.TrimSuffix(path.Base(f.Name()), "-fm") // which marks the value of a method
	if strings.Contains(name, ".func") {
		file, line := f.FileLine(at)
		name = fmt.Sprintf("%s (%s:%d)", name, path.Base(file), line)
	}
	funcNames.Store(at, name)
	return name
}
