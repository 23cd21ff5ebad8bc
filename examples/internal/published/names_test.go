package published_test

import (
	"go/importer"
	"go/scanner"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// values are the variables that the documents write in lower case, and what they are.
var values = map[string]string{"pool": "Pool", "scope": "Scope"}

// others are names between backticks that are not this library's: fields of HTTP, and names of net/http, Gin and Fiber.
var others = regexp.MustCompile(`^(RateLimit|Retry-After|Content-Length|X-RateLimit-\*|ResponseWriter|HandleContext|RestartRouting)$`)

// Every exported name between backticks is one that there is: of a package, of one of our types, or, where a document
// says a name alone, of any of ours. What core/bench says of its peers is only looked at for packages.
func TestNamesExist(t *testing.T) {
	pkgs := load(t)
	n := 0
	for _, d := range documents(t) {
		for _, s := range d.spans {
			if others.MatchString(s.text) || strings.HasPrefix(s.text, "make ") {
				continue
			}
			for _, name := range names(s.text) {
				n++
				switch pkg, ok := pkgs[name.of]; {
				case ok:
					if pkg.Scope().Lookup(name.name) == nil {
						s.errorf(t, "package %s has no %s", name.of, name.name)
					}
				case filepath.Dir(d.path) != ".":
				case name.of != "":
					pkgs.checkMember(t, s, name)
				case !pkgs.exported(name.name):
					s.errorf(t, "%s is exported by no package here, nor by a type of one", name.name)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("got %d names, want 50 or more", n)
	}
}

// A name is an exported one, of what stands before its dot.
type name struct{ of, name string }

// names are those in a piece of code, which need not be whole.
func names(code string) (found []name) {
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(code))
	s.Init(file, []byte(code), func(token.Position, string) {}, 0)
	var before, dot string // the word before the dot, if this is a word behind one
	for {
		_, tok, text := s.Scan()
		switch {
		case tok == token.EOF:
			return found
		case tok == token.PERIOD:
			dot = before
			before = ""
			if dot == "" {
				dot = "?" // what a call gave
			}
			continue
		case tok == token.IDENT && token.IsExported(text) && dot != "?":
			found = append(found, name{of: dot, name: text})
		}
		before, dot = "", ""
		if tok == token.IDENT {
			before = text
		}
	}
}

// library is the packages that the documents may name.
type library map[string]*types.Package

// load reads what the compiler exported.
func load(t *testing.T) library {
	t.Helper()
	args := append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}"}, slices.Sorted(maps.Values(packages))...)
	exports := map[string]string{}
	for line := range strings.Lines(output(t, filepath.Join(root(t), "examples"), nil, "go", args...)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[path] = file
	}
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	pkgs := library{}
	for name, path := range packages {
		pkg, err := imp.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		pkgs[name] = pkg
	}
	return pkgs
}

// checkMember checks a name behind the dot of a type, or of a variable.
func (l library) checkMember(t *testing.T, s snippet, n name) {
	t.Helper()
	typ := n.of
	if v, ok := values[typ]; ok {
		typ = v
	}
	if !token.IsExported(typ) { // a variable of somebody else's type
		return
	}
	for _, pkg := range l.ours() {
		if obj, ok := pkg.Scope().Lookup(typ).(*types.TypeName); ok && has(obj, n.name) {
			return
		}
	}
	s.errorf(t, "no %s.%s", typ, n.name)
}

// exported reports whether a name alone is one of ours.
func (l library) exported(name string) bool {
	for _, pkg := range l.ours() {
		for _, in := range pkg.Scope().Names() {
			obj := pkg.Scope().Lookup(in)
			if typ, ok := obj.(*types.TypeName); obj.Exported() && (in == name || ok && has(typ, name)) {
				return true
			}
		}
	}
	return false
}

func (l library) ours() (pkgs []*types.Package) {
	for _, name := range slices.Sorted(maps.Keys(l)) {
		if strings.HasPrefix(packages[name], "github.com/elite-libs/taskpool/") {
			pkgs = append(pkgs, l[name])
		}
	}
	return pkgs
}

// has reports whether a type has a field or a method of that name.
func has(typ *types.TypeName, name string) bool {
	obj, _, _ := types.LookupFieldOrMethod(typ.Type(), true, typ.Pkg(), name)
	return obj != nil
}
