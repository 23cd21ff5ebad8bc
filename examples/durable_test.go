package examples_test

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/riverpool"
	echopool "github.com/elite-libs/taskpool/echo"
	echo5pool "github.com/elite-libs/taskpool/echo/echo5"
	"github.com/elite-libs/taskpool/examples/orders"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	fiber3pool "github.com/elite-libs/taskpool/fiber/fiber3"
	ginpool "github.com/elite-libs/taskpool/gin"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// TestDurable kills the program in the middle of its task: at the next start that same task runs again.
func TestDurable(t *testing.T) {
	t.Parallel()
	binary, file := build(t, "durable"), filepath.Join(t.TempDir(), "durable.db")
	begins := regexp.MustCompile(`(?m)^task 1, run (\d): the report of May begins$`)
	first := launch(t, binary, "-db", file, "-takes", "1h")
	first.stdout.find(t, begins, first.exited)
	first.signal(t, syscall.SIGKILL)
	first.wait(t)

	second := launch(t, binary, "-db", file, "-takes", "1h")
	if run := second.stdout.find(t, begins, second.exited)[1]; run != "2" {
		t.Errorf("after the kill it is run %s, want 2", run)
	}
	second.signal(t, syscall.SIGTERM)
	if code := second.wait(t).ExitCode(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}

	third := launch(t, binary, "-db", file, "-takes", "1ms")
	if code := third.wait(t).ExitCode(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	if out := third.stdout.String(); !strings.Contains(out, "task 1, run 2: done\n") { // a run that SIGTERM cut does not count
		t.Errorf("got %q, want run 2 done", out)
	}
}

// TestStoredTasksHeedTheOutcome of a request on each framework: what OnSuccess stored runs after one that succeeded,
// and is gone after one that failed. (The pool's conformance kit shows the rest of the lifecycle.)
func TestStoredTasksHeedTheOutcome(t *testing.T) {
	type call = func(ctx context.Context, text string) error
	serve := func(t *testing.T, handler http.Handler) (url string) {
		srv := httptest.NewUnstartedServer(handler)
		httppool.Track(srv.Config)
		srv.Start()
		t.Cleanup(srv.Close)
		return srv.URL
	}
	listen := func(t *testing.T) net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	statusOf := map[string]int{"ok": http.StatusCreated, "failed": http.StatusInternalServerError}
	gin.SetMode(gin.ReleaseMode)
	for name, site := range map[string]func(t *testing.T, src taskpool.Source, store call) (url string){
		"nethttp": func(t *testing.T, src taskpool.Source, store call) string {
			mux := http.NewServeMux()
			mux.HandleFunc("/{text}", func(w http.ResponseWriter, r *http.Request) {
				if store(r.Context(), r.PathValue("text")) == nil {
					w.WriteHeader(statusOf[r.PathValue("text")])
				}
			})
			return serve(t, httppool.Middleware(src)(mux))
		},
		"chi": func(t *testing.T, src taskpool.Source, store call) string {
			r := chi.NewRouter()
			r.Use(httppool.Middleware(src))
			r.Get("/{text}", func(w http.ResponseWriter, r *http.Request) {
				if store(r.Context(), chi.URLParam(r, "text")) == nil {
					w.WriteHeader(statusOf[chi.URLParam(r, "text")])
				}
			})
			return serve(t, r)
		},
		"gin": func(t *testing.T, src taskpool.Source, store call) string {
			r := gin.New()
			r.Use(ginpool.Middleware(src))
			r.GET("/:text", func(c *gin.Context) {
				if store(c.Request.Context(), c.Param("text")) == nil {
					c.Status(statusOf[c.Param("text")])
				}
			})
			return serve(t, r)
		},
		"echo": func(t *testing.T, src taskpool.Source, store call) string {
			e := echo.New()
			e.Use(echopool.Middleware(src))
			e.GET("/:text", func(c echo.Context) error {
				if err := store(c.Request().Context(), c.Param("text")); err != nil {
					return err
				}
				if status := statusOf[c.Param("text")]; status != http.StatusCreated {
					return echo.NewHTTPError(status) // rendered after the middleware has returned
				}
				return c.NoContent(http.StatusCreated)
			})
			return serve(t, e)
		},
		"echo5": func(t *testing.T, src taskpool.Source, store call) string {
			e := echo5.New()
			e.Use(echo5pool.Middleware(src))
			e.GET("/:text", func(c *echo5.Context) error {
				if err := store(c.Request().Context(), c.Param("text")); err != nil {
					return err
				}
				if status := statusOf[c.Param("text")]; status != http.StatusCreated {
					return echo5.NewHTTPError(status, "")
				}
				return c.NoContent(http.StatusCreated)
			})
			return serve(t, e)
		},
		"fiber": func(t *testing.T, src taskpool.Source, store call) string {
			app := fiber.New(fiber.Config{DisableStartupMessage: true})
			app.Use(fiberpool.Middleware(src))
			app.Get("/:text", func(c *fiber.Ctx) error {
				if err := store(c.UserContext(), strings.Clone(c.Params("text"))); err != nil {
					return err
				}
				if status := statusOf[c.Params("text")]; status != http.StatusCreated {
					return fiber.NewError(status)
				}
				return c.SendStatus(http.StatusCreated)
			})
			ln := listen(t)
			go func() { _ = app.Listener(ln) }() // until Shutdown
			t.Cleanup(func() { _ = app.Shutdown() })
			return "http://" + ln.Addr().String()
		},
		"fiber3": func(t *testing.T, src taskpool.Source, store call) string {
			app := fiber3.New()
			app.Use(fiber3pool.Middleware(src))
			app.Get("/:text", func(c fiber3.Ctx) error {
				if err := store(c.Context(), strings.Clone(c.Params("text"))); err != nil {
					return err
				}
				if status := statusOf[c.Params("text")]; status != http.StatusCreated {
					return fiber3.NewError(status)
				}
				return c.SendStatus(http.StatusCreated)
			})
			ln := listen(t)
			go func() { _ = app.Listener(ln, fiber3.ListenConfig{DisableStartupMessage: true}) }() // until Shutdown
			t.Cleanup(func() { _ = app.Shutdown() })
			return "http://" + ln.Addr().String()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "tasks.db")+"?_pragma=journal_mode(WAL)&_txlock=immediate")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			type note struct {
				Text string `json:"text"`
			}
			ran := make(chan string, 10)
			task := riverpool.Define("note", func(_ context.Context, n note) error { ran <- n.Text; return nil }, riverpool.Options{})
			q, err := riverpool.New(riversqlite.New(db), riverpool.Config{Source: taskpool.New(taskpool.Config{}), Tasks: []riverpool.Definition{task}, Sole: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := q.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			url := site(t, q, func(ctx context.Context, text string) error {
				err := q.OnSuccess(ctx, task.Job(note{text}))
				if err != nil {
					t.Error(err)
				}
				return err
			})
			for _, text := range []string{"failed", "ok", "failed", "ok"} {
				resp, err := http.Get(url + "/" + text)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != statusOf[text] {
					t.Errorf("%s: got status %d", text, resp.StatusCode)
				}
			}
			for range 2 {
				if got := <-ran; got != "ok" {
					t.Errorf("got %q, want what succeeded", got)
				}
			}
			if _, err := q.Done(t.Context()); err != nil {
				t.Error(err)
			}
			var rows string
			err = db.QueryRow("SELECT group_concat(state) FROM river_job").Scan(&rows)
			if want := "completed,completed"; err != nil || rows != want || len(ran) > 0 {
				t.Errorf("got rows %s, %d more runs, %v, want %s", rows, len(ran), err, want)
			}
		})
	}
}

