//go:build unix

package combos_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	"github.com/gofiber/fiber/v2"
)

const (
	addrKey  = "COMBOS_ADDR"
	notesKey = "COMBOS_NOTES"
)

func init() { child = preforked }

// preforked is Fiber's master, or a child of it, which is this program again.
func preforked(role string) {
	app := fiber.New(fiber.Config{Prefork: true, DisableStartupMessage: true})
	if role == "with" {
		app.Use(fiberpool.Middleware(taskpool.New(taskpool.Config{})))
	}
	app.Get("/order", func(c *fiber.Ctx) error {
		if role == "with" {
			err := fiberpool.From(c).OnSuccess(func(context.Context) error {
				return os.WriteFile(os.Getenv(notesKey), []byte(fmt.Sprint(os.Getpid())), 0o600)
			})
			if err != nil {
				return err
			}
		}
		return c.Status(http.StatusCreated).SendString(fmt.Sprint(fiber.IsChild()))
	})
	if err := app.Listen(os.Getenv(addrKey)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Under Prefork each child has a pool of its own, which runs what it staged.
func TestFiberPrefork(t *testing.T) {
	ran.Add(1)
	notes := t.TempDir() + "/notes"
	var answers []string
	for _, role := range []string{"without", "with"} {
		ln := listen(t)
		addr := ln.Addr().String()
		_ = ln.Close() // Fiber listens by itself
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), roleKey+"="+role, addrKey+"="+addr, notesKey+"="+notes, "GOMAXPROCS=2")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the master, and its children with it
			_ = cmd.Wait()
		})
		eventually(t, "a child listens", func() bool {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
		answers = append(answers, text(send(t, ln.Addr(), get("/order"))))
	}
	if answers[0] != answers[1] || statusOf(answers[1]) != http.StatusCreated || !strings.HasSuffix(answers[1], "true") {
		t.Errorf("got %q, without the pool %q, want a 201 from a child", answers[1], answers[0])
	}
	eventually(t, "the task of the child has run", func() bool {
		b, err := os.ReadFile(notes)
		return err == nil && len(b) > 0
	})
}

// eventually waits for what another process does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
