package poolvet

import (
	"go/ast"
	"go/types"
)

// signature gives the parameters of a function their kinds.
func (o *origins) signature(fn ast.Node, ft *ast.FuncType, body *ast.BlockStmt) {
	if ft.Params == nil || body == nil {
		return
	}
	handler, serves, client := false, o.serves(ft), o.isClient(ft, body)
	for _, field := range ft.Params.List {
		t := o.info.TypeOf(field.Type)
		k := none
		switch {
		case isReused(t):
			k = reused
		case isRequest(t) && serves:
			k = request
		case isRequest(t) && !client:
			k = loneRequest
		case isNamed(t, httpPath, "ResponseWriter"):
			k = writer
		}
		for _, name := range field.Names {
			v, ok := o.info.Defs[name].(*types.Var)
			switch {
			case !ok:
			case k == none:
				o.unknown(name)
			default:
				o.params[v] = k
				handler = true
			}
		}
	}
	if handler {
		o.handlers[fn] = true
	}
}

// serves reports whether a function answers requests: it has what to answer with.
func (o *origins) serves(ft *ast.FuncType) bool {
	for _, field := range ft.Params.List {
		if t := o.info.TypeOf(field.Type); isWriter(t) || isReused(t) {
			return true
		}
	}
	return false
}

// isClient reports whether the requests of a function that does not serve are
// those of a client, on their way out: nothing ends them but the client itself.
func (o *origins) isClient(ft *ast.FuncType, body *ast.BlockStmt) bool {
	requests := false
	for _, field := range ft.Params.List {
		t := o.info.TypeOf(field.Type)
		requests = requests || isRequest(t)
		if s, ok := types.Unalias(t).(*types.Slice); ok && isRequest(s.Elem()) {
			return true // http.Client.CheckRedirect
		}
	}
	if !requests {
		return false
	}
	if ft.Results != nil {
		for _, field := range ft.Results.List {
			t := o.info.TypeOf(field.Type)
			if isNamed(t, httpPath, "Response") || isNamed(t, "net/url", "URL") {
				return true // an http.RoundTripper, http.Transport.Proxy
			}
		}
	}
	return o.sends(body)
}

// sends reports whether a request is given to something that answers with a
// response.
func (o *origins) sends(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || found || !returnsResponse(o.info.TypeOf(call)) {
			return !found
		}
		for _, arg := range call.Args {
			found = found || isRequest(o.info.TypeOf(arg))
		}
		return !found
	})
	return found
}

func returnsResponse(t types.Type) bool {
	tuple, ok := t.(*types.Tuple)
	if !ok {
		return isNamed(t, httpPath, "Response")
	}
	for v := range tuple.Variables() {
		if isNamed(v.Type(), httpPath, "Response") {
			return true
		}
	}
	return false
}
