package poolvet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/inspector"
)

// A kind says what a value is to the request that it came from.
type kind uint8

const (
	none        kind = iota
	writer           // an http.ResponseWriter: not to be used when the handler has returned
	request          // the server's *http.Request
	loneRequest      // that of a function without a writer: who gets it may send it on
	body             // its Body: closed when the handler has returned
	canceled         // the context of a request, or one derived from it: canceled when the handler returns
	userContext      // Fiber's UserContext, or one derived from it: it does not end by itself
	reused           // a framework's own context: another request's when the handler has returned
	copied           // what gin.Context.Copy returns: only its Request is still the request's own
	memory           // what is, or holds, strings or bytes of Fiber's: overwritten by another request
	upload           // a *multipart.FileHeader: its file may be removed at the end of the request
	detached         // a context that does not end with the request
	recursive        // a variable that is being looked at: says nothing
)

// origins knows what the expressions of a package come from.
type origins struct {
	info      *types.Info
	handlers  map[ast.Node]bool // functions with a parameter that is a request's
	params    map[*types.Var]kind
	sources   map[*types.Var][]source
	known     map[*types.Var]kind
	bodies    map[*types.Var]bool // requests, or their owners, whose Body is assigned to
	filled    map[*types.Var]fill // what Fiber parsed a request into
	immutable bool                // strings of Fiber stay as they are
}

// A source is what is assigned to a variable: the result of that index. An expr
// of nil is one that nothing is known of.
type source struct {
	expr  ast.Expr
	index int
}

func findOrigins(info *types.Info, root inspector.Cursor) *origins {
	o := &origins{
		info:      info,
		handlers:  make(map[ast.Node]bool),
		params:    make(map[*types.Var]kind),
		sources:   make(map[*types.Var][]source),
		known:     make(map[*types.Var]kind),
		bodies:    make(map[*types.Var]bool),
		filled:    make(map[*types.Var]fill),
		immutable: immutable,
	}
	for c := range root.Preorder((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil), (*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil),
		(*ast.RangeStmt)(nil), (*ast.UnaryExpr)(nil), (*ast.KeyValueExpr)(nil), (*ast.CallExpr)(nil)) {
		switch n := c.Node().(type) {
		case *ast.FuncDecl:
			o.signature(n, n.Type, n.Body)
		case *ast.FuncLit:
			o.signature(n, n.Type, n.Body)
		case *ast.AssignStmt:
			o.assignment(n)
		case *ast.ValueSpec:
			for i, name := range n.Names {
				o.assigned(name, i, len(n.Names), n.Values)
			}
		case *ast.RangeStmt:
			o.unknown(n.Key)
			o.unknown(n.Value)
		case *ast.UnaryExpr:
			if n.Op == token.AND { // whoever has the address may assign
				o.unknown(n.X)
			}
		case *ast.KeyValueExpr:
			o.config(n)
		case *ast.CallExpr:
			o.parsed(n)
		}
	}
	return o
}

func (o *origins) assignment(n *ast.AssignStmt) {
	for i, left := range n.Lhs {
		if n.Tok != token.ASSIGN && n.Tok != token.DEFINE { // such as +=, which copies
			o.unknown(left)
			continue
		}
		o.assigned(left, i, len(n.Lhs), n.Rhs)
		if sel, ok := left.(*ast.SelectorExpr); ok && sel.Sel.Name == "Body" && isRequest(o.info.TypeOf(sel.X)) {
			call, ok := n.Rhs[min(i, len(n.Rhs)-1)].(*ast.CallExpr)
			limits := ok && isFunc(callee(o.info, call), httpPath, "MaxBytesReader")
			if v := o.variable(rootOf(sel)); v != nil && !limits {
				o.bodies[v] = true
			}
		}
	}
}

// assigned notes what the i-th of n variables is assigned.
func (o *origins) assigned(left ast.Expr, i, n int, right []ast.Expr) {
	v := o.variable(left)
	switch {
	case v == nil || len(right) == 0: // the zero value is nobody's
	case len(right) == n:
		o.sources[v] = append(o.sources[v], source{right[i], 0})
	default:
		o.sources[v] = append(o.sources[v], source{right[0], i})
	}
}

func (o *origins) unknown(left ast.Expr) {
	if v := o.variable(left); v != nil {
		o.sources[v] = append(o.sources[v], source{})
	}
}

// variable is the variable that e names; nil for a field, or anything else.
func (o *origins) variable(e ast.Expr) *types.Var {
	id, ok := ast.Unparen(orNil(e)).(*ast.Ident)
	if !ok {
		return nil
	}
	v, _ := o.info.ObjectOf(id).(*types.Var)
	return v
}

func orNil(e ast.Expr) ast.Expr {
	if e == nil {
		return &ast.BadExpr{}
	}
	return e
}

// rootOf is what e begins with: c of c.Request.Body.
func rootOf(e ast.Expr) ast.Expr {
	for {
		switch x := e.(type) {
		case *ast.SelectorExpr:
			e = x.X
		case *ast.CallExpr:
			e = x.Fun
		case *ast.ParenExpr:
			e = x.X
		default:
			return e
		}
	}
}

// isFormFile reports whether e is r.FormFile(name), whose second result is the upload. The first one is
// an open file, which can be read as long as nobody closes it.
func (o *origins) isFormFile(e ast.Expr) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return false
	}
	f := callee(o.info, call)
	return f != nil && f.Name() == "FormFile" && isNamed(receiver(f), httpPath, "Request")
}

// ofVariable is the kind of a variable: that of everything that is assigned to
// it, or none if that differs. It does not follow the flow: a variable that is
// sometimes something else is left alone.
func (o *origins) ofVariable(v *types.Var) kind {
	if k, ok := o.known[v]; ok {
		return k
	}
	if f := o.filled[v]; f == fillAlways || f == fillMutable && !o.immutable {
		return memory
	}
	o.known[v] = recursive
	k, isParam := o.params[v]
	seen := isParam
	for _, s := range o.sources[v] {
		got := none
		switch {
		case s.expr == nil:
		case s.index == 0:
			got = o.of(s.expr)
		case s.index == 1 && o.isFormFile(s.expr):
			got = upload
		}
		switch {
		case got == recursive:
		case !seen:
			k, seen = got, true
		case got != k:
			k = none
		}
	}
	o.known[v] = k
	return k
}
