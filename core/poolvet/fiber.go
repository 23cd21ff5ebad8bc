package poolvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// fiberMemory are the methods of Fiber's context that return memory of the request.
var fiberMemory = []string{"AllParams", "Body", "BodyRaw", "Cookies", "FormValue", "Get", "GetReqHeader", "GetReqHeaders", "GetRespHeader", "GetRespHeaders",
	"Host", "Hostname", "IPs", "Method", "OriginalURL", "Params", "Path", "Protocol", "Queries", "Query"}

// fiberParsers are those that fill what they are given with it. They do not copy,
// except, of a body, some formats: which one it has, the client says (ctx.go, Fiber
// v2.52; the binders of v3.1, with Immutable too: they use UnsafeString).
var (
	fiberParsers = []string{"BodyParser", "CookieParser", "ParamsParser", "QueryParser", "ReqHeaderParser"}
	fiberBinders = []string{"All", "Body", "Cookie", "Form", "Header", "Query", "RespHeader", "URI"}
)

// A fill says what a parser of Fiber's filled a variable with.
type fill uint8

const (
	fillMutable fill = iota + 1 // memory, unless the app is Immutable
	fillAlways                  // memory
)

// parsed notes the variable that a parser of Fiber's fills.
func (o *origins) parsed(call *ast.CallExpr) {
	f := callee(o.info, call)
	if f == nil || receiver(f) == nil || len(call.Args) == 0 {
		return
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return
	}
	out := ast.Unparen(call.Args[0])
	if u, ok := out.(*ast.UnaryExpr); ok && u.Op == token.AND {
		out = u.X
	}
	v, x := o.variable(out), o.info.TypeOf(sel.X)
	switch {
	case v == nil || !holdsMemory(v.Type()):
	case isNamed(x, fiberPath, "Bind") && slices.Contains(fiberBinders, f.Name()):
		o.filled[v] = fillAlways
	case isFiber(x) && slices.Contains(fiberParsers, f.Name()):
		o.filled[v] = max(o.filled[v], fillMutable)
	}
}

// config looks for fiber.Config{Immutable: true}.
func (o *origins) config(n *ast.KeyValueExpr) {
	key, ok := n.Key.(*ast.Ident)
	if !ok || key.Name != "Immutable" {
		return
	}
	if v, ok := o.info.Uses[key].(*types.Var); ok && v.IsField() && isPackage(v.Pkg(), fiberPath) {
		value := o.info.Types[n.Value].Value
		o.immutable = o.immutable || value == nil || value.ExactString() == "true"
	}
}

// part is the kind of an element, or of what is pointed to: memory, if whole is and
// there can be some in it.
func (o *origins) part(whole, e ast.Expr) kind {
	if o.of(whole) == memory && holdsMemory(o.info.TypeOf(e)) {
		return memory
	}
	return none
}

// holdsMemory reports whether a value of type t is, or holds in what a parser can
// fill, a string or bytes.
func holdsMemory(t types.Type) bool { return holds(t, nil) }

func holds(t types.Type, within []types.Type) bool {
	if t == nil || slices.Contains(within, t) {
		return false
	}
	within = append(within, t)
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Info()&types.IsString != 0
	case *types.Slice:
		return types.Identical(u.Elem(), types.Typ[types.Byte]) || holds(u.Elem(), within)
	case *types.Array:
		return holds(u.Elem(), within)
	case *types.Pointer:
		return holds(u.Elem(), within)
	case *types.Map:
		return holds(u.Key(), within) || holds(u.Elem(), within)
	case *types.Interface:
		return u.Empty()
	case *types.Struct:
		for f := range u.Fields() {
			if (f.Exported() || f.Embedded()) && holds(f.Type(), within) {
				return true
			}
		}
	}
	return false
}
