package poolvet

import (
	"go/ast"
	"go/constant"
	"go/types"

	"golang.org/x/tools/go/ast/inspector"
)

// A task is a function that a pool is to run.
type task struct {
	lit    *ast.FuncLit
	given  inspector.Cursor // where it is given to the pool, or becomes a Task
	staged bool             // it starts after the response: no handler can wait for it
}

// findTasks finds the function literals that are tasks.
func (c *checker) findTasks() (all []task) {
	add := func(at inspector.Cursor, e ast.Expr, staged bool) {
		for _, lit := range c.literals(e) {
			all = append(all, task{lit, at, staged})
		}
	}
	for at := range c.root.Preorder((*ast.CallExpr)(nil), (*ast.CompositeLit)(nil), (*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil), (*ast.ReturnStmt)(nil)) {
		switch n := at.Node().(type) {
		case *ast.CallExpr:
			c.called(at, n, add)
		case *ast.CompositeLit:
			c.composed(at, n, add)
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if len(n.Lhs) == len(n.Rhs) && isTask(c.TypesInfo.TypeOf(left)) {
					add(at, n.Rhs[i], false)
				}
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if len(n.Names) == len(n.Values) && isTask(c.TypesInfo.TypeOf(name)) {
					add(at, n.Values[i], false)
				}
			}
		case *ast.ReturnStmt:
			results := c.results(at)
			for i, e := range n.Results {
				if results != nil && results.Len() == len(n.Results) && isTask(results.At(i).Type()) {
					add(at, e, false)
				}
			}
		}
	}
	return all
}

// called adds what a call gives to a pool.
func (c *checker) called(at inspector.Cursor, call *ast.CallExpr, add func(inspector.Cursor, ast.Expr, bool)) {
	if t := c.TypesInfo.Types[call.Fun]; t.IsType() && isTask(t.Type) {
		add(at, call.Args[0], false)
		return
	} else if t.IsBuiltin() && len(call.Args) > 1 && isTask(elem(c.TypesInfo.TypeOf(call.Args[0]))) { // append
		for _, e := range call.Args[1:] {
			add(at, e, false)
		}
		return
	}
	f := callee(c.TypesInfo, call)
	switch {
	case isPoolMethod(f, "Add", "AfterResponse", "OnSuccess", "OnFailure"):
		for _, e := range call.Args {
			add(at, e, f.Name() != "Add")
		}
	case isFunc(f, corePath, "Async") && len(call.Args) == 2:
		add(at, call.Args[1], false)
	case isFunc(f, corePath, "AsyncJob") && len(call.Args) == 3:
		job, _ := ast.Unparen(call.Args[1]).(*ast.CompositeLit)
		add(at, call.Args[2], c.stages(job))
	}
}

// composed adds the Run of a Job, and the elements of a list of tasks.
func (c *checker) composed(at inspector.Cursor, lit *ast.CompositeLit, add func(inspector.Cursor, ast.Expr, bool)) {
	t := c.TypesInfo.TypeOf(lit)
	isJob, isList := isNamed(t, corePath, "Job"), isTask(elem(t))
	for _, e := range lit.Elts {
		kv, keyed := e.(*ast.KeyValueExpr)
		switch {
		case isJob && keyed:
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Run" {
				add(at, kv.Value, c.stages(lit))
			}
		case isList && keyed:
			add(at, kv.Value, false)
		case isList:
			add(at, e, false)
		}
	}
}

// stages reports whether a job says that it starts after the response.
func (c *checker) stages(job *ast.CompositeLit) bool {
	if job == nil {
		return false
	}
	for _, e := range job.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Start" {
				v := c.TypesInfo.Types[kv.Value].Value
				return v != nil && constant.Sign(v) != 0
			}
		}
	}
	return false
}

// elem is the element type of a list or map; nil for anything else.
func elem(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	if e, ok := t.Underlying().(interface{ Elem() types.Type }); ok {
		return e.Elem()
	}
	return nil
}

// results are what the function around a cursor returns.
func (c *checker) results(at inspector.Cursor) *types.Tuple {
	for fn := range at.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		var t types.Type
		switch n := fn.Node().(type) {
		case *ast.FuncDecl:
			t = c.TypesInfo.TypeOf(n.Name)
		case *ast.FuncLit:
			t = c.TypesInfo.TypeOf(n)
		}
		if sig, ok := t.(*types.Signature); ok {
			return sig.Results()
		}
		return nil
	}
	return nil
}

// checkTasks reports tasks that capture what ends with the request.
func (c *checker) checkTasks(tasks []task) {
	for _, t := range tasks {
		uses := c.uses(t.lit)
		if len(uses) == 0 || !t.staged && c.waitedFor(t.given) {
			continue
		}
		for _, u := range uses {
			if u.kind != userContext { // a task may have it: it does not end
				c.report(u.expr, "task uses %s, %s: %s", c.name(u), u.spoils(), u.remedy())
			}
		}
	}
}

// remedy says what a task can use instead.
func (u use) remedy() string {
	if u.route {
		return "read it in the handler, or from the context that the task is given"
	}
	switch u.kind {
	case body, upload:
		return "read it in the handler"
	case canceled:
		return "use the context that the task is given"
	case memory:
		return "copy it in the handler, with utils.CopyString or utils.CopyBytes"
	case writer:
		return "answer in the handler"
	}
	return "take what the task needs in the handler"
}
