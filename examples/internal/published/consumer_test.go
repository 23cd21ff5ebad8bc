package published_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/mod/modfile"
)

// consumerEnv is the environment of somebody who knows the modules by their names only. They are unpacked into a module
// cache of its own, as what has a version may never change in the machine's. What the machine has of the frameworks is
// taken from there, the rest from its proxy; it is checked as always.
func consumerEnv(t *testing.T, scratch, proxy string) []string {
	t.Helper()
	var of struct{ GOMODCACHE, GOPROXY string }
	if err := json.Unmarshal([]byte(output(t, scratch, nil, "go", "env", "-json", "GOMODCACHE", "GOPROXY")), &of); err != nil {
		t.Fatal(err)
	}
	cache := "file://" + filepath.ToSlash(filepath.Join(of.GOMODCACHE, "cache/download"))
	return []string{
		"GOWORK=off",
		"GOFLAGS=-mod=mod -modcacherw -trimpath", // -trimpath: builds are cached although their places change
		"GOMODCACHE=" + filepath.Join(scratch, "cache"),
		"GOPROXY=file://" + filepath.ToSlash(proxy) + "," + cache + "," + strings.TrimSuffix(of.GOPROXY, ",direct"),
		"GONOSUMDB=" + repository + "/*", // nobody has summed what is not published
		"GOPRIVATE=", "GONOPROXY=",       // with either, core/poolvet is not found if core is in the cache: go.dev/issue/58116
	}
}

// consume is a fresh module that gets some of ours by version, and runs what the documents show of them.
func consume(t *testing.T, env []string, version string, dirs ...string) {
	dir := t.TempDir()
	output(t, dir, env, "go", "mod", "init", "example.com/consumer")
	get := []string{"get"}
	for _, d := range dirs {
		get = append(get, path.Join(repository, d)+"@"+version)
	}
	programs := programsFor(t, dirs)
	if slices.ContainsFunc(dirs, func(dir string) bool { return slices.Contains([]string{"gin", "echo", "echo/echo5"}, dir) }) { // whose examples are served by it
		get = append(get, path.Join(repository, "nethttp")+"@"+version)
	}
	output(t, dir, env, "go", get...)
	for name, p := range programs {
		write(t, filepath.Join(dir, name, "main.go"), p.source)
	}
	output(t, dir, env, "go", "mod", "tidy")
	checkModules(t, dir, env, version)
	if slices.Equal(dirs, []string{"core"}) {
		checkAlone(t, dir, version)
	}
	for name, p := range programs {
		binary := filepath.Join(dir, name, "program")
		output(t, dir, env, "go", "build", "-o", binary, "./"+name)
		p.run(t, binary)
	}
}

// A program is what a consumer runs. It serves at addr, if it has one.
type program struct{ source, addr string }

// coreProgram uses core alone. README.md has nothing to run that does.
const coreProgram = `package main

import (
	"context"
	"log"

	taskpool "github.com/elite-libs/taskpool/core"
)

func main() {
	pool := taskpool.New(taskpool.Config{})
	if err := pool.Add(func(context.Context) error { return nil }); err != nil {
		log.Fatal(err)
	}
	if report, err := pool.Done(context.Background()); err != nil || report.Succeeded != 1 {
		log.Fatal(report, err)
	}
}
`

// poolvetProgram uses the analyzer as a package, as a tool of one's own does.
const poolvetProgram = `package main

import (
	"log"

	"github.com/elite-libs/taskpool/core/poolvet"
	"golang.org/x/tools/go/analysis"
)

func main() {
	if err := analysis.Validate([]*analysis.Analyzer{poolvet.Analyzer}); err != nil {
		log.Fatal(err)
	}
}
`

