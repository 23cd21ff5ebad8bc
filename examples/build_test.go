package examples_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// binaries are the programs, in a directory that TestMain makes and removes.
var binaries struct {
	dir  string
	once sync.Once
	out  []byte
	err  error
}

// build builds the programs, all with one command, unless that has been done: one for each takes more than twice the
// time, since each looks at a thousand packages before it links one.
func build(t *testing.T, program string) (binary string) {
	t.Helper()
	binaries.once.Do(func() {
		args := []string{"build", "-o", binaries.dir}
		if raceEnabled {
			args = append(args, "-race", "-gcflags=modernc.org/sqlite/lib=-race=false") // as make race does
		}
		all := slices.Concat(programs, tour)
		if !chaos {
			overlay, one, err := asOne(binaries.dir, programs)
			if err != nil {
				binaries.err = err
				return
			}
			args = append(args, "-overlay", overlay)
			all = append([]string{one}, tour...)
		}
		for _, name := range all {
			args = append(args, "./"+name)
		}
		binaries.out, binaries.err = exec.Command("go", args...).CombinedOutput()
	})
	if binaries.err != nil {
		t.Fatalf("go build: %v\n%s", binaries.err, binaries.out)
	}
	return filepath.Join(binaries.dir, program)
}

const mainOfOne = `package main

import (
	"os"
	"path/filepath"
%s)

func main() {
	switch filepath.Base(os.Args[0]) {
%s	}
}
`

// asOne makes one program of those of all frameworks, which is the one whose name it is called by: most of what a build
// takes is to link what they share. make chaos has them as they are. It returns the file that adds it to this module,
// for go build -overlay, and its folder; the program is called by its names in dir.
func asOne(dir string, names []string) (overlay, one string, err error) {
	one, err = filepath.Abs(filepath.Join("internal", "one"))
	if err != nil {
		return "", "", err
	}
	replace := map[string]string{}
	add := func(file, text string) error {
		was := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		replace[filepath.Join(one, file)] = was
		return os.WriteFile(was, []byte(text), 0o666)
	}
	var imports, cases strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(name, "main.go"))
		if err != nil {
			return "", "", err
		}
		imported := strings.Replace(string(text), "package main", "package "+name, 1)
		if err := add(name+"/main.go", strings.Replace(imported, "func main()", "func Main()", 1)); err != nil {
			return "", "", err
		}
		fmt.Fprintf(&imports, "\t%q\n", "github.com/elite-libs/taskpool/examples/internal/one/"+name)
		fmt.Fprintf(&cases, "\tcase %q:\n\t\t%s.Main()\n", name, name)
		if err := os.Symlink("one", filepath.Join(dir, name)); err != nil {
			return "", "", err
		}
	}
	if err := add("main.go", fmt.Sprintf(mainOfOne, &imports, &cases)); err != nil {
		return "", "", err
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, "internal/one", os.WriteFile(overlay, text, 0o666)
}
