package published_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Every block of Go compiles and passes go vet, on the modules of this tree. Those that are tests pass.
func TestBlocksCompile(t *testing.T) {
	t.Parallel()
	module := reader(t)
	var paths, tests []string
	for _, d := range documents(t) {
		for _, b := range d.programs() {
			if !b.formatted() {
				b.errorf(t, "gofmt would change the block")
			}
			path, file := fmt.Sprintf("./block%d", len(paths)), "main.go"
			if b.isTest() {
				file = "main_test.go"
				tests = append(tests, path)
			}
			write(t, filepath.Join(module, path, file), b.program(t))
			paths = append(paths, path)
		}
	}
	if len(paths) < 5 {
		t.Fatalf("got %d blocks of Go, want 5 or more: README shows one for each framework, and a job", len(paths))
	}
	if stdout, stderr, err := try(t, module, nil, "go", append([]string{"vet"}, paths...)...); err != nil {
		t.Errorf("go vet: %v\n%s%s", err, stdout, stderr)
	}
	if len(tests) == 0 {
		t.Error("no test: README shows how to test a handler")
	}
	for _, path := range tests {
		stdout, stderr, err := try(t, module, nil, "go", "test", "-v", path)
		if err != nil || !strings.Contains(stdout, "--- PASS: Test") {
			t.Errorf("go test %s: %v\n%s%s", path, err, stdout, stderr)
		}
	}
}

// The first whole program of README.md does what it says: it answers orders, and ends in order on SIGTERM.
func TestFirstExampleRuns(t *testing.T) {
	t.Parallel()
	module := reader(t)
	first := wholeProgram(t)
	addr := freeAddress(t)
	write(t, filepath.Join(module, "first/main.go"), first.listeningOn(t, addr))
	binary := filepath.Join(t.TempDir(), "first")
	output(t, module, nil, "go", "build", "-o", binary, "./first")

	p := start(t, t.TempDir(), nil, binary)
	if got, want := p.order(t, addr), http.StatusCreated; got != want {
		t.Errorf("got status %d, want %d", got, want)
	}
	p.end(t, p.Process, syscall.SIGTERM)
	if got := p.out.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "listening on "+addr+"\n") || !strings.Contains(got, `receipt for "" sent`) {
		t.Errorf("got %q, want that it listens, and a receipt, and nothing from Serve", got)
	}
}

// listeningOn is the program of a block, but not on the port that the document shows: that may be taken.
func (s snippet) listeningOn(t *testing.T, addr string) string {
	t.Helper()
	const shown = `":8080"`
	program := s.program(t)
	if strings.Count(program, shown) != 1 {
		s.errorf(t, "an example is to listen on %s, once", shown)
	}
	return strings.ReplaceAll(program, shown, fmt.Sprintf("%q", addr))
}

// wholeProgram is the first block of README.md that is one.
func wholeProgram(t *testing.T) snippet {
	t.Helper()
	programs := readme(t).programs()
	at := slices.IndexFunc(programs, func(b snippet) bool { return strings.HasPrefix(b.text, "package main\n") })
	if at < 0 {
		t.Fatal("README.md is to show a whole program")
	}
	return programs[at]
}

func readme(t *testing.T) document {
	t.Helper()
	for _, d := range documents(t) {
		if d.path == "README.md" {
			return d
		}
	}
	t.Fatal("no README.md")
	return document{}
}
