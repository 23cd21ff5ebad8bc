package program_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/examples/internal/program"
)

// output is a buffer that a program's goroutines share.
type output struct {
	mu  sync.Mutex // protects following field
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// run runs a program with a directory of its own on a free port.
func run(t *testing.T, serve program.Serve, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs output
	args = append([]string{"-addr", "127.0.0.1:0", "-receipts", t.TempDir(), "-slow", "0"}, args...)
	code = program.Run(t.Context(), args, &out, &errs, serve)
	return code, out.String(), errs.String()
}

func TestBadArgumentsAreOneLineAndExitCode2(t *testing.T) {
	for _, args := range [][]string{
		{"-nonsense"}, {"-limit", "soon"}, {"-limit", "0"}, {"-workers", "0"}, {"-queue", "-1"}, {"-slow", "-1s"}, {"serve"},
		{"-durable", "nowhere"}, {"-river-ui", "localhost:8081"},
	} {
		code, stdout, stderr := run(t, neverServe(t), args...)
		if code != 2 || stdout != "" || !oneLine(stderr) {
			t.Errorf("%v: got code %d, %q, %q, want 2 and one line", args, code, stdout, stderr)
		}
	}
}

func TestWhatCannotStartIsOneLineAndExitCode1(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-addr", taken.Addr().String()},
		{"-addr", "no port"},
		{"-receipts", filepath.Join(file, "below")},
		{"-partner", "localhost:80"},
		{"-durable", "postgres://nobody:secret@127.0.0.1:1/nothing"},
	} {
		code, stdout, stderr := run(t, neverServe(t), args...)
		if code != 1 || stdout != "" || !oneLine(stderr) || strings.Contains(stderr, "secret") {
			t.Errorf("%v: got code %d, %q, %q, want 1 and one line", args, code, stdout, stderr)
		}
	}
}

func neverServe(t *testing.T) program.Serve {
	return func(context.Context, program.Program) error {
		t.Error("served")
		return nil
	}
}

func oneLine(s string) bool {
	return strings.HasPrefix(s, "orders: ") && strings.Count(s, "\n") == 1
}

func TestHelpNamesTheFlags(t *testing.T) {
	code, stdout, stderr := run(t, neverServe(t), "-h")
	if code != 0 || stderr != "" {
		t.Errorf("got code %d, %q, want 0 and nothing", code, stderr)
	}
	for _, name := range []string{"-addr", "-receipts", "-partner", "-workers", "-queue", "-limit", "-slow", "-durable", "-river-ui"} {
		if !strings.Contains(stdout, name+" ") {
			t.Errorf("%s is not in the help", name)
		}
	}
}

func TestAddressDefaultsToTheEnvironment(t *testing.T) {
	t.Setenv("ADDR", "no port")
	var out, errs output
	if code := program.Run(t.Context(), []string{"-receipts", t.TempDir()}, &out, &errs, neverServe(t)); code != 1 || !strings.Contains(errs.String(), "no port") {
		t.Errorf("got code %d, %q, want 1 and the address", code, errs.String())
	}
}

func TestCommandToTryNamesAnAddressThatListens(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", ":0"} {
		code, stdout, stderr := run(t, func(_ context.Context, p program.Program) error {
			go func() { _ = http.Serve(p.Listener, http.NotFoundHandler()) }() // until Run closes the listener
			_, port, _ := net.SplitHostPort(p.Listener.Addr().String())
			resp, err := http.Get(fmt.Sprintf("http://localhost:%s/", port))
			if err != nil {
				return err
			}
			return resp.Body.Close()
		}, "-addr", addr)
		if code != 0 {
			t.Errorf("%s: got code %d, %s", addr, code, stderr)
		}
		if !regexp.MustCompile(`(?m)^curl .*http://(127\.0\.0\.1|localhost):[1-9]\d*/orders `).MatchString(stdout) {
			t.Errorf("%s: no command to try in %q", addr, stdout)
		}
	}
}

func TestLedgerIsPrintedWhateverServeReturns(t *testing.T) {
	code, stdout, stderr := run(t, func(_ context.Context, p program.Program) error {
		if err := p.Pool.Submit(taskpool.Job{Name: "late", Run: func(context.Context) error { return nil }}); err != nil {
			return err
		}
		return errors.Join(errors.New("first"), errors.New("second"))
	})
	if code != 1 || !strings.HasSuffix(stderr, "\norders: first; second\n") {
		t.Errorf("got code %d, %q, want 1 and the errors in one line", code, stderr)
	}
	if !strings.Contains(stdout, "\nledger: 1 tasks accepted = 1 succeeded + ") || !strings.Contains(stdout, " + 0 left;") {
		t.Errorf("no balance of 1 in %q", stdout)
	}
	if !strings.Contains(stderr, "msg=task name=late fate=succeeded") {
		t.Errorf("the task is not in the log: %q", stderr)
	}
}

func TestLedgerNamesWhatTheLimitCutShort(t *testing.T) {
	forever := make(chan struct{})
	defer close(forever)
	code, stdout, stderr := run(t, func(_ context.Context, p program.Program) error {
		started := make(chan struct{}, 2)
		jobs := []taskpool.Job{
			{Name: "obedient", Run: func(ctx context.Context) error { started <- struct{}{}; <-ctx.Done(); return context.Cause(ctx) }},
			{Name: "deaf", Run: func(context.Context) error { started <- struct{}{}; <-forever; return nil }},
			{Name: "waiting", Run: func(context.Context) error { return nil }},
			{Name: "waiting", Run: func(context.Context) error { return nil }},
		}
		if err := p.Pool.Submit(jobs...); err != nil {
			return err
		}
		<-started
		<-started
		ctx, cancel := context.WithTimeout(context.Background(), p.Limit)
		defer cancel()
		_, err := p.Pool.Done(ctx)
		return err
	}, "-workers", "2", "-limit", (10 * time.Millisecond).String())
	if code != 1 || stderr == "" {
		t.Errorf("got code %d, %q, want 1 and a reason", code, stderr)
	}
	for _, want := range []string{"canceled: 1 × obedient\n", "canceled: 2 × waiting\n", "abandoned: 1 × deaf\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in %q", want, stdout)
		}
	}
}

func TestPageOfTasksShowsWhatIsStored(t *testing.T) {
	code, stdout, stderr := run(t, func(ctx context.Context, p program.Program) error {
		for { // the database is asked beside the page
			w := httptest.NewRecorder()
			p.Tasks.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/tasks", nil))
			if body := w.Body.String(); strings.Contains(body, "<dt>completed</dt><dd>0</dd>") {
				if !strings.Contains(body, `<a href="https://river.example/jobs"`) {
					t.Error("no link to River's own page")
				}
				return nil
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}, "-receipts", t.TempDir(), "-durable", "sqlite", "-river-ui", "https://river.example/jobs")
	if code != 0 || !strings.HasSuffix(stdout, "\nstored: 0 tasks are still to be done\n") {
		t.Errorf("got code %d, %s, %s", code, stdout, stderr)
	}
}
