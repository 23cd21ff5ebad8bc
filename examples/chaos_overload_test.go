package examples_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestChaosOverload offers ten times the orders that the pool can finish. Memory stays flat, each order is answered
// with 201 or with a 503 that says when to come again, others are served as before, and once there is room the next
// order is taken. The same load on a go statement for each order is shown beside it.
func TestChaosOverload(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc, which is Linux's")
	}
	const (
		workers = 4
		latency = 50 * time.Millisecond // of the partner, which is what an order costs
		rate    = 10 * int(workers*time.Second/latency)
		prompt  = 2 * time.Second // is no delay, on whatever machine this runs
	)
	duration, queue := 3*time.Second, 100
	if chaos {
		duration, queue = time.Minute, 1000
	}
	t.Setenv("GOMEMLIMIT", "off") // for the children: nothing but the pool bounds their memory
	t.Setenv("GOGC", "100")       // and they collect as programs do, not as make has its tests do it
	slowly := func(ctx context.Context) { pause(ctx, latency) }

	p := startPartner(t, slowly)
	c := serve(t, build(t, "nethttp"), "-partner", p.URL, "-receipts", t.TempDir(),
		"-workers", fmt.Sprint(workers), "-queue", fmt.Sprint(queue))
	pooled := overload(t, c, rate, duration)
	t.Logf("pool:  %s", pooled)
	for answer := range pooled.answers {
		if answer != "201" && answer != "503 with Retry-After" {
			t.Errorf("answered %q", answer)
		}
	}
	if pooled.answers["503 with Retry-After"] == 0 {
		t.Error("nothing was refused: this was no overload")
	}
	if most := pooled.quarter*3/2 + 20<<20; pooled.end > most {
		t.Errorf("memory grew from %d to %d MB", pooled.quarter>>20, pooled.end>>20)
	}
	if p99 := percentile(pooled.latency, 99); p99 > prompt {
		t.Errorf("99 of 100 other requests were answered within %v, want %v", p99, prompt)
	}

	// There is room as soon as a few tasks have ended, and then it is used: the queue need not be empty for that.
	began, tries := time.Now(), 1
	tick := time.NewTicker(latency / 10)
	defer tick.Stop()
	for ; ; tries++ {
		status, err := c.post(fine, nil)
		if err != nil || time.Since(began) > patience {
			t.Fatalf("no order is taken any more: %d, %v", status, err)
		}
		if status == http.StatusCreated {
			break
		}
		<-tick.C
	}
	room := time.Since(began)
	if room > prompt {
		t.Errorf("an order was taken only %v after the load, want %v", room, prompt)
	}
	placed := pooled.answers["201"] + 1
	for p.count() < placed {
		if time.Since(began) > 2*patience {
			t.Fatalf("the partner has heard of %d orders, want %d", p.count(), placed)
		}
		<-tick.C
	}
	drained := time.Since(began)
	checkFates(t, c.settled(t, c.order(t, fine, http.StatusCreated)), map[string]string{
		"audit": "succeeded", "outcome": "succeeded", "receipt": "succeeded", "notify": "succeeded", "alert": "discarded",
	})
	t.Logf("after the load an order was taken at try %d, %v after its end; the queue was empty after %v, and the next order finished %v later",
		tries, room.Round(time.Millisecond), drained.Round(time.Millisecond), (time.Since(began) - drained).Round(time.Millisecond))

	q := startPartner(t, slowly)
	n := serveOwn(t, "own:naive", q.URL, t.TempDir(), fmt.Sprint(workers))
	if raceEnabled {
		duration = min(duration, 8*time.Second) // the race detector ends a process that has more than 8128 goroutines
	}
	bare := overload(t, n, rate, duration)
	t.Logf("naive: %s goroutines", bare)
	if bare.growth() <= pooled.growth() {
		t.Errorf("without a pool memory grew by %d KB, with it by %d KB: the comparison shows nothing", bare.growth()>>10, pooled.growth()>>10)
	}
}

// A strain is how a process bore a load.
type strain struct {
	answers             map[string]int
	start, quarter, end int // resident memory in bytes: before, after a quarter of the time, at the end
	latency             []time.Duration
	health              string // the last answer of /healthz
}

func (s *strain) growth() int { return s.end - s.start }

func (s *strain) String() string {
	return fmt.Sprintf("%v, memory %d, %d, %d MB at the start, after a quarter, at the end; healthz within %v (p50), %v (p99), at last %s",
		s.answers, s.start>>20, s.quarter>>20, s.end>>20, percentile(s.latency, 50), percentile(s.latency, 99), s.health)
}

func percentile(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)*p/100].Round(10 * time.Microsecond)
}

// overload places so many orders in each second, and asks for the health meanwhile.
func overload(t *testing.T, c *child, rate int, duration time.Duration) *strain {
	const clients = 40
	s := &strain{answers: map[string]int{}, start: residentMemory(t, c)}
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex // protects s.answers
	for range clients {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			tick := time.NewTicker(clients * time.Second / time.Duration(rate))
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				answer := c.attempt(client)
				mu.Lock()
				s.answers[answer]++
				mu.Unlock()
			}
		})
	}
	wg.Go(func() {
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			began := time.Now()
			resp, err := client.Get(c.url + "/healthz")
			if err != nil {
				t.Errorf("healthz: %v", err)
				return
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("healthz: got %d, %v", resp.StatusCode, err)
			}
			s.latency = append(s.latency, time.Since(began))
			s.health = strings.TrimSpace(string(body))
		}
	})
	pause(ctx, duration/4)
	s.quarter = residentMemory(t, c)
	<-ctx.Done()
	s.end = residentMemory(t, c)
	wg.Wait()
	return s
}

// attempt places an order and says how it was answered.
func (c *child) attempt(client *http.Client) string {
	resp, err := client.Post(c.url+"/orders", "application/json", strings.NewReader(fine))
	if err != nil {
		return err.Error()
	}
	status, err := decode(resp, nil)
	switch {
	case err != nil:
		return err.Error()
	case status == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		return "503 with Retry-After"
	}
	return fmt.Sprint(status)
}

// count is of how many orders the partner has heard.
func (p *partner) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.heard)
}

var residentLine = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)

// residentMemory is how many bytes a process has in memory.
func residentMemory(t *testing.T, c *child) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	match := residentLine.FindSubmatch(status)
	if match == nil {
		t.Fatalf("no memory in %s", status)
	}
	kb, err := strconv.Atoi(string(match[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
