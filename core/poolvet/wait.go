package poolvet

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// waitedFor reports whether the handler around work may wait for it: then the work
// may use the request. Work is a go statement, or what adds a task. It is
// generous, since a reader sees what is waited for and this does not.
func (c *checker) waitedFor(work inspector.Cursor) bool {
	mentioned := c.mentioned(work.Node())
	for v := range mentioned {
		if isPipe(v.Type()) {
			return true // whoever has the other half waits
		}
	}
	for fn := range work.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		if c.waits(fn, work, mentioned) {
			return true
		}
		if c.origins.handlers[fn.Node()] {
			return false
		}
	}
	return false
}

// waits reports whether a function waits after the work was begun, or when it
// returns.
func (c *checker) waits(fn, work inspector.Cursor, mentioned map[*types.Var]bool) (found bool) {
	begun := work.Node().End()
	fn.Inspect(nil, func(at inspector.Cursor) bool {
		if found || at == work {
			return false
		}
		n := at.Node()
		later := n.Pos() >= begun || deferred(fn, at)
		switch n := n.(type) {
		case *ast.Ident: // whoever else has the channel may wait
			v, _ := c.TypesInfo.Uses[n].(*types.Var)
			found = later && mentioned[v] && (isChannel(v.Type()) || isNamed(v.Type(), "sync", "WaitGroup"))
		case *ast.ForStmt: // around the work, or after it
			found = n.Cond == nil && n.End() > begun && outside(fn, at, work)
		case *ast.SelectStmt:
			found = later && len(n.Body.List) == 0 && outside(fn, at, work)
		case ast.Expr: // Async(pool, fn).Await(ctx) has the work in it
			found = (later || at.Contains(work)) && c.waitsFor(n, work.Node(), mentioned) && outside(fn, at, work)
		case *ast.RangeStmt:
			found = later && isChannel(c.TypesInfo.TypeOf(n.X)) && c.related(n.X, mentioned) && outside(fn, at, work)
		}
		return !found
	})
	return found
}

// deferred reports whether n is in a deferred call of fn.
func deferred(fn, at inspector.Cursor) bool {
	for d := range at.Enclosing((*ast.DeferStmt)(nil)) {
		if fn.Contains(d) {
			return true
		}
	}
	return false
}

// outside reports whether fn itself does what is at a cursor: it is in no other
// function, but for one that is deferred or has the work in it.
func outside(fn, at, work inspector.Cursor) bool {
	for lit := range at.Enclosing((*ast.FuncLit)(nil)) {
		switch {
		case lit == fn:
			return true
		case lit.Contains(work):
		case lit.ParentEdgeKind() == edge.CallExpr_Fun && lit.Parent().ParentEdgeKind() == edge.DeferStmt_Call:
		default:
			return false
		}
	}
	return true
}

// waitsFor reports whether e waits for something that may be the work.
func (c *checker) waitsFor(e ast.Expr, work ast.Node, mentioned map[*types.Var]bool) bool {
	if ch, ok := isReceive(e); ok {
		return c.related(ch, mentioned)
	}
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	f := callee(c.TypesInfo, call)
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if f == nil || receiver(f) == nil || !ok {
		return false
	}
	if f.Name() == "Wait" {
		return c.related(sel.X, mentioned)
	}
	if _, isGo := work.(*ast.GoStmt); isGo || !isPackage(f.Pkg(), corePath) {
		return false
	}
	switch f.Name() {
	case "Await":
		return c.promises(sel.X, work)
	case "Drain", "Done":
		return true
	}
	return false
}

// related reports whether what is waited for may have to do with what the work
// mentions. What it is named after tells, or what that was made of; the request
// itself only if it is waited for, since everything in a handler is made of it.
func (c *checker) related(e ast.Expr, mentioned map[*types.Var]bool) bool {
	if isClock(c.TypesInfo.TypeOf(e)) {
		return false
	}
	root := c.origins.variable(rootOf(e))
	if root == nil || mentioned[root] {
		return true
	}
	for v := range c.mentioned(e) {
		if mentioned[v] && c.origins.ofVariable(v) == none {
			return true
		}
	}
	return false
}

// promises reports whether e may be the promise of the work.
func (c *checker) promises(e ast.Expr, work ast.Node) bool {
	v := c.origins.variable(rootOf(e))
	sources := c.origins.sources[v]
	if len(sources) == 0 {
		return true
	}
	for _, s := range sources {
		if s.expr == nil || s.expr.Pos() <= work.Pos() && work.End() <= s.expr.End() {
			return true
		}
	}
	return false
}

// mentioned are the variables that n names, those that they were made of, and so
// on. Errors are left out: they are assigned to from everywhere.
func (c *checker) mentioned(n ast.Node) map[*types.Var]bool {
	all := make(map[*types.Var]bool)
	var visit func(n ast.Node) bool
	visit = func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		v, ok := c.TypesInfo.ObjectOf(id).(*types.Var)
		if !ok || v.IsField() || all[v] || types.Identical(v.Type(), types.Universe.Lookup("error").Type()) {
			return true
		}
		all[v] = true
		for _, s := range c.origins.sources[v] {
			if s.expr != nil {
				ast.Inspect(s.expr, visit)
			}
		}
		return true
	}
	ast.Inspect(n, visit)
	return all
}

func isChannel(t types.Type) bool {
	if t == nil {
		return false
	}
	_, ok := t.Underlying().(*types.Chan)
	return ok
}

// isClock reports whether t is a channel of a timer: nobody but the clock sends on it.
func isClock(t types.Type) bool { return isNamed(elem(t), "time", "Time") }

func isPipe(t types.Type) bool { return isNamed(t, "io", "PipeReader", "PipeWriter") }
