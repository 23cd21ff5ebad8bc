package published_test

import (
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// packages are those that a document may name, by the name it gives them.
var packages = map[string]string{
	"taskpool":   "github.com/elite-libs/taskpool/core",
	"pooltest":   "github.com/elite-libs/taskpool/core/pooltest",
	"tasktest":   "github.com/elite-libs/taskpool/core/tasktest",
	"otelpool":   "github.com/elite-libs/taskpool/core/otelpool",
	"httppool":   "github.com/elite-libs/taskpool/nethttp",
	"ginpool":    "github.com/elite-libs/taskpool/gin",
	"echopool":   "github.com/elite-libs/taskpool/echo",
	"fiberpool":  "github.com/elite-libs/taskpool/fiber",
	"gin":        "github.com/gin-gonic/gin",
	"echo":       "github.com/labstack/echo/v4",
	"middleware": "github.com/labstack/echo/v4/middleware",
	"fiber":      "github.com/gofiber/fiber/v2",
	"recover":    "github.com/gofiber/fiber/v2/middleware/recover",
	"utils":      "github.com/gofiber/fiber/v2/utils",
	"context":    "context",
	"errors":     "errors",
	"fmt":        "fmt",
	"http":       "net/http",
	"httptest":   "net/http/httptest",
	"log":        "log",
	"net":        "net",
	"os":         "os",
	"signal":     "os/signal",
	"slog":       "log/slog",
	"synctest":   "testing/synctest",
	"syscall":    "syscall",
	"testing":    "testing",
	"time":       "time",
}

// known are the names that a piece of a program in a document may use without saying what they are. The pieces end with
// an err. What each stands for is added in this order, if the piece uses it.
var known = []struct{ name, statement string }{
	{"ctx", "ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)\n\tdefer stop()"},
	{"pool", "pool := taskpool.New(taskpool.Config{})"},
	{"scope", "_, exchange := taskpool.New(taskpool.Config{}).Begin(context.Background()); scope := exchange.Scope()"},
	{"ln", `ln, listenErr := net.Listen("tcp", ":8080")` + "\n\tif listenErr != nil {\n\t\tlog.Fatal(listenErr)\n\t}"},
	{"sendReceipt", `sendReceipt := func(context.Context) error { fmt.Println("receipt sent"); return nil }`},
	{"charge", `charge := func(context.Context) error { fmt.Println("charged"); return nil }`},
}

// handler is what the tests that a document shows may test without saying what it is. It stages one task.
const handler = `
var handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
	_ = taskpool.FromContext(r.Context()).Submit(taskpool.Job{
		Name: "receipt", Start: taskpool.StartOnSuccess, Run: func(context.Context) error { return nil },
	})
})

`

// isTest reports whether a block is a test.
func (s snippet) isTest() bool { return strings.HasPrefix(s.text, "func Test") }

// program makes a block of Go a whole program, or the file of a test: what declares its package is one, around a piece
// goes what it needs. The lines of the block keep their numbers, for the messages of the compiler.
func (s snippet) program(t *testing.T) string {
	t.Helper()
	line := fmt.Sprintf("//line %s:%d\n", path.Base(s.path), s.line)
	if strings.HasPrefix(s.text, "package ") {
		return line + s.text
	}
	if s.isTest() {
		body := handler + line + s.text
		return "package main\n\n" + s.imports(t, body) + body
	}
	if !strings.Contains(s.text, "err :=") {
		t.Fatalf("%s:%d: a piece of a program ends with an err, which decides how what is made of it exits", s.path, s.line)
	}
	var setup strings.Builder
	free := s.free(t, "package main; func main() {\n"+s.text+"}\n")
	for _, k := range known {
		if free[k.name] {
			fmt.Fprintf(&setup, "\t%s\n", k.statement)
		}
	}
	body := setup.String() + "\t{\n" + line + s.text + "//line after.go:1\n\t\tif err != nil {\n\t\t\tlog.Fatal(err)\n\t\t}\n\t}\n"

	whole := "func main() {\n" + body + "}\n"
	return "package main\n\n" + s.imports(t, whole) + "\n" + whole
}

// imports are the import declarations for what some declarations use.
func (s snippet) imports(t *testing.T, declarations string) string {
	t.Helper()
	var imports strings.Builder
	free := s.free(t, "package main; "+declarations)
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		if free[name] {
			fmt.Fprintf(&imports, "import %s %q\n", name, packages[name])
		}
	}
	return imports.String()
}

// free are the names that a file uses and does not declare.
func (s snippet) free(t *testing.T, file string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "", file, 0)
	if err != nil {
		t.Fatalf("%s:%d: %v, counted from there", s.path, s.line, err)
	}
	names := map[string]bool{}
	for _, ident := range parsed.Unresolved {
		names[ident.Name] = true
	}
	return names
}

// programs are the blocks of Go in a document, each by itself.
func (d document) programs() (blocks []snippet) {
	for _, b := range d.blocks {
		if b.lang == "go" {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// formatted reports whether gofmt would leave a block, or a piece of one, as it is.
func (s snippet) formatted() bool {
	got, err := format.Source([]byte(s.text))
	return err != nil || string(got) == s.text // an error is the compiler's to tell
}