// TestDurableOrdersAreThereAfterAKill, unlike those in memory, and so is what became of them.
func TestDurableOrdersAreThereAfterAKill(t *testing.T) {
	t.Parallel()
	binary, dir := build(t, "nethttp"), t.TempDir()
	args := []string{"-durable", "sqlite", "-receipts", dir, "-slow", "0"}
	first := serve(t, binary, args...)
	id := first.order(t, fine, http.StatusCreated)
	rejected := first.order(t, strings.Replace(fine, `"quantity":2`, `"quantity":1001`, 1), http.StatusConflict)
	checkFates(t, first.settled(t, id), map[string]string{"audit": "succeeded", "outcome": "succeeded", "alert": "discarded", "deliver": "succeeded"})
	checkFates(t, first.settled(t, rejected), map[string]string{"audit": "succeeded", "outcome": "succeeded", "alert": "succeeded"})
	if _, err := os.Stat(filepath.Join(dir, orders.ReceiptFile(id))); err != nil {
		t.Error(err)
	}
	first.signal(t, syscall.SIGKILL)
	first.wait(t)

	second := serve(t, binary, args...)
	checkFates(t, second.settled(t, id), map[string]string{"deliver": "succeeded"})
	checkFates(t, second.settled(t, rejected), map[string]string{})
	if status, err := second.get("/orders/nobody", nil); err != nil || status != http.StatusNotFound {
		t.Errorf("got %d, %v, want 404", status, err)
	}
}
