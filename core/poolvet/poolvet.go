package poolvet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// Analyzer reports background work that uses what ends with its request, and
// refusals of the pool that are dropped. The package comment has the rules.
var Analyzer = &analysis.Analyzer{
	Name: "poolvet",
	Doc: `report background work that uses what ends with its request

In a handler it reports go statements that use the request's context, and tasks
of a taskpool that capture the response writer, the request's body or context,
or the context of Gin, Echo or Fiber. Everywhere it reports an error of Add,
AfterResponse, OnSuccess, OnFailure, Submit or AsyncJob that is dropped.`,
	URL:      "https://pkg.go.dev/github.com/elite-libs/taskpool/core/poolvet",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

var immutable bool

func init() {
	Analyzer.Flags.BoolVar(&immutable, "immutable", false, "Fiber apps are made with Immutable: tasks may capture their strings")
}

// A checker is the state of one run over one package.
type checker struct {
	*analysis.Pass
	root     inspector.Cursor
	origins  *origins
	reported map[report]bool // a use inside two nested tasks is one fault
}

func run(pass *analysis.Pass) (any, error) {
	root := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Root()
	c := &checker{
		Pass:     pass,
		root:     root,
		origins:  findOrigins(pass.TypesInfo, root),
		reported: make(map[report]bool),
	}
	tasks := c.findTasks()
	c.checkTasks(tasks)
	c.checkGoStatements(tasks)
	c.checkIgnored()
	return nil, nil
}

type report struct {
	pos  token.Pos
	text string
}

func (c *checker) report(n ast.Node, format string, args ...any) {
	r := report{n.Pos(), fmt.Sprintf(format, args...)}
	if !c.reported[r] {
		c.reported[r] = true
		c.ReportRangef(n, "%s", r.text)
	}
}

// describe names an expression with its type, such as "c (*gin.Context)".
func (c *checker) describe(e ast.Expr) string {
	return types.ExprString(e) + " (" + types.TypeString(c.TypesInfo.TypeOf(e), (*types.Package).Name) + ")"
}
