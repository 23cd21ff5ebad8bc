package poolvet_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestCommandIsQuietOnThisRepository vets every module of the workspace, with its
// tests and examples. It reports what the example "migrate" is there to show, the
// go statement of a handler before there was a pool, and nothing else.
func TestCommandIsQuietOnThisRepository(t *testing.T) {
	root := workspace(t)
	work := "GOWORK=" + filepath.Join(root, "go.work")
	modules, err := run(t, root, work, "go", "list", "-m", "-f", "{{.Dir}}/...")
	if err != nil {
		t.Fatal(err)
	}
	patterns := strings.Fields(modules)
	if len(patterns) < 6 {
		t.Fatalf("the workspace has %q, want all modules", patterns)
	}
	args := append([]string{"vet", "-vettool=" + build(t)}, patterns...)
	out, _ := run(t, root, work, "go", args...) // it fails, as there is a report
	reports := regexp.MustCompile(`(?m)^.*\.go:\d+:\d+: .*$`).FindAllString(out, -1)
	if len(reports) != 1 || !strings.Contains(filepath.ToSlash(reports[0]), "examples/migrate/before.go:") {
		t.Errorf("got %q, want the one report of examples/migrate/before.go\n%s", reports, out)
	}
}

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

func build(t *testing.T) string {
	t.Helper()
	command := filepath.Join(t.TempDir(), "poolvet.exe")
	if out, err := run(t, ".", "", "go", "build", "-o", command, "./cmd/poolvet"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return command
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
