package published_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A document is a Markdown file of the repository.
type document struct {
	path   string // from the root of the repository
	text   string
	blocks []snippet // of code, fenced or indented
	spans  []snippet // of code between backticks
}

// A snippet is code in a document.
type snippet struct {
	path string // of the document
	line int    // of its first line in the document, from 1
	lang string // of a fenced block, if it says so
	text string
}

// documents reads those that a reader follows. The CHANGELOG speaks of what is no more.
func documents(t *testing.T) (docs []document) {
	t.Helper()
	for _, path := range files(t) {
		if filepath.Ext(path) != ".md" || path == "CHANGELOG.md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root(t), path))
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, parse(t, path, string(text)))
	}
	if len(docs) == 0 {
		t.Fatal("no documents")
	}
	return docs
}

var codeSpan = regexp.MustCompile("(?s)`[^`]+`")

// parse knows as much Markdown as the documents use. It stops at what it cannot pair, so that nothing goes unchecked.
func parse(t *testing.T, path, text string) document {
	t.Helper()
	d := document{path: path, text: text}
	lines := strings.Split(text, "\n")
	prose := make([]string, len(lines)) // without the blocks, at the same lines
	for i := 0; i < len(lines); i++ {
		switch {
		case strings.HasPrefix(lines[i], "```"):
			b := snippet{path: path, line: i + 2, lang: lines[i][3:]}
			var body []string
			for i++; i < len(lines) && lines[i] != "```"; i++ {
				body = append(body, lines[i])
			}
			if i == len(lines) {
				t.Fatalf("%s:%d: the block has no end", path, b.line-1)
			}
			b.text = strings.Join(body, "\n") + "\n"
			d.blocks = append(d.blocks, b)
		case strings.HasPrefix(lines[i], "    ") && (i == 0 || lines[i-1] == ""):
			b := snippet{path: path, line: i + 1}
			for ; i < len(lines) && strings.HasPrefix(lines[i], "    "); i++ {
				b.text += lines[i][4:] + "\n"
			}
			i--
			d.blocks = append(d.blocks, b)
		default:
			prose[i] = lines[i]
		}
	}
	rest := strings.Join(prose, "\n")
	if strings.Count(rest, "`")%2 != 0 {
		t.Fatalf("%s: a backtick without its other one", path)
	}
	for _, at := range codeSpan.FindAllStringIndex(rest, -1) {
		d.spans = append(d.spans, snippet{
			path: path,
			line: 1 + strings.Count(rest[:at[0]], "\n"),
			text: strings.Join(strings.Fields(rest[at[0]+1:at[1]-1]), " "),
		})
	}
	return d
}

// errorf reports what is wrong with a snippet, where an editor finds it.
func (s snippet) errorf(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Errorf("%s:%d: "+format, append([]any{s.path, s.line}, args...)...)
}
