package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/examples/orders"
)

// patience bounds what a test waits for. It is no measure of anything.
const patience = time.Minute

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatal("what was waited for does not come")
	}
}

// A child is a program that runs as a process of its own.
type child struct {
	*exec.Cmd
	url            string // where it serves
	stdout, stderr *output
	exited         chan struct{} // closed when it has ended
}

// launch starts a program, which is killed if it still runs when the test ends.
func launch(t *testing.T, binary string, args ...string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(binary, args...), stdout: newOutput(), stderr: newOutput(), exited: make(chan struct{})}
	c.Dir = t.TempDir()
	c.Stdout, c.Stderr = c.stdout, c.stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.exited)
		_ = c.Wait() // what it says is in ProcessState
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill() // an error means that it has ended
		<-c.exited
		if t.Failed() {
			log := c.stderr.String()
			from := max(len(log)-4000, 0)
			if race := strings.Index(log, "WARNING: DATA RACE"); race >= 0 {
				from = min(race, from)
			}
			t.Logf("stdout:\n%s\nstderr, some of it:\n%.4000s", c.stdout, log[from:])
		}
	})
	return c
}

var tryLine = regexp.MustCompile(`(?m)^curl .*(http://\S+)/orders .*\n`)

// serve launches a program on a free port and waits until it serves.
func serve(t *testing.T, binary string, args ...string) *child {
	t.Helper()
	c := launch(t, binary, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	c.url = c.stdout.find(t, tryLine, c.exited)[1]
	return c
}

func (c *child) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := c.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// wait waits for the end of the process.
func (c *child) wait(t *testing.T) *os.ProcessState {
	t.Helper()
	await(t, c.exited)
	return c.ProcessState
}

// post sends an order and decodes the answer into v, if that is not nil.
func (c *child) post(body string, v any) (status int, err error) {
	return c.postWith(http.DefaultClient, body, v)
}

func (c *child) postWith(client *http.Client, body string, v any) (status int, err error) {
	resp, err := client.Post(c.url+"/orders", "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	return decode(resp, v)
}

func (c *child) get(path string, v any) (status int, err error) {
	resp, err := http.Get(c.url + path)
	if err != nil {
		return 0, err
	}
	return decode(resp, v)
}

func decode(resp *http.Response, v any) (status int, err error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && v != nil {
		err = json.Unmarshal(body, v)
	}
	return resp.StatusCode, err
}

// order places an order and returns its id.
func (c *child) order(t *testing.T, body string, want int) string {
	t.Helper()
	var placed orders.Placed
	if status, err := c.post(body, &placed); err != nil || status != want || placed.ID == "" {
		t.Fatalf("got %d %+v, %v, want %d", status, placed, err, want)
	}
	return placed.ID
}

// settled asks for an order until all its tasks have their fate.
func (c *child) settled(t *testing.T, id string) (fates map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var view orders.View
		if status, err := c.get("/orders/"+id, &view); err != nil || status != http.StatusOK {
			t.Fatalf("got %d, %v, want the order", status, err)
		}
		if view.Settled {
			fates = map[string]string{}
			for _, task := range view.Tasks {
				fates[task.Name] = task.Fate
			}
			return fates
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not settled: %+v", view)
		}
	}
}

// output is what a process has written; it can be waited for.
type output struct {
	mu      sync.Mutex // protects following fields
	buf     bytes.Buffer
	changed chan struct{} // closed at the next write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.buf.Write(p)
}

func (o *output) String() string {
	text, _ := o.read()
	return text
}

func (o *output) read() (text string, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String(), o.changed
}

// find waits until the output matches, and returns what FindStringSubmatch does.
func (o *output) find(t *testing.T, re *regexp.Regexp, exited <-chan struct{}) []string {
	t.Helper()
	late := time.After(patience)
	for {
		text, changed := o.read()
		if match := re.FindStringSubmatch(text); match != nil {
			return match
		}
		var why string
		select {
		case <-changed:
			continue
		case <-exited: // and all it wrote is here: Wait waits for that
			if text, _ = o.read(); re.MatchString(text) {
				continue
			}
			why = "the program has ended"
		case <-late:
			why = fmt.Sprint("waited ", patience)
		}
		t.Fatalf("no %s in the output: %s", re, why)
	}
}
