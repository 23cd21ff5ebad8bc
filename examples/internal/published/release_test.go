package published_test

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"
)

const repository = "github.com/elite-libs/taskpool"

// released are the modules that get a tag, each after those that it requires. Nobody requires the others.
var released = []string{"core", "nethttp", "gin", "echo", "echo/echo5", "fiber/fasthttp", "fiber", "fiber/fiber3", "core/riverpool", "core/otelpool", "core/poolvet"}

// A release rehearsed: the committed tree is tagged in a clone, and what a module proxy would make of the tags is served
// from a directory to consumers that have nothing else of this repository.
func TestRelease(t *testing.T) {
	if os.Getenv("RELEASE") == "" {
		t.Skip("make release-check sets RELEASE: it builds every framework once more")
	}
	scratch := t.TempDir()
	repo := filepath.Join(scratch, "repo")
	output(t, scratch, nil, "git", "clone", "--quiet", root(t), repo)
	if changed := output(t, root(t), nil, "git", "status", "--porcelain"); changed != "" {
		t.Logf("not committed, so not in the release:\n%s", changed)
	}
	version := nextVersion(t, repo)
	proxy := filepath.Join(scratch, "proxy")
	for _, dir := range released {
		publish(t, repo, proxy, dir, version)
	}
	t.Logf("%s of %s", version, output(t, repo, nil, "git", "log", "-1", "--format=%h %s"))

	env := consumerEnv(t, scratch, proxy)
	for _, dir := range released {
		t.Run(dir, func(t *testing.T) { consume(t, env, version, dir) })
	}
	t.Run("all", func(t *testing.T) { consume(t, env, version, released...) })
	t.Run("vettool", func(t *testing.T) { vet(t, env, version) })
}

// nextVersion is the version that the modules require of each other, which is the one about to be tagged.
func nextVersion(t *testing.T, repo string) (version string) {
	t.Helper()
	for i, dir := range released {
		file := goMod(t, filepath.Join(repo, dir, "go.mod"))
		if got, want := file.Module.Mod.Path, path.Join(repository, dir); got != want {
			t.Errorf("%s: got module %s, want %s", dir, got, want)
		}
		requiresCore := false
		for _, r := range file.Require {
			sibling, ours := strings.CutPrefix(r.Mod.Path, repository+"/")
			if !ours {
				continue
			}
			requiresCore = requiresCore || sibling == "core"
			if !slices.Contains(released[:i], sibling) {
				t.Errorf("%s requires %s, which is not released before it", dir, r.Mod.Path)
			}
			if version == "" {
				version = r.Mod.Version
			}
			if r.Mod.Version != version {
				t.Errorf("%s requires %s %s, others %s", dir, r.Mod.Path, r.Mod.Version, version)
			}
		}
		switch dir {
		case "core":
		case "core/poolvet": // "go install" by version takes no module that replaces others, and so none that requires ours
			if len(file.Replace) > 0 || requiresCore {
				t.Errorf("%s requires core or replaces a module: it cannot be installed by version", dir)
			}
		default:
			if !requiresCore { // its users would get the latest, whatever that is by then
				t.Errorf("%s does not require core", dir)
			}
		}
	}
	if version == "" || t.Failed() {
		t.Fatal("no version that all modules require of each other")
	}
	return version
}

func goMod(t *testing.T, file string) *modfile.File {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := modfile.Parse(file, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// publish tags a module and puts it into a directory as the GOPROXY protocol has it. The file is made as the Go command
// makes it from a tag: of the committed files, without the modules below, with the LICENSE of the top.
func publish(t *testing.T, repo, proxy, dir, version string) {
	t.Helper()
	tag := dir + "/" + version
	output(t, repo, nil, "git", "tag", tag)
	m := module.Version{Path: path.Join(repository, dir), Version: version}
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(proxy, filepath.FromSlash(escaped), "@v", version)
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(filepath.Dir(at), "list"), version+"\n")
	write(t, at+".info", string(info))
	write(t, at+".mod", output(t, repo, nil, "git", "show", tag+":"+dir+"/go.mod"))
	f, err := os.Create(at + ".zip")
	if err != nil {
		t.Fatal(err)
	}
	if err := modzip.CreateFromVCS(f, m, repo, tag, dir); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	checkZip(t, at+".zip", m)
}

// checkZip looks for what a module has to bring, and for what is another's.
func checkZip(t *testing.T, file string, m module.Version) {
	t.Helper()
	if _, err := modzip.CheckZip(m, file); err != nil {
		t.Error(err)
	}
	r, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	top := fmt.Sprintf("%s@%s/", m.Path, m.Version)
	seen := map[string]bool{}
	for _, f := range r.File {
		name := strings.TrimPrefix(f.Name, top)
		seen[name] = true
		if strings.HasSuffix(name, "/go.mod") || slices.ContainsFunc(released, func(other string) bool {
			below, nested := strings.CutPrefix(path.Join(repository, other), m.Path+"/")
			return nested && strings.HasPrefix(name, below+"/")
		}) || strings.HasPrefix(name, "bench/") {
			t.Errorf("%s is in the zip of %s: it is another module's", name, m.Path)
		}
	}
	for _, want := range []string{"go.mod", "LICENSE"} {
		if !seen[want] {
			t.Errorf("no %s in the zip of %s", want, m.Path)
		}
	}
}
