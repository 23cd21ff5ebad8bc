package poolvet

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
)

// readsRoute reports whether a use reads the RouteContext of chi, which chi gives
// to another request once the handler has returned. From the context that a task is
// given it may: taskpool has put a copy there.
func (c *checker) readsRoute(u use) bool {
	switch u.kind {
	case request, loneRequest, canceled, detached:
	default:
		return false
	}
	if u.at.ParentEdgeKind() == edge.CallExpr_Args {
		f := callee(c.TypesInfo, u.at.Parent().Node().(*ast.CallExpr))
		return isFunc(f, chiPath, "URLParam", "URLParamFromCtx", "RouteContext")
	}
	if u.member != "Value" {
		return false
	}
	call, ok := u.at.Parent().Parent().Node().(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return false
	}
	key, ok := ast.Unparen(call.Args[0]).(*ast.SelectorExpr)
	return ok && key.Sel.Name == "RouteCtxKey" && isPackage(c.TypesInfo.Uses[key.Sel].Pkg(), chiPath)
}

func isMethod(o types.Object) bool {
	f, ok := o.(*types.Func)
	return ok && f.Signature().Recv() != nil
}
