package examples_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/examples/orders"
	"github.com/jackc/pgx/v5"
)

// TestChaosDurable ends the orders service again and again (once with -short) under load, and accounts for every order, by the name of its
// customer: answered 2xx, it is delivered; answered otherwise, it is not. SIGTERM delivers nothing twice and uses up no
// attempt. CHAOS_ROUNDS says how many rounds there are of each.
func TestChaosDurable(t *testing.T) {
	rounds := 3
	switch {
	case chaos:
		rounds = 20
	case testing.Short():
		rounds = 1
	}
	if text := os.Getenv("CHAOS_ROUNDS"); text != "" {
		if _, err := fmt.Sscan(text, &rounds); err != nil {
			t.Fatal(err)
		}
	}
	if !chaos { // which is to have the machine for itself
		t.Parallel()
	}
	binary := build(t, "nethttp")
	for _, tt := range []struct {
		name string
		open func(t *testing.T) *shelf
		sig  syscall.Signal
		long bool // what a kill cut on Postgres starts again when its time is over
	}{
		{"SQLite/kill", openFile, syscall.SIGKILL, false},
		{"SQLite/term", openFile, syscall.SIGTERM, false},
		{"Postgres/kill", openSchema, syscall.SIGKILL, true},
		{"Postgres/term", openSchema, syscall.SIGTERM, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.long && !chaos {
				t.Skip("takes minutes: with CHAOS=1")
			}
			t.Parallel()
			s := tt.open(t)
			s.rounds(t, binary, tt.sig, rounds)
		})
	}
}

// A shelf is where the service keeps its orders, and what became of them.
type shelf struct {
	durable, dir string
	query        func(sql string) (string, error) // of one value

	customers atomic.Int64
	mu        sync.Mutex     // protects what follows
	answers   map[string]int // by customer; 0 is no answer
	heard     map[string]int // by customer: how often the partner was told
}

func openFile(t *testing.T) *shelf {
	dir := t.TempDir()
	return &shelf{durable: "sqlite", dir: dir, query: func(query string) (value string, err error) {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "orders.db")+"?_pragma=busy_timeout(5000)")
		if err == nil {
			defer db.Close()
			err = db.QueryRow(query).Scan(&value)
		}
		return value, err
	}}
}

var schemas atomic.Int64

func openSchema(t *testing.T) *shelf {
	url := os.Getenv("RIVERPOOL_PG")
	if url == "" {
		t.Skip("no Postgres: run the tests with core/riverpool/testdata/postgres, or set RIVERPOOL_PG")
	}
	ctx := context.WithoutCancel(t.Context()) // until the cleanup
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	schema := fmt.Sprintf("examples%d_%d", os.Getpid(), schemas.Add(1))
	if _, err := conn.Exec(ctx, "CREATE SCHEMA "+schema+"; SET search_path = "+schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = conn.Exec(ctx, "SET client_min_messages = error; DROP SCHEMA "+schema+" CASCADE")
		conn.Close(ctx)
	})
	return &shelf{durable: url + "&search_path=" + schema, dir: t.TempDir(), query: func(query string) (value string, err error) {
		return value, conn.QueryRow(ctx, strings.Replace(query, "count(*)", "count(*)::text", 1)).Scan(&value)
	}}
}

func (s *shelf) rounds(t *testing.T, binary string, sig syscall.Signal, rounds int) {
	s.answers, s.heard = map[string]int{}, map[string]int{}
	partner := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n orders.Notice
		if json.NewDecoder(r.Body).Decode(&n) != nil {
			return // the caller was killed
		}
		pause(r.Context(), 5*time.Millisecond)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard[n.Customer]++
	}))
	defer partner.Close()
	args := []string{"-durable", s.durable, "-receipts", s.dir, "-partner", partner.URL, "-workers", "3", "-queue", "1"} // which has room for one order at a time: others are answered 503, within their transaction
	for range rounds {
		c := serve(t, binary, args...)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { s.visit(ctx, c) })
		}
		pause(ctx, 300*time.Millisecond+upTo(rand.New(rand.NewPCG(rand.Uint64(), 0)), time.Second))
		for range 300 { // a machine that is busy with other tests takes longer to be overloaded
			if s.saw(2) && s.saw(5) {
				break
			}
			pause(ctx, 100*time.Millisecond)
		}
		c.signal(t, sig)
		state := c.wait(t)
		cancel()
		wg.Wait()
		if code := state.ExitCode(); sig == syscall.SIGTERM && code != 0 {
			t.Errorf("got exit code %d, want 0", code)
		}
	}
	c := serve(t, binary, args...)
	began := time.Now()
	s.until(t, 5*time.Minute, "SELECT count(*) FROM river_job WHERE state <> 'completed'", "0")
	took := time.Since(began)
	c.signal(t, syscall.SIGTERM)
	if code := c.wait(t).ExitCode(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	s.account(t, sig, took)
}

// visit places orders, one after another, until there is no answer.
func (s *shelf) visit(ctx context.Context, c *child) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		n := s.customers.Add(1)
		customer, quantity := fmt.Sprint("c", n), 2
		if n%10 == 0 {
			quantity = orders.Stock + 1 // which is rejected
		}
		status, err := c.postWith(client, fmt.Sprintf(`{"customer":%q,"item":"tea","quantity":%d}`, customer, quantity), nil)
		if err != nil {
			status = 0
		}
		s.mu.Lock()
		s.answers[customer] = status
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// saw reports whether there was an answer of that class.
func (s *shelf) saw(class int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, status := range s.answers {
		if status/100 == class {
			return true
		}
	}
	return false
}

// until waits until the database has an answer.
func (s *shelf) until(t *testing.T, patience time.Duration, query, want string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		got, err := s.query(query)
		if err == nil && got == want {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited %v: %s is %q, %v, want %s", patience, query, got, err, want)
		}
	}
}

var customerLine = regexp.MustCompile(`(?m)^Customer (c\d+)$`)

func (s *shelf) account(t *testing.T, sig syscall.Signal, took time.Duration) {
	receipts := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(s.dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if match := customerLine.FindSubmatch(text); match != nil {
			receipts[string(match[1])] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for customer, status := range s.answers {
		delivered := s.heard[customer] > 0 && receipts[customer]
		begun := s.heard[customer] > 0 || receipts[customer]
		switch {
		case status == 0:
			counts["no answer"]++
			if begun {
				counts["no answer, done"]++
			}
		case status < 300:
			counts["2xx"]++
			if !delivered {
				t.Errorf("%s was answered %d and is not delivered", customer, status)
			}
		default:
			counts[fmt.Sprint(status)]++
			if begun {
				t.Errorf("%s was answered %d and is delivered", customer, status)
			}
		}
		if s.heard[customer] > 1 {
			counts["twice"]++
		}
	}
	again, err := s.query("SELECT count(*) FROM river_job WHERE attempt <> 1")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v; %s rows with another attempt; all done %v after the last start", counts, again, took.Round(100*time.Millisecond))
	if counts["2xx"] == 0 || counts["503"] == 0 {
		t.Errorf("got %v, want answers of both kinds: it shows nothing", counts)
	}
	if sig == syscall.SIGTERM && (counts["twice"] > 0 || again != "0") {
		t.Errorf("%d twice, %s rows with another attempt, want none: nothing was killed", counts["twice"], again)
	}
}
