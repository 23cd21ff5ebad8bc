package published_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// commands are the lines of the blocks that are no Go, and what between backticks is a command to give.
func (d document) commands() (cmds []snippet) {
	for _, b := range d.blocks {
		if b.lang != "" && b.lang != "sh" {
			continue
		}
		for i, line := range strings.Split(b.text, "\n") {
			if strings.ContainsAny(line, "─►") { // a picture
				break
			}
			cmds = append(cmds, snippet{path: b.path, line: b.line + i, text: line}.split()...)
		}
	}
	for _, s := range d.spans {
		if isCommand.MatchString(s.text) {
			cmds = append(cmds, s.split()...)
		}
	}
	return cmds
}

var isCommand = regexp.MustCompile(`^(make|go (build|get|install|list|mod|run|test|vet)|golangci-lint|\.bin/\S+) `)

// split takes a line apart into its commands, without the comment.
func (s snippet) split() (cmds []snippet) {
	line, _, _ := strings.Cut(s.text, " #")
	for _, text := range regexp.MustCompile(` && |; `).Split(line, -1) {
		if text = strings.TrimSpace(text); text != "" {
			cmds = append(cmds, snippet{path: s.path, line: s.line, text: text})
		}
	}
	return cmds
}

// substitution is a command within another. What it gives is a value, and none that is looked at here.
var substitution = regexp.MustCompile(`\$\([^)]*\)`)

// Every command is one that there is, for what there is. What is cheap is run, here or elsewhere in this package.
func TestCommandsExist(t *testing.T) {
	t.Parallel()
	dir := root(t)
	help := output(t, dir, nil, "make", "--no-print-directory", "help")
	checked := map[string]bool{} // commands that several documents give
	usages := map[string]string{}
	n := 0
	for _, d := range documents(t) {
		for _, c := range d.commands() {
			from := filepath.Dir(c.path) + ": " + c.text
			if n++; checked[from] {
				continue
			}
			checked[from] = true
			switch words := strings.Fields(substitution.ReplaceAllString(c.text, "x")); {
			case words[0] == "make":
				c.checkMake(t, dir, help, words[1:])
			case words[0] == "go" && len(words) > 1:
				c.checkGo(t, dir, words[1:])
			case strings.HasPrefix(words[0], ".bin/"):
				c.checkBuilt(t, dir, words, usages)
			case words[0] == "benchstat": // somebody else's
			default:
				c.errorf(t, "this test does not know how to check %q", c.text)
			}
		}
	}
	if n < 5 {
		t.Errorf("got %d commands, want 5 or more", n)
	}
}

var setting = regexp.MustCompile(`^[A-Z]+=`)

