//go:build !race

package poolvet_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/elite-libs/taskpool/core/poolvet"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

// TestAnalyzerIsQuietOnThisRepository looks at every module of the workspace, with
// its tests and examples. It reports what the example "migrate" is there to show,
// the go statement of a handler before there was a pool, and nothing else.
//
// It loads the packages itself: go vet starts a process for each, and for
// each of their thousand dependencies.
func TestAnalyzerIsQuietOnThisRepository(t *testing.T) {
	root := workspace(t)
	work := "GOWORK=" + filepath.Join(root, "go.work")
	modules, err := run(t, root, work, "go", "list", "-m", "-f", "{{.Dir}}/...")
	if err != nil {
		t.Fatalf("%v\n%s", err, modules)
	}
	patterns := strings.Fields(modules)
	if len(patterns) < 6 {
		t.Fatalf("the workspace has %q, want all modules", patterns)
	}
	pkgs, err := packages.Load(&packages.Config{
		Context: t.Context(), Mode: packages.LoadSyntax | packages.NeedModule, Dir: root, Env: append(os.Environ(), work), Tests: true,
	}, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range pkgs {
		for _, err := range pkg.Errors {
			t.Errorf("%s: %v", pkg.ID, err)
		}
	}
	graph, err := checker.Analyze([]*analysis.Analyzer{poolvet.Analyzer}, pkgs, nil)
	if err != nil {
		t.Fatal(err)
	}
	reports := map[string]bool{} // a file is in its package, and in that with the tests
	for _, action := range graph.Roots {
		if action.Err != nil {
			t.Errorf("%s: %v", action.Package.ID, action.Err)
		}
		for _, d := range action.Diagnostics {
			reports[action.Package.Fset.Position(d.Pos).String()+": "+d.Message] = true
		}
	}
	want := filepath.Join(root, "examples", "migrate", "before.go") + ":"
	if got := slices.Collect(maps.Keys(reports)); len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("got %q, want one report, of %s", got, want)
	}
}
