package published_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what a test waits for. It is no measure of anything.
const patience = 2 * time.Minute

// A process is a command that was started and runs.
type process struct {
	*exec.Cmd
	out    *record       // both of its outputs
	exited chan struct{} // closed when it has ended
}

// start starts a command, which is ended if it still runs when the test ends.
func start(t *testing.T, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(name, args...), out: &record{}, exited: make(chan struct{})}
	p.Dir, p.Env, p.Stdout, p.Stderr = dir, environ(env...), p.out, p.out
	p.WaitDelay = time.Second // a child that it leaves behind holds its outputs
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = p.Wait() // what it says is in ProcessState
	}()
	t.Cleanup(func() {
		_ = p.Process.Signal(syscall.SIGTERM) // make hands it on; an error means that it has ended
		select {
		case <-p.exited:
		case <-time.After(10 * time.Second):
			_ = p.Process.Kill()
			<-p.exited
		}
		if t.Failed() {
			t.Logf("%s %s:\n%s", name, strings.Join(args, " "), p.out)
		}
	})
	return p
}

// until asks again and again until ok, the end of the process, or the end of patience.
func (p *process) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-p.exited:
			if !ok() { // for what came with the end
				t.Fatalf("ended without %s: %v", what, p.ProcessState)
			}
			return
		case <-late:
			t.Fatalf("no %s in %v", what, patience)
		}
	}
}

// find waits until the process has written what matches, and returns what FindStringSubmatch does.
func (p *process) find(t *testing.T, re *regexp.Regexp) (match []string) {
	t.Helper()
	p.until(t, re.String(), func() bool {
		match = re.FindStringSubmatch(p.out.String())
		return match != nil
	})
	return match
}

// order posts an order once the process listens, and returns the status.
func (p *process) order(t *testing.T, addr string) (status int) {
	t.Helper()
	p.until(t, "an answer on "+addr, func() bool {
		resp, err := http.Post("http://"+addr+"/orders", "application/json", nil)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		status = resp.StatusCode
		return true
	})
	return status
}

// end sends a signal to a process, p's own or a child of it, after which p is to end well.
func (p *process) end(t *testing.T, to *os.Process, sig os.Signal) {
	t.Helper()
	if err := to.Signal(sig); err != nil {
		t.Fatal(err)
	}
	p.wait(t)
}

// wait waits for the end of the process, which is to be a good one.
func (p *process) wait(t *testing.T) {
	t.Helper()
	p.until(t, "an end", func() bool {
		select {
		case <-p.exited:
			return true
		default:
			return false
		}
	})
	if code := p.ProcessState.ExitCode(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
}

// freeAddress is one that nobody listens on, a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// A record keeps what is written to it, also while that is read.
type record struct {
	mu  sync.Mutex // protects following field
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}
