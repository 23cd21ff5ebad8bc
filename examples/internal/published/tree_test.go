// Package published_test holds what others get to what it says: that the documents can be followed to the letter, and
// that the modules, once tagged, build for somebody who has nothing else of this repository.
package published_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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

// clone returns a fresh copy of those files, one for all tests: what the Go command builds in it is cached by its path.
func clone(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(scratch, "clone")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	for _, path := range files(t) {
		from, to := filepath.Join(root(t), path), filepath.Join(dir, path)
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, to, string(text))
		if err := os.Chmod(to, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
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
func environ(extra ...string) []string {
	ours := []string{"GOWORK=", "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=", "MAKEOVERRIDES=", "ADDR=", "FRAMEWORK="}
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
