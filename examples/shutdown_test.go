package examples_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/elite-libs/taskpool/examples/orders"
)

var (
	stopping = regexp.MustCompile(`msg=stopping`)
	ledger   = regexp.MustCompile(`(?m)^ledger: (\d+) tasks accepted = .* \+ 0 left; 0 refused$`)
)

func sigtermUnderLoadLosesNothing(t *testing.T, binary string) {
	const burst, before = 500, 100
	answer := make(chan struct{})
	p := newPartner(t, answer)
	dir := t.TempDir()
	c := serve(t, binary, "-partner", p.URL, "-receipts", dir)

	var wg sync.WaitGroup
	var mu sync.Mutex // protects following fields
	placed := map[string]int{}
	others := map[string]int{} // why the rest was not placed
	enough := make(chan struct{})
	for range burst {
		wg.Go(func() {
			// A connection of its own for each: a shared transport dials some that it then has no use for, and
			// Server.Shutdown waits 5 s for the first byte on those.
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			var body orders.Placed
			status, err := c.postWith(&http.Client{Transport: transport}, fine, &body)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				others["no answer"]++
			case status != http.StatusCreated:
				others[fmt.Sprint(status)]++
			default:
				placed[body.ID]++
				if len(placed) == before {
					close(enough)
				}
			}
		})
	}
	await(t, enough)
	c.signal(t, syscall.SIGTERM)
	// No notification has been answered so far, so nearly all the background work is still ahead.
	c.stderr.find(t, stopping, c.exited)
	close(answer)
	wg.Wait()
	if code := c.wait(t).ExitCode(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}

	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]int{}
	for _, file := range files {
		stored[strings.TrimSuffix(filepath.Base(file), ".txt")]++
	}
	heard := p.tally()
	t.Logf("%d orders answered 201, %d receipts, %d notices; not placed: %v", len(placed), len(stored), len(heard), others)
	if !maps.Equal(placed, stored) || !maps.Equal(placed, heard) {
		t.Error("an order was lost, or came twice")
	}
	match := ledger.FindStringSubmatch(c.stdout.String())
	if match == nil || match[1] != fmt.Sprint(5*len(placed)) {
		t.Errorf("got ledger %v, want a balance of %d tasks", match, 5*len(placed))
	}
}

func interruptWaitsForTheOwnPartner(t *testing.T, binary string) {
	c := serve(t, binary, "-receipts", t.TempDir(), "-slow", "300ms")
	c.order(t, fine, http.StatusCreated) // and the connection is kept alive, idle
	c.signal(t, os.Interrupt)
	if code := c.wait(t).ExitCode(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	if out := c.stdout.String(); !ledger.MatchString(out) || !strings.Contains(out, " 5 tasks accepted = 4 succeeded + 0 failed ") {
		t.Errorf("got %q, want a ledger with 4 of 5 tasks succeeded", out)
	}
}

func secondSignalEndsAtOnce(t *testing.T, binary string) {
	p := newPartner(t, nil)
	c := serve(t, binary, "-receipts", t.TempDir(), "-partner", p.URL, "-limit", "1h")
	c.order(t, fine, http.StatusCreated)
	await(t, p.called)
	c.signal(t, syscall.SIGTERM)
	c.stderr.find(t, stopping, c.exited)
	c.signal(t, syscall.SIGTERM)
	// It ended by the signal, not because the partner's time was over.
	if status := c.wait(t).Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("got %v, want it ended by SIGTERM", c.ProcessState)
	}
}

func limitCutsAndNames(t *testing.T, binary string) {
	p := newPartner(t, nil)
	c := serve(t, binary, "-receipts", t.TempDir(), "-partner", p.URL, "-limit", "200ms")
	id := c.order(t, fine, http.StatusCreated)
	await(t, p.called)
	c.signal(t, syscall.SIGTERM)
	if code := c.wait(t).ExitCode(); code != 1 {
		t.Errorf("got exit code %d, want 1", code)
	}
	if out := c.stdout.String(); !strings.Contains(out, "canceled: 1 × notify\n  order "+id+"\n") {
		t.Errorf("the canceled task is not named in %q", out)
	}
}
