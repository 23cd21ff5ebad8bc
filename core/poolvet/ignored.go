package poolvet

import (
	"go/ast"
	"go/types"
)

// checkIgnored reports calls whose refusal nobody can see.
func (c *checker) checkIgnored() {
	for at := range c.root.Preorder((*ast.ExprStmt)(nil), (*ast.GoStmt)(nil), (*ast.DeferStmt)(nil)) {
		var e ast.Expr
		switch n := at.Node().(type) {
		case *ast.ExprStmt:
			e = n.X
		case *ast.GoStmt:
			e = n.Call
		case *ast.DeferStmt:
			e = n.Call
		}
		call, ok := ast.Unparen(e).(*ast.CallExpr)
		if !ok {
			continue
		}
		f := callee(c.TypesInfo, call)
		if isPoolMethod(f, "Add", "Submit", "AfterResponse", "OnSuccess", "OnFailure") || isFunc(f, corePath, "AsyncJob") {
			c.ignored(call, f)
		}
	}
}

func (c *checker) ignored(call *ast.CallExpr, f *types.Func) {
	name := f.Name()
	if recv := receiver(f); recv != nil {
		if p, ok := types.Unalias(recv).(*types.Pointer); ok {
			recv = p.Elem()
		}
		name = types.TypeString(recv, func(*types.Package) string { return "" }) + "." + name
	}
	c.report(call, "the error of %s is ignored, and with it a refusal, after which the work never runs: handle it, or assign it to _", name)
}
