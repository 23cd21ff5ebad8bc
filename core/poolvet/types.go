package poolvet

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/types/typeutil"
)

// The packages that are known, without their major versions. They are known by
// their path and never imported: the analyzer must not decide which version of
// a framework a program uses.
const (
	corePath     = "github.com/elite-libs/taskpool/core"
	httpPath     = "net/http"
	ginPath      = "github.com/gin-gonic/gin"
	echoPath     = "github.com/labstack/echo"
	fiberPath    = "github.com/gofiber/fiber"
	chiPath      = "github.com/go-chi/chi"
	fasthttpPath = "github.com/valyala/fasthttp"
)

// isPackage reports whether pkg is the package at path, in any major version.
func isPackage(pkg *types.Package, path string) bool {
	if pkg == nil {
		return false
	}
	got, _, _ := strings.Cut(pkg.Path(), " ") // "path [path.test]" is a package with its tests
	rest, ok := strings.CutPrefix(got, path)
	if !ok || rest == "" {
		return ok
	}
	major, ok := strings.CutPrefix(rest, "/v")
	return ok && major != "" && strings.Trim(major, "0123456789") == ""
}

// isNamed reports whether t, or what it points to, is a type of the package at
// path that has one of the names.
func isNamed(t types.Type, path string, names ...string) bool {
	if t == nil {
		return false
	}
	t = types.Unalias(t)
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	n, ok := t.(*types.Named)
	return ok && isPackage(n.Obj().Pkg(), path) && slices.Contains(names, n.Obj().Name())
}

func isRequest(t types.Type) bool { return isNamed(t, httpPath, "Request") }

func isWriter(t types.Type) bool {
	return isNamed(t, httpPath, "ResponseWriter") || isNamed(t, ginPath, "ResponseWriter") || isNamed(t, echoPath, "Response")
}

// isReused reports whether t is a type whose values a framework uses for one
// request after another.
func isReused(t types.Type) bool {
	return isNamed(t, ginPath, "Context") || isNamed(t, echoPath, "Context") || isFiber(t) || isNamed(t, fasthttpPath, "RequestCtx")
}

func isFiber(t types.Type) bool { return isNamed(t, fiberPath, "Ctx", "DefaultCtx") }

func isTask(t types.Type) bool { return isNamed(t, corePath, "Task") }

// callee is the function or method that is called; nil if it is not known.
func callee(info *types.Info, call *ast.CallExpr) *types.Func {
	f, _ := typeutil.Callee(info, call).(*types.Func)
	return f
}

// receiver is the type that f is a method of; nil if it is a function.
func receiver(f *types.Func) types.Type {
	if recv := f.Signature().Recv(); recv != nil {
		return recv.Type()
	}
	return nil
}

// isFunc reports whether f is a function, not a method, of the package at path.
func isFunc(f *types.Func, path string, names ...string) bool {
	return f != nil && receiver(f) == nil && isPackage(f.Pkg(), path) && slices.Contains(names, f.Name())
}

// isPoolMethod reports whether f is a method of a *Pool, a Scope or an Adder.
func isPoolMethod(f *types.Func, names ...string) bool {
	return f != nil && isNamed(receiver(f), corePath, "Pool", "Scope", "Adder") && slices.Contains(names, f.Name())
}
