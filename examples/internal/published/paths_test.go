package published_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestReadmeIsShort(t *testing.T) {
	if got := strings.Count(readme(t).text, "\n"); got >= 250 {
		t.Errorf("got %d lines, want less than 250", got)
	}
}

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	pathLike   = regexp.MustCompile(`^\.?[\w][\w.-]*(/[\w.-]+)*/?$`)
	fileLike   = regexp.MustCompile(`\.(go|md|mod|sum|work|yml)$`)
	tagVersion = regexp.MustCompile(`/v[0-9]+\.[0-9]+\.[0-9]+$`)
	notWord    = regexp.MustCompile(`[^\w\- ]`)
)

// Every link into the repository leads somewhere.
func TestLinksLead(t *testing.T) {
	for _, d := range documents(t) {
		anchors := map[string]bool{}
		for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(d.text, -1) {
			anchor := notWord.ReplaceAllString(strings.ToLower(heading[1]), "") // as GitHub makes them
			anchors["#"+strings.ReplaceAll(anchor, " ", "-")] = true
		}
		for _, at := range link.FindAllStringSubmatchIndex(d.text, -1) {
			target := d.text[at[2]:at[3]]
			s := snippet{path: d.path, line: 1 + strings.Count(d.text[:at[0]], "\n")}
			switch {
			case strings.HasPrefix(target, "https://"): // not for this test: it would need the network
			case strings.HasPrefix(target, "#"):
				if !anchors[target] {
					s.errorf(t, "no heading for %s", target)
				}
			default:
				if file, _, _ := strings.Cut(target, "#"); !inRepository(t, d, file) {
					s.errorf(t, "no %s", file)
				}
			}
		}
	}
}

// Every path between backticks is one of the repository or of the standard library.
func TestPathsExist(t *testing.T) {
	std := filepath.Join(strings.TrimSpace(output(t, ".", nil, "go", "env", "GOROOT")), "src")
	for _, d := range documents(t) {
		for _, s := range d.spans {
			if !pathLike.MatchString(s.text) || !strings.Contains(s.text, "/") && !fileLike.MatchString(s.text) {
				continue
			}
			if _, err := os.Stat(filepath.Join(std, s.text)); err == nil && !fileLike.MatchString(s.text) {
				continue
			}
			if strings.HasPrefix(s.text, ".bin/") || inRepository(t, d, s.text) { // what make builds, checkBuilt looks for
				continue
			}
			if dir, ok := strings.CutSuffix(s.text, tagVersion.FindString(s.text)); ok && slices.Contains(released, dir) {
				continue // a tag
			}
			s.errorf(t, "no %s", s.text)
		}
	}
}

// inRepository reports whether a document may name a path so: from the root, from its own place, or as an import.
func inRepository(t *testing.T, d document, name string) bool {
	t.Helper()
	name = strings.TrimPrefix(name, "github.com/elite-libs/taskpool/")
	all := files(t)
	for _, from := range []string{path.Clean(name), path.Join(path.Dir(d.path), name)} {
		if from == "github.com/elite-libs/taskpool" || slices.ContainsFunc(all, func(file string) bool {
			return file == from || strings.HasPrefix(file, from+"/")
		}) {
			return true
		}
	}
	return false
}
