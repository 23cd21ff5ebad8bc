package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/examples/internal/program"
	"github.com/elite-libs/taskpool/examples/orders"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/gofiber/fiber/v2"
)

// own are programs that no example should be: the test binary is them if its first argument names one.
var own = map[string]func(){
	"own:nethttp": func() { program.Main(badNethttp) },
	"own:fiber":   func() { program.Main(badFiber) },
	"own:naive":   naive,

	"own:traceworker": traceWorker,
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if main := own[os.Args[1]]; main != nil {
			os.Args = append(os.Args[:1], os.Args[2:]...)
			main()
			return
		}
	}
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries.dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// serveOwn launches one of these programs and waits until it serves.
func serveOwn(t *testing.T, name string, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := launch(t, self, append([]string{name}, args...)...)
	c.url = c.stdout.find(t, tryLine, c.exited)[1]
	return c
}

// inHandler is what a handler says that is waited for.
const inHandler = "in the handler"

var inHandlerLine = regexp.MustCompile(inHandler)

// badHandlers are handlers in no framework's terms, by their paths. serving ends when the shutdown begins.
func badHandlers(serving context.Context, limit time.Duration) map[string]func(ctx context.Context) error {
	stage := func(ctx context.Context, name string, start taskpool.Start) error {
		return taskpool.FromContext(ctx).Submit(taskpool.Job{Name: name, Start: start, Run: func(context.Context) error { return nil }})
	}
	return map[string]func(ctx context.Context) error{
		// A task that never ends and never looks at its context.
		"/deaf": func(ctx context.Context) error {
			started := make(chan struct{})
			err := taskpool.FromContext(ctx).Submit(taskpool.Job{Name: "deaf", Run: func(context.Context) error {
				close(started)
				select {}
			}})
			if err == nil {
				<-started
			}
			return err
		},
		// A handler that is still there when the server has given it up, at half of the limit.
		"/open": func(ctx context.Context) error {
			if err := stage(ctx, "staged", taskpool.StartAfterResponse); err != nil {
				return err
			}
			fmt.Fprintln(os.Stderr, inHandler)
			<-serving.Done()
			<-time.After(limit * 6 / 10)
			return stage(ctx, "late", taskpool.StartNow)
		},
		// A handler that is there for ever.
		"/endless": func(ctx context.Context) error {
			if err := stage(ctx, "staged", taskpool.StartAfterResponse); err != nil {
				return err
			}
			fmt.Fprintln(os.Stderr, inHandler)
			select {}
		},
	}
}

func badNethttp(ctx context.Context, p program.Program) error {
	mux := http.NewServeMux()
	for path, run := range badHandlers(ctx, p.Limit) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := run(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	return httppool.ServeListener(ctx, &http.Server{Handler: httppool.Middleware(p.Pool)(mux)}, p.Listener, p.Pool, p.Limit)
}

func badFiber(ctx context.Context, p program.Program) error {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(fiberpool.Middleware(p.Pool))
	for path, run := range badHandlers(ctx, p.Limit) {
		app.Get(path, func(c *fiber.Ctx) error { return run(c.UserContext()) })
	}
	return fiberpool.Serve(ctx, app, p.Listener, p.Pool, p.Limit)
}

// naive is the orders service without a pool: a go statement for each order. Its arguments are the partner, a directory
// and how many connections to the partner there may be.
func naive() {
	partner, dir := os.Args[1], os.Args[2]
	transport := http.DefaultTransport.(*http.Transport).Clone()
	conns, _ := strconv.Atoi(os.Args[3])
	transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost = conns, conns
	client := &http.Client{Transport: transport}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		o, err := orders.Decode(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		id := fmt.Sprintf("%p", r)
		go func() {
			_ = os.WriteFile(filepath.Join(dir, orders.ReceiptFile(id)), fmt.Appendf(nil, "%+v", o), 0o600)
			notice, _ := json.Marshal(orders.Notice{ID: id, Order: o})
			if resp, err := client.Post(partner, "application/json", bytes.NewReader(notice)); err == nil {
				resp.Body.Close()
			}
		}()
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(orders.Placed{ID: id})
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(runtime.NumGoroutine())
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("curl http://%s/orders -d '...'\n", ln.Addr())
	_ = http.Serve(ln, mux)
}

// shutdowns are the two ways to shut down: Gin and Echo are handlers of an http.Server.
var shutdowns = []string{"nethttp", "fiber"}

// TestChaosStuck: a task that ignores its context, and a handler that never returns, end with the limit and core's
// farewell, and what they leave undone is named.
func TestChaosStuck(t *testing.T) {
	for _, name := range shutdowns {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const limit = 200 * time.Millisecond
			c := serveOwn(t, "own:"+name, "-addr", "127.0.0.1:0", "-receipts", t.TempDir(), "-workers", "1", "-limit", limit.String())
			if status, err := c.get("/deaf", nil); status != http.StatusOK || err != nil {
				t.Fatalf("got %d, %v, want 200", status, err)
			}
			answered := c.enter(t, "/endless")
			began := time.Now()
			c.signal(t, os.Interrupt)
			code := c.wait(t).ExitCode()
			if took := time.Since(began); code != 1 || took < limit+farewell || took > limit+2*farewell+overhead {
				t.Errorf("got exit code %d after %v, want 1 after %v and little more", code, took, limit+farewell)
			}
			if err := <-answered; err == nil {
				t.Error("a handler that does not return was answered for")
			}
			if out := c.stdout.String(); !ledger.MatchString(out) || !strings.HasSuffix(out, "\ncanceled: 1 × staged\nabandoned: 1 × deaf\n") {
				t.Errorf("the tasks are not named in %q", out)
			}
		})
	}
}

// TestChaosOpenHandler: a handler that goes on after the server has given it up has its tasks still, those that it
// staged and those that it adds, within the limit.
func TestChaosOpenHandler(t *testing.T) {
	for _, name := range shutdowns {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serveOwn(t, "own:"+name, "-addr", "127.0.0.1:0", "-receipts", t.TempDir(), "-limit", "3s")
			answered := c.enter(t, "/open")
			c.signal(t, os.Interrupt)
			code := c.wait(t).ExitCode()
			if log := c.stderr.String(); code != 1 || !strings.Contains(log, "requests were still open") {
				t.Errorf("got exit code %d, want 1 and that a request was open", code)
			}
			if err := <-answered; err == nil {
				t.Error("the client has an answer of a connection that was closed")
			}
			if out := c.stdout.String(); !strings.Contains(out, "\nledger: 2 tasks accepted = 2 succeeded + ") || !ledger.MatchString(out) {
				t.Errorf("got %q, want two tasks that succeeded", out)
			}
		})
	}
}

// enter sends a request and waits until its handler says that it is there.
func (c *child) enter(t *testing.T, path string) (answered <-chan error) {
	t.Helper()
	answer := make(chan error, 1)
	go func() {
		_, err := c.get(path, nil)
		answer <- err
	}()
	c.stderr.find(t, inHandlerLine, c.exited)
	return answer
}
