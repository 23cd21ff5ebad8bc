package published_test

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// elsewhere are the functions and methods that have no Example of their own, and the one that shows them.
var elsewhere = map[string]string{
	"taskpool.New":               "taskpool.ExampleConfig",
	"taskpool.Outcome.Exact":     "httppool.ExampleTrack",
	"taskpool.Outcome.Success":   "taskpool.ExampleScope_Fail",
	"taskpool.Pool.FreeLane":     "taskpool.ExamplePool_Lanes",
	"taskpool.Permanent":         "taskpool.ExampleBackoff",
	"taskpool.Pool.Resume":       "taskpool.ExamplePool_Pause",
	"taskpool.Report.Err":        "taskpool.ExamplePool_Drain",
	"taskpool.Scope.OnFailure":   "taskpool.ExampleScope_OnSuccess",
	"taskpool.Scope.Outcome":     "taskpool.ExampleScope_AfterResponse",
	"taskpool.Scope.Pool":        "taskpool.ExamplePerRequest",
	"taskpool.Exchange.Scope":    "taskpool.ExamplePool_Begin",
	"taskpool.Exchange.Returned": "taskpool.ExamplePool_Begin",
	"taskpool.Exchange.Sent":     "taskpool.ExamplePool_Begin",
	"httppool.Exchange.End":      "httppool.ExampleBegin",
	"httppool.Ready":             "httppool.ExampleServeWith",
	"fiberpool.Ready":            "fiberpool.ExampleServeWith",
	"riverpool.New":              "riverpool.Example",
	"riverpool.Define":           "riverpool.ExampleRowOf",
	"riverpool.Queue.Done":       "riverpool.Example",
	"riverpool.Queue.Migrate":    "riverpool.Example",
	"riverpool.Queue.OnSuccess":  "riverpool.Example",
	"riverpool.Queue.Run":        "riverpool.ExampleQueue_SubmitTx",
	"riverpool.Queue.Start":      "riverpool.Example",
	"riverpool.Queue.Submit":     "riverpool.ExampleQueue_Client",
	"riverpool.Task.Job":         "riverpool.Example",
	"riverpool.Task.Name":        "riverpool.ExampleQueue_Client",
	"otelpool.Hooks":             "otelpool.Example_prometheus",
	"otelpool.Observe":           "otelpool.Example_prometheus",
	"otelpool.Carrier.Inject":    "otelpool.ExampleCarrier",
	"otelpool.Carrier.Extract":   "otelpool.ExampleCarrier",
	"poolpage.New":               "poolpage.Example",
	"poolpage.Page.Show":         "poolpage.Example",
	"poolpage.Page.Close":        "poolpage.Example",
	"poolpage.Page.ServeHTTP":    "poolpage.ExamplePage_ShowStored",
	"tasktest.NewRecorder":       "tasktest.ExampleRecorder",
	"tasktest.Recorder.Ended":    "tasktest.ExampleRecorder_Advance",
	"tasktest.Recorder.Pause":    "tasktest.ExampleRecorder_Waiting",
	"tasktest.Recorder.Resume":   "tasktest.ExampleRecorder_Waiting",
	"tasktest.Recorder.Wait":     "tasktest.ExampleRecorder",
}

// uncalled are those that nobody calls who writes a server: other packages do, or an adapter, for which those of this
// repository are the example.
var uncalled = regexp.MustCompile(`\.(String|MarshalText|Error|Unwrap|RoundTrip|CloseIdleConnections)$` + // fmt, encoders, errors, net/http
	`|^taskpool\.Exchange\.(Held|Hold|Hijacked|Reused|Value)$|^fastpool\.|^taskpool\.Holder\.|^httppool\.Exchange\.(Failed|Hijacked|Reused|Scope|Status)$|^(tasktest\.Recorder|riverpool\.Queue)\.Begin$` + // an adapter
	`|^pooltest\.(Test|Chaos|Soak|HTTP|HTTPExchange\..*)$`) // its test

// Every exported function and method that a user calls has an Example that runs. go doc shows it in its place if it has
// the name of what it shows.
func TestEntryPointsHaveExamples(t *testing.T) {
	examples := map[string]*doc.Example{}
	var entries []string
	for _, dir := range append([]string{"core/pooltest", "core/tasktest", "core/poolpage"}, released...) {
		fset := token.NewFileSet()
		code, tests := sources(t, fset, dir)
		pkg, err := doc.NewFromFiles(fset, code, path.Join(repository, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range doc.Examples(tests...) {
			name := pkg.Name + ".Example" + e.Name
			examples[name] = e
			if e.Output == "" && !e.EmptyOutput {
				t.Errorf("%s has no output, so it is not run", name)
			}
		}
		entries = append(entries, called(pkg)...)
	}
	if len(entries) < 50 {
		t.Errorf("got %d functions and methods, want 50 or more", len(entries))
	}
	for _, entry := range entries {
		pkg, symbol, _ := strings.Cut(entry, ".")
		own := pkg + ".Example" + strings.ReplaceAll(symbol, ".", "_")
		name := elsewhere[entry]
		switch {
		case examples[own] != nil:
			if name != "" {
				t.Errorf("%s has an Example of its own: it need not be shown by %s", entry, name)
			}
		case name == "":
			t.Errorf("%s has no Example: write %s, or say which one shows it", entry, own)
		case examples[name] == nil || !uses(examples[name].Code, entry[strings.LastIndex(entry, ".")+1:]):
			t.Errorf("%s does not show %s", name, entry)
		}
	}
	for _, entry := range slices.Sorted(maps.Keys(elsewhere)) {
		if !slices.Contains(entries, entry) {
			t.Errorf("there is no %s to be shown", entry)
		}
	}
}

// sources are the files of a package, and those of its tests.
func sources(t *testing.T, fset *token.FileSet, dir string) (code, tests []*ast.File) {
	t.Helper()
	for _, file := range files(t) {
		if path.Dir(file) != dir || path.Ext(file) != ".go" {
			continue
		}
		parsed, err := parser.ParseFile(fset, filepath.Join(root(t), file), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			tests = append(tests, parsed)
		} else {
			code = append(code, parsed)
		}
	}
	return code, tests
}

// called are the functions and methods of a package that its users call, as go doc lists them, and its analyzer.
func called(pkg *doc.Package) (names []string) {
	funcs := slices.Clone(pkg.Funcs)
	for _, typ := range pkg.Types {
		funcs = append(append(funcs, typ.Funcs...), typ.Methods...)
	}
	for _, f := range funcs {
		name := pkg.Name + "." + f.Name
		if f.Recv != "" {
			recv, _, _ := strings.Cut(strings.TrimPrefix(f.Recv, "*"), "[")
			name = fmt.Sprintf("%s.%s.%s", pkg.Name, recv, f.Name)
		}
		names = append(names, name)
	}
	for _, v := range pkg.Vars {
		if slices.Equal(v.Names, []string{"Analyzer"}) {
			names = append(names, pkg.Name+".Analyzer")
		}
	}
	return slices.DeleteFunc(names, uncalled.MatchString)
}

// uses reports whether code has a name behind a dot.
func uses(code ast.Node, name string) (found bool) {
	ast.Inspect(code, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		found = found || ok && sel.Sel.Name == name
		return !found
	})
	return found
}
