package poolvet_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/elite-libs/taskpool/core/poolvet"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

// A tool of one's own runs the analyzer beside others: with multichecker.Main, as
// the command poolvet does, or so.
func ExampleAnalyzer() {
	config := &packages.Config{Mode: packages.LoadSyntax}
	config.Dir = analysistest.TestData() // a GOPATH with a package "shop"; a module needs no Env
	config.Env = append(os.Environ(), "GO111MODULE=off", "GOWORK=off", "GOPATH="+config.Dir)
	pkgs, err := packages.Load(config, "shop")
	if err != nil {
		log.Fatal(err)
	}
	graph, err := checker.Analyze([]*analysis.Analyzer{poolvet.Analyzer}, pkgs, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, action := range graph.Roots {
		for _, d := range action.Diagnostics {
			at := action.Package.Fset.Position(d.Pos)
			fmt.Printf("%s:%d: %s\n", filepath.Base(at.Filename), at.Line, d.Message)
		}
	}
	// Output:
	// shop.go:12: go statement in a handler uses r.Context(), which is canceled when the handler returns: give the work to taskpool.FromContext(ctx).Add, or wait for it
	// shop.go:13: the error of Scope.OnSuccess is ignored, and with it a refusal, after which the work never runs: handle it, or assign it to _
}
