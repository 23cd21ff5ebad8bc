package poolvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// A use is where work in the background touches what belongs to a request.
type use struct {
	v    *types.Var       // which the work captures
	at   inspector.Cursor // the largest expression around it that still has a kind
	expr ast.Expr         // the same, to name in the report
	kind kind

	member string // field or method of it that is selected; empty if it is used as it is
	route  bool   // chi's RouteContext is read from it
}

// uses are those, within a function, of what it captures, that the end of the
// request can spoil, each once by its name.
func (c *checker) uses(lit *ast.FuncLit) []use {
	at, ok := c.root.FindNode(lit)
	if !ok {
		return nil
	}
	type key struct {
		v     *types.Var
		name  string
		asked bool // whether it has ended: what hands it on counts besides
	}
	seen := make(map[key]bool)
	var all []use
	for id := range at.Preorder((*ast.Ident)(nil)) {
		u, ok := c.useOf(id, false)
		if !ok || within(u.v, lit) || !c.spoiled(u) {
			continue
		}
		k := key{u.v, c.name(u), u.endsWithRequest() && u.member != ""}
		if !seen[k] {
			seen[k] = true
			all = append(all, u)
		}
	}
	return all
}

func within(v *types.Var, n ast.Node) bool { return n.Pos() <= v.Pos() && v.Pos() < n.End() }

// useOf is the use that an identifier makes of a local variable. In the
// background the writer and a reused context are spoiled, whatever is made of
// them; before that, made says, it is what is made of them that counts.
func (c *checker) useOf(at inspector.Cursor, made bool) (use, bool) {
	id := at.Node().(*ast.Ident)
	v, ok := c.TypesInfo.Uses[id].(*types.Var)
	if !ok || v.IsField() || v.Parent() == nil || v.Parent() == c.Pkg.Scope() {
		return use{}, false
	}
	u := use{v: v, at: at, expr: id, kind: c.origins.ofVariable(v)}
	if u.kind == none || u.kind == recursive {
		return use{}, false
	}
	for made || u.kind != reused && u.kind != writer {
		next, ok := c.larger(u.at)
		if !ok {
			break
		}
		u.at, u.expr = next, next.Node().(ast.Expr)
		u.kind = c.origins.of(u.expr)
	}
	if sel, ok := u.at.Parent().Node().(*ast.SelectorExpr); ok && u.at.ParentEdgeKind() == edge.SelectorExpr_X {
		u.member = sel.Sel.Name
	}
	u.route = c.readsRoute(u)
	return u, true
}

// larger is the next expression around one that is made of it and has a kind.
func (c *checker) larger(at inspector.Cursor) (inspector.Cursor, bool) {
	next := at.Parent()
	switch k, i := at.ParentEdge(); k {
	case edge.ParenExpr_X, edge.TypeAssertExpr_X, edge.SliceExpr_X, edge.IndexExpr_X, edge.StarExpr_X:
	case edge.SelectorExpr_X:
		if next.ParentEdgeKind() == edge.CallExpr_Fun {
			next = next.Parent()
		}
	case edge.CallExpr_Args:
		call := next.Node().(*ast.CallExpr)
		f := callee(c.TypesInfo, call)
		if i != 0 || !c.TypesInfo.Types[call.Fun].IsType() && !isDeriving(f) {
			return next, false
		}
	default:
		return next, false
	}
	e, ok := next.Node().(ast.Expr)
	return next, ok && c.origins.of(e) != none
}

// readsBody are the methods and fields of a request that need its body, or the
// files that the server removes with it.
var readsBody = []string{"FormFile", "FormValue", "MultipartForm", "MultipartReader", "ParseForm", "ParseMultipartForm", "PostFormValue", "Write", "WriteProxy"}

// spoiled reports whether a use meets what ends with the request.
func (c *checker) spoiled(u use) bool {
	if u.at.ParentEdgeKind() == edge.BinaryExpr_X || u.at.ParentEdgeKind() == edge.BinaryExpr_Y {
		return u.kind == memory // a comparison with nil
	}
	if u.route {
		return true
	}
	switch u.kind {
	case writer, reused, body:
		return true
	case memory: // what else is selected of it holds none
		sel, ok := u.at.Parent().Node().(*ast.SelectorExpr)
		return u.member == "" || ok && isMethod(c.TypesInfo.Uses[sel.Sel])
	case upload:
		return u.member == "" || u.member == "Open"
	case request:
		return u.member == "" || slices.Contains(readsBody, u.member) && !c.origins.bodies[u.v]
	case loneRequest:
		return slices.Contains(readsBody, u.member) && !c.origins.bodies[u.v]
	case canceled, userContext:
		return u.member != "Value" && !c.readsValues(u.at)
	}
	return false
}

// readsValues reports whether a context is handed to what only reads its values.
func (c *checker) readsValues(at inspector.Cursor) bool {
	if at.ParentEdgeKind() != edge.CallExpr_Args {
		return false
	}
	f := callee(c.TypesInfo, at.Parent().Node().(*ast.CallExpr))
	return f != nil && (strings.HasSuffix(f.Name(), "FromContext") || isFunc(f, "context", "Cause") || f.Pkg() != nil && f.Pkg().Path() == "log/slog")
}

// spoils says, after the name of what is used, what the end of the request does
// to it.
func (u use) spoils() string {
	if u.route {
		return "from which chi's route is read, another request's once the handler has returned"
	}
	switch u.kind {
	case upload:
		return "whose file the server may remove when the request ends"
	case body:
		return "which is closed when the handler has returned"
	case request, loneRequest:
		if u.member != "" {
			return "which needs the body, closed when the handler has returned"
		}
		return "whose body is closed and whose context is canceled when the handler returns"
	case canceled:
		return "which is canceled when the handler returns"
	case reused:
		return "which is another request's once the handler has returned"
	case memory:
		return "whose memory Fiber gives to another request once the handler has returned"
	case writer:
		return "which must not be used once the handler has returned"
	}
	return "which belongs to the request"
}

// name is what a report calls the thing that is used.
func (c *checker) name(u use) string {
	switch u.kind {
	case writer, reused:
		return c.describe(u.expr)
	case request, loneRequest:
		if u.member != "" {
			return types.ExprString(u.expr) + "." + u.member
		}
	}
	return types.ExprString(u.expr)
}

// literals are the functions that e is, or that are assigned to the variable
// that it is.
func (c *checker) literals(e ast.Expr) []*ast.FuncLit {
	switch e := ast.Unparen(e).(type) {
	case *ast.FuncLit:
		return []*ast.FuncLit{e}
	case *ast.CallExpr:
		if c.TypesInfo.Types[e.Fun].IsType() && len(e.Args) == 1 {
			return c.literals(e.Args[0])
		}
	case *ast.Ident:
		var all []*ast.FuncLit
		for _, s := range c.origins.sources[c.origins.variable(e)] {
			if lit, ok := ast.Unparen(orNil(s.expr)).(*ast.FuncLit); ok {
				all = append(all, lit)
			}
		}
		return all
	}
	return nil
}

// isReceive reports whether e receives from a channel, and gives the channel.
func isReceive(e ast.Expr) (ch ast.Expr, ok bool) {
	u, ok := ast.Unparen(e).(*ast.UnaryExpr)
	if !ok || u.Op != token.ARROW {
		return nil, false
	}
	return ast.Unparen(u.X), true
}
