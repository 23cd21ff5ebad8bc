//go:build !race

package poolvet_test

// What is tested here are processes, which are built without the race detector.

import (
	"errors"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestCommandFindsFaultsInTheRealFrameworks shows that the stubs of the other
// tests are like what they stand for, and that both ways to run it work.
func TestCommandFindsFaultsInTheRealFrameworks(t *testing.T) {
	root := workspace(t)
	dir := t.TempDir()
	mod := read(t, filepath.Join(root, "examples", "go.mod"))
	write(t, filepath.Join(dir, "go.mod"), strings.ReplaceAll(mod, "=> ../", "=> "+filepath.ToSlash(root)+"/"))
	write(t, filepath.Join(dir, "go.sum"), read(t, filepath.Join(root, "examples", "go.sum")))
	code := read(t, filepath.Join("testdata", "seeded", "seeded.go"))
	write(t, filepath.Join(dir, "seeded.go"), code)
	var want []int
	for i, line := range strings.Split(code, "\n") {
		if strings.HasSuffix(line, "// fault") {
			want = append(want, i+1)
		}
	}

	command := build(t)
	for name, args := range map[string][]string{
		"go vet": {"go", "vet", "-vettool=" + command, "./..."},
		"alone":  {command, "./..."},
	} {
		out, err := run(t, dir, "GOWORK=off", args[0], args[1:]...)
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			t.Errorf("%s: got %v, want a failure", name, err)
		}
		var got []int
		for _, match := range regexp.MustCompile(`seeded\.go:(\d+):`).FindAllStringSubmatch(out, -1) {
			line, _ := strconv.Atoi(match[1])
			got = append(got, line)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: faults in lines %v, want %v\n%s", name, got, want, out)
		}
	}
}

// TestCommandTakesTheFlag: it is how one says what another package decides.
func TestCommandTakesTheFlag(t *testing.T) {
	out, err := run(t, t.TempDir(), "GOWORK=off", build(t), "-flags")
	if err != nil || !strings.Contains(out, `"poolvet.immutable"`) {
		t.Errorf("the flags are %v %s, want -poolvet.immutable", err, out)
	}
}

// workspace is the root of the repository. Without one, where this module was
// downloaded alone, there is nothing to look at.
func workspace(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.work")); err != nil {
		t.Skip("not within the repository: ", err)
	}
	return root
}

// build builds the command, once for all tests: whichever comes first. Neither the
// directory nor the commit is in it: go vet remembers what a tool has said of a
// package, here of a thousand of the frameworks, for the very same file only.
func build(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		built.command = filepath.Join(built.dir, "poolvet.exe")
		built.out, built.err = run(t, ".", "", "go", "build", "-trimpath", "-buildvcs=false", "-o", built.command, "./cmd/poolvet")
	})
	if built.err != nil {
		t.Fatalf("%v\n%s", built.err, built.out)
	}
	return built.command
}

var built struct {
	dir          string // TestMain makes and removes it
	once         sync.Once
	command, out string
	err          error
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "poolvet")
	if err != nil {
		log.Fatal(err)
	}
	built.dir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func run(t *testing.T, dir, env, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PWD="+dir)
	if env != "" {
		cmd.Env = append(cmd.Env, env)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
