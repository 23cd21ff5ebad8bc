package poolvet

import (
	"go/ast"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// checkGoStatements reports goroutines that use the context of a request and
// that its handler does not wait for.
func (c *checker) checkGoStatements(tasks []task) {
	inTask := make(map[ast.Node]bool)
	for _, t := range tasks {
		inTask[t.lit] = true
	}
	for at := range c.root.Preorder((*ast.GoStmt)(nil)) {
		if enclosed(at, inTask) {
			continue // what it uses is reported as the task's
		}
		u, ok := c.goUse(at, inTask)
		if ok && !c.waitedFor(at) {
			c.report(at.Node(), "go statement in a handler uses %s, %s: give the work to taskpool.FromContext(ctx).Add, or wait for it", c.name(u), u.spoils())
		}
	}
}

func enclosed(at inspector.Cursor, in map[ast.Node]bool) bool {
	for lit := range at.Enclosing((*ast.FuncLit)(nil)) {
		if in[lit.Node()] {
			return true
		}
	}
	return false
}

// goUse is the first use of a request that a go statement makes.
func (c *checker) goUse(at inspector.Cursor, inTask map[ast.Node]bool) (use, bool) {
	call := at.Node().(*ast.GoStmt).Call
	for _, e := range append([]ast.Expr{call.Fun}, call.Args...) {
		for _, lit := range c.literals(e) {
			watches := c.watches(lit)
			for _, u := range c.uses(lit) {
				watching := watches && u.endsWithRequest() && u.member != ""
				if c.ofRequest(u) && !watching && !enclosed(u.at, inTask) {
					return u, true
				}
			}
		}
	}
	for id := range at.Preorder((*ast.Ident)(nil)) {
		u, ok := c.useOf(id, true)
		if ok && c.ofRequest(u) && c.spoiled(u) && handedOver(u.at, call) {
			return u, true
		}
	}
	return use{}, false
}

// ofRequest reports whether a use is one of the request as a whole, or of a
// context of it.
func (c *checker) ofRequest(u use) bool {
	return u.kind == request && u.member == "" || u.endsWithRequest() || u.kind == reused
}

// endsWithRequest reports whether a use is one of a context of the request.
func (u use) endsWithRequest() bool { return u.kind == canceled || u.kind == userContext }

// handedOver reports whether an expression is what the goroutine gets: an argument
// of its call, or part of one, or the receiver. What an argument is computed
// from is used before the goroutine starts.
func handedOver(at inspector.Cursor, call *ast.CallExpr) bool {
	for ; ; at = at.Parent() {
		switch at.ParentEdgeKind() {
		case edge.ParenExpr_X, edge.UnaryExpr_X, edge.KeyValueExpr_Value, edge.CompositeLit_Elts:
		case edge.SelectorExpr_X:
			sel := at.Parent()
			return sel.ParentEdgeKind() == edge.CallExpr_Fun && sel.Parent().Node() == call
		case edge.CallExpr_Args:
			return at.Parent().Node() == call
		default:
			return false
		}
	}
}

// watches reports whether a goroutine first of all waits for the end of a context
// of the request, or something else, to do something then: it is meant to end with it.
func (c *checker) watches(lit *ast.FuncLit) bool {
	if len(lit.Body.List) == 0 {
		return false
	}
	s := lit.Body.List[0]
	if loop, ok := s.(*ast.ForStmt); ok && loop.Cond == nil && len(loop.Body.List) > 0 {
		s = loop.Body.List[0]
	}
	switch s := s.(type) {
	case *ast.ExprStmt:
		return len(lit.Body.List) > 1 && c.isEnd(s.X)
	case *ast.SelectStmt:
		for _, clause := range s.Body.List {
			if comm, ok := clause.(*ast.CommClause).Comm.(*ast.ExprStmt); ok && c.isEnd(comm.X) {
				return true
			}
		}
	}
	return false
}

// isEnd reports whether e waits for the end of a context of the request.
func (c *checker) isEnd(e ast.Expr) bool {
	ch, ok := isReceive(e)
	if !ok {
		return false
	}
	call, ok := ch.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Done" {
		return false
	}
	k := c.origins.of(sel.X)
	return k == canceled || k == userContext
}