// fastpoolProgram uses what the adapters of both Fibers share, which is for no server.
const fastpoolProgram = `package main

import (
	"context"
	"errors"
	"log"
	"net"

	taskpool "github.com/elite-libs/taskpool/core"
	fastpool "github.com/elite-libs/taskpool/fiber/fasthttp"
)

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	held := taskpool.Hold(taskpool.New(taskpool.Config{}), taskpool.HoldOptions{})
	if err := fastpool.Serve(context.Background(), fastpool.App{}, ln, held, fastpool.ServeOptions{}); !errors.Is(err, fastpool.ErrHold) {
		log.Fatal(err)
	}
}
`

// riverpoolProgram stores tasks in a file, as its users do who need no other process.
const riverpoolProgram = `package main

import (
	"context"
	"database/sql"
	"errors"
	"log"

	"github.com/elite-libs/taskpool/core/riverpool"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite"
)

func main() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:tasks.db?_txlock=immediate")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	ran := make(chan struct{})
	task := riverpool.Define("receipt", func(context.Context, struct{}) error { close(ran); return nil }, riverpool.Options{})
	q, err := riverpool.New(riversqlite.New(db), riverpool.Config{Tasks: []riverpool.Definition{task}, Sole: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(q.Migrate(ctx), q.Submit(ctx, task.Job(struct{}{})), q.Start(ctx)); err != nil {
		log.Fatal(err)
	}
	<-ran
	if _, err := q.Done(ctx); err != nil {
		log.Fatal(err)
	}
}
`

// otelpoolProgram traces and measures, with the providers that nobody has set.
const otelpoolProgram = `package main

import (
	"context"
	"log"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/otelpool"
)

func main() {
	hooks, err := otelpool.Hooks(otelpool.Options{})
	if err != nil {
		log.Fatal(err)
	}
	pool := taskpool.New(taskpool.Config{Hooks: hooks})
	if _, err := otelpool.Observe(pool, otelpool.Options{}); err != nil {
		log.Fatal(err)
	}
	if _, err := pool.Done(context.Background()); err != nil {
		log.Fatal(err)
	}
}
`

// ownPrograms are the programs of modules of which README.md has nothing to run.
var ownPrograms = map[string]string{
	"core":           coreProgram,
	"core/riverpool": riverpoolProgram,
	"core/otelpool":  otelpoolProgram,
	"core/poolvet":   poolvetProgram,
	"fiber/fasthttp": fastpoolProgram,
}

// later are the modules for the next major version of a framework, which have no program in README.md: that of the
// elder has to be theirs, with what is replaced here.
var later = map[string]struct {
	elder    string
	replaced *strings.Replacer
}{
	"echo/echo5": {"echo", strings.NewReplacer(repository+`/echo"`, repository+`/echo/echo5"`,
		"labstack/echo/v4", "labstack/echo/v5", "echo.Context", "*echo.Context")},
	"fiber/fiber3": {"fiber", strings.NewReplacer(repository+`/fiber"`, repository+`/fiber/fiber3"`,
		"gofiber/fiber/v2", "gofiber/fiber/v3", "*fiber.Ctx", "fiber.Ctx")},
}

// programsFor are the programs for some modules, by module.
func programsFor(t *testing.T, dirs []string) map[string]program {
	t.Helper()
	marks := map[string]string{"nethttp": "package main", "gin": "gin.New()", "echo": "echo.New()", "fiber": "fiber.New()"}
	programs := map[string]program{}
	for _, dir := range dirs {
		if source := ownPrograms[dir]; source != "" {
			programs[dir] = program{source: source}
		}
	}
	for _, b := range readme(t).programs() {
		for _, dir := range dirs {
			mark, since := marks[dir], later[dir]
			if since.elder != "" {
				mark = marks[since.elder]
			}
			if mark == "" || !strings.Contains(b.text, mark) {
				continue
			}
			p := program{source: b.program(t)}
			if strings.Contains(p.source, `":8080"`) {
				p.addr = freeAddress(t)
				p.source = b.listeningOn(t, p.addr)
			}
			if since.elder != "" {
				p.source = since.replaced.Replace(p.source)
			}
			programs[dir] = p
		}
	}
	if len(programs) != len(dirs) {
		t.Fatalf("got %d programs in README.md for %v, want one each", len(programs), dirs)
	}
	return programs
}