// checkMake finds the target in what make help lists, and the packages that it would give the Go command.
func (s snippet) checkMake(t *testing.T, dir, help string, args []string) {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(dir, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, arg := range args {
		if name, _, ok := strings.Cut(arg, "="); ok && setting.MatchString(arg) {
			if !regexp.MustCompile(`(?m)^` + name + ` *\?=`).Match(makefile) {
				s.errorf(t, "the Makefile has no setting %s", name)
			}
		} else if !regexp.MustCompile(`(?m)^ *make ` + regexp.QuoteMeta(arg) + ` `).MatchString(help) {
			s.errorf(t, "make help lists no %s", arg)
		}
	}
	plan, stderr, err := try(t, dir, nil, "make", append([]string{"--no-print-directory", "-n"}, args...)...)
	if err != nil {
		s.errorf(t, "make -n: %v\n%s", err, stderr)
	}
	for line := range strings.Lines(plan) {
		below := dir
		if in := regexp.MustCompile(`^cd (\S+) && `).FindStringSubmatch(line); in != nil {
			below = filepath.Join(dir, in[1])
		}
		for _, pkg := range regexp.MustCompile(` (\./[\w/.-]*)`).FindAllStringSubmatch(line, -1) {
			if _, err := os.Stat(filepath.Join(below, strings.TrimSuffix(pkg[1], "/..."))); err != nil {
				s.errorf(t, "%q gives the Go command %s, which there is not", s.text, pkg[1])
			}
		}
	}
}

// checkGo finds the packages of a go command.
func (s snippet) checkGo(t *testing.T, dir string, args []string) {
	t.Helper()
	const here = "github.com/elite-libs/taskpool/"
	for _, arg := range args[1:] {
		pkg, version, _ := strings.Cut(arg, "@")
		switch {
		case strings.HasPrefix(pkg, here):
			pkg = "./" + strings.TrimPrefix(pkg, here)
		case arg == "./...": // the reader's own module
			continue
		case strings.HasPrefix(pkg, "./"):
		case version != "" || strings.HasPrefix(pkg, "-"): // somebody else's, a flag
			continue
		default:
			s.errorf(t, "this test does not know what %s is in %q", arg, s.text)
			continue
		}
		// That a pattern finds nothing is only a warning.
		if _, stderr, err := try(t, dir, nil, "go", "list", pkg); err != nil || stderr != "" {
			s.errorf(t, "go list %s: %v\n%s", pkg, err, stderr)
			continue
		}
		if args[0] == "run" { // the documents give it for what ends by itself
			if stdout, stderr, err := try(t, dir, nil, "go", "run", pkg); err != nil {
				s.errorf(t, "go run %s: %v\n%s%s", pkg, err, stdout, stderr)
			}
		}
	}
}

// checkBuilt checks a program that make builds into .bin: that a target does, and that it knows the flags. The usages
// are those of the programs that have been asked.
func (s snippet) checkBuilt(t *testing.T, dir string, words []string, usages map[string]string) {
	t.Helper()
	name := strings.TrimPrefix(words[0], ".bin/")
	plan, _, err := try(t, dir, nil, "make", "--no-print-directory", "-n", name)
	if err != nil || !strings.Contains(plan, "/"+words[0]+" ") {
		s.errorf(t, "no make %s that builds %s", name, words[0])
		return
	}
	program := filepath.Join(filepath.Dir(filepath.Join(dir, s.path)), "cmd", name) // the document stands beside what it is about
	usage, asked := usages[program]
	if !asked {
		if _, usage, err = try(t, filepath.Dir(program), nil, "go", "run", "./"+name, "-h"); err != nil {
			s.errorf(t, "%s -h: %v\n%s", name, err, usage)
		}
		usages[program] = usage
	}
	for _, word := range words[1:] {
		if regexp.MustCompile(`^-[a-z]`).MatchString(word) && !strings.Contains(usage, "  "+word+" ") && !strings.Contains(usage, "  "+word+"\n") {
			s.errorf(t, "%s has no flag %s", name, word)
		}
	}
}

var (
	tryLine = regexp.MustCompile(`(?m)^curl -i http://(\S+)/orders .*$`)
	ledger  = regexp.MustCompile(`(?m)^ledger: (\d+) tasks accepted = (\d+) succeeded .* 0 failed .* 0 left; 0 refused$`)
)

// make run starts the service and prints a command to try, which is answered 201. On SIGTERM the tasks in flight
// finish and the ledger is printed.
func TestMakeRun(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"curl", "pgrep", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("a reader needs it, or this test: ", err)
		}
	}
	readme := readme(t)
	for _, want := range []string{"make run", "make test"} {
		if !slices.ContainsFunc(readme.blocks, func(b snippet) bool { return strings.HasPrefix(b.text, "make ") && strings.Contains(b.text, want+" ") }) {
			t.Errorf("README.md shows no %s in a block of commands", want)
		}
	}
	addr := freeAddress(t)
	p := start(t, root(t), nil, "make", "run", "ADDR="+addr)
	line := p.find(t, tryLine)
	if line[1] != addr {
		t.Errorf("got a command for %s, want one for %s", line[1], addr)
	}
	answer := output(t, t.TempDir(), nil, "sh", "-c", line[0])
	if !regexp.MustCompile(`^HTTP/1\.1 201 `).MatchString(answer) {
		t.Errorf("got %q, want 201", answer)
	}

	pid, err := strconv.Atoi(strings.TrimSpace(output(t, ".", nil, "pgrep", "-P", strconv.Itoa(p.Process.Pid))))
	if err != nil {
		t.Fatal(err)
	}
	service, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	p.end(t, service, syscall.SIGTERM) // not to make, which would report an error of its own
	if sum := ledger.FindStringSubmatch(p.out.String()); sum == nil || sum[1] == "0" {
		t.Error("no ledger that shows tasks, and all of them ended")
	}
}
