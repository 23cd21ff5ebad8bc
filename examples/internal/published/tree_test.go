// Package published_test holds what others get to what it says: that the documents can be followed to the letter, and
// that the modules, once tagged, build for somebody who has nothing else of this repository.
package published_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// root is the top of the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// files lists what a clone would have if all were committed: what Git ignores is on this machine only.
func files(t *testing.T) []string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root(t), ".git")); err != nil {
		t.Skip("only Git can tell what is in the repository: ", err)
	}
	list := output(t, root(t), nil, "git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate")
	return slices.DeleteFunc(strings.Fields(list), func(path string) bool {
		_, err := os.Lstat(filepath.Join(root(t), path))
		return err != nil // deleted, not yet from the index
	})
}

// What the tests build and run is what is here. So that it is what a clone has, nothing may be built of what Git ignores.
func TestNothingIgnoredIsBuilt(t *testing.T) {
	const format = `{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}
{{end}}{{range .CgoFiles}}{{$dir}}/{{.}}
{{end}}{{range .SFiles}}{{$dir}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$dir}}/{{.}}
{{end}}{{range .TestGoFiles}}{{$dir}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$dir}}/{{.}}
{{end}}`
	list := []string{"list", "-f", format}
	built := []string{"Makefile", "go.work", "go.work.sum"}
	for _, dir := range used(t) {
		list = append(list, dir+"/...")
		built = append(built, path.Join(dir, "go.mod"))
	}
	for file := range strings.FieldsSeq(output(t, root(t), nil, "go", list...)) {
		rel, err := filepath.Rel(root(t), file)
		if err != nil {
			t.Fatal(err)
		}
		built = append(built, filepath.ToSlash(rel))
	}
	if len(built) < 300 {
		t.Errorf("got %d files, want 300 or more", len(built))
	}
	all := files(t)
	for _, file := range built {
		if !slices.Contains(all, path.Clean(file)) {
			t.Errorf("%s is ignored by Git, or missing", file)
		}
	}
}

// used are the directories of the modules, as go.work has them.
func used(t *testing.T) (dirs []string) {
	t.Helper()
	for _, use := range goWork(t).Use {
		dirs = append(dirs, use.Path)
	}
	return dirs
}

func goWork(t *testing.T) *modfile.WorkFile {
	t.Helper()
	file := filepath.Join(root(t), "go.work")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	work, err := modfile.ParseWork(file, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return work
}

// reader makes an empty module in a workspace with those of this repository: what is compiled of them here is compiled.
func reader(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	work := "go " + goWork(t).Go.Version + "\n\nuse .\n"
	for _, module := range used(t) {
		work += fmt.Sprintf("use %q\n", filepath.Join(root(t), module))
	}
	sum, err := os.ReadFile(filepath.Join(root(t), "go.work.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.work"), work)
	write(t, filepath.Join(dir, "go.work.sum"), string(sum))
	write(t, filepath.Join(dir, "go.mod"), "module example.com/reader\n")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// environ is that of somebody who has just opened a shell: make test hands on its own variables, make alone GOWORK=off.
// GOFLAGS stays, so that what is built is shared.
func environ(extra ...string) []string {
	ours := []string{"GOWORK=", "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=", "MAKEOVERRIDES=", "ADDR=", "FRAMEWORK=", "GOGC="}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return slices.ContainsFunc(ours, func(name string) bool { return strings.HasPrefix(v, name) })
	})
	return append(env, extra...)
}

// output runs a command that must succeed.
func output(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	stdout, stderr, err := try(t, dir, env, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout
}

func try(t *testing.T, dir string, env []string, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environ(env...), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}