// run orders something from a program, if it is a server, and ends it. Where something has failed a program exits with 1.
func (p program) run(t *testing.T, binary string) {
	t.Helper()
	proc := start(t, t.TempDir(), nil, binary)
	if p.addr == "" {
		proc.wait(t)
	} else {
		if got, want := proc.order(t, p.addr), http.StatusCreated; got != want {
			t.Errorf("got status %d, want %d", got, want)
		}
		proc.end(t, proc.Process, syscall.SIGTERM)
	}
}

// vet is somebody who installs the analyzer by version, and vets README.md's whole program with it: as it is, and with
// the fault that it is there to prevent.
func vet(t *testing.T, env []string, version string) {
	dir := t.TempDir()
	output(t, dir, append(env, "GOBIN="+dir), "go", "install", repository+"/core/poolvet/cmd/poolvet@"+version)

	output(t, dir, env, "go", "mod", "init", "example.com/consumer")
	output(t, dir, env, "go", "get", repository+"/nethttp@"+version)
	main := filepath.Join(dir, "main.go")
	source := wholeProgram(t).text
	write(t, main, source)
	env = append(env, "GOFLAGS=-modcacherw -trimpath") // as it is by default: go get has to be enough
	vettool := "-vettool=" + filepath.Join(dir, "poolvet")
	output(t, dir, env, "go", "vet", vettool, "./...")

	const sound, fault = "\t\tw.WriteHeader(", "\t\tgo receipt(r.Context())\n"
	if strings.Count(source, sound) != 1 {
		t.Fatalf("README.md's whole program has no place for a fault: no %q", sound)
	}
	before, _, _ := strings.Cut(source, sound)
	write(t, main, strings.Replace(source, sound, fault+sound, 1))
	stdout, stderr, err := try(t, dir, env, "go", "vet", vettool, "./...")
	at := fmt.Sprintf("main.go:%d:", 1+strings.Count(before, "\n"))
	if got := stdout + stderr; err == nil || strings.Count(got, "main.go:") != 1 || !strings.Contains(got, at) {
		t.Errorf("got %v, %q, want a failure with one report, of %s", err, got, at)
	}
}

// checkModules looks at what the Go command chose: the released versions, from the proxy. The replace directives of a
// dependency do nothing, and what is not released is required by nobody.
func checkModules(t *testing.T, dir string, env []string, version string) {
	t.Helper()
	list := json.NewDecoder(strings.NewReader(output(t, dir, env, "go", "list", "-m", "-json", "all")))
	for {
		var m struct {
			Path, Version, Dir string
			Replace            *struct{ Path string }
		}
		if err := list.Decode(&m); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if m.Replace != nil {
			t.Errorf("%s is replaced by %s", m.Path, m.Replace.Path)
		}
		name, ours := strings.CutPrefix(m.Path, repository+"/")
		if ours && (!slices.Contains(released, name) || m.Version != version) {
			t.Errorf("got %s %s, want only what is released, at %s", m.Path, m.Version, version)
		}
	}
}

// checkAlone holds core to its promise: it brings nothing with it.
func checkAlone(t *testing.T, dir, version string) {
	t.Helper()
	want := repository + "/core " + version
	file := goMod(t, filepath.Join(dir, "go.mod"))
	if !slices.EqualFunc(file.Require, []string{want}, func(r *modfile.Require, want string) bool {
		return r.Mod.Path+" "+r.Mod.Version == want
	}) {
		t.Errorf("got %d requirements, want only %s", len(file.Require), want)
	}
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sums)) {
		if !strings.HasPrefix(line, want) {
			t.Errorf("go.sum has %q, want only %s", line, want)
		}
	}
}
