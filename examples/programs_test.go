package examples_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/elite-libs/taskpool/examples/orders"
)

// programs are the folders of the programs: the same service on each framework, so the same tests.
var programs = []string{"nethttp", "gin", "echo", "echo5", "fiber", "fiber3"}

// tour are the folders of the small programs, each of which shows one thing.
var tour = []string{"durable", "fanout", "lambda", "migrate", "ratelimit"}

const fine = `{"customer":"ada","item":"tea","quantity":2}`

func TestPrograms(t *testing.T) {
	for _, name := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			binary := build(t, name)
			for _, tt := range []struct {
				name string
				test func(t *testing.T, binary string)
			}{
				{"OrderIsAnsweredThenFinished", orderIsAnsweredThenFinished},
				{"RejectedOrderRaisesAnAlert", rejectedOrderRaisesAnAlert},
				{"BadRequestsAreAnswered", badRequestsAreAnswered},
				{"OverloadIsAnswered503", overloadIsAnswered503},
				{"SIGTERMUnderLoadLosesNothing", sigtermUnderLoadLosesNothing},
				{"InterruptWaitsForTheOwnPartner", interruptWaitsForTheOwnPartner},
				{"SecondSignalEndsAtOnce", secondSignalEndsAtOnce},
				{"LimitCutsAndNames", limitCutsAndNames},
				{"WhatCannotStartSaysWhy", whatCannotStartSaysWhy},
			} {
				t.Run(tt.name, func(t *testing.T) { tt.test(t, binary) })
			}
		})
	}
}

// A partner hears of orders, and answers when the test says so.
type partner struct {
	*httptest.Server
	called chan struct{} // receives once for each call, before the answer, if newPartner made it

	mu    sync.Mutex // protects following field
	heard map[string]int
}

// tally returns how often the partner answered for each order.
func (p *partner) tally() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.heard)
}

// newPartner holds each answer back until answer is closed, or the caller or the test is gone.
func newPartner(t *testing.T, answer <-chan struct{}) *partner {
	called := make(chan struct{}, 10_000)
	p := startPartner(t, func(ctx context.Context) {
		called <- struct{}{}
		select {
		case <-answer:
		case <-ctx.Done():
		}
	})
	p.called = called
	return p
}

// startPartner takes each order to work, which may end early with the context; then there is no answer.
func startPartner(t *testing.T, work func(ctx context.Context)) *partner {
	p := &partner{heard: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the caller was killed, or its task canceled
		}
		var n orders.Notice
		if err := json.Unmarshal(body, &n); err != nil {
			t.Errorf("the partner got no notice: %v", err)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(t.Context(), cancel)()
		work(ctx)
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		p.heard[n.ID]++
		p.mu.Unlock()
	}))
	t.Cleanup(p.Close)
	return p
}

func checkFates(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func orderIsAnsweredThenFinished(t *testing.T, binary string) {
	answer := make(chan struct{})
	p := newPartner(t, answer)
	dir := t.TempDir()
	c := serve(t, binary, "-partner", p.URL, "-receipts", dir)
	if status, err := c.get("/healthz", nil); status != http.StatusOK || err != nil {
		t.Errorf("healthz: got %d, %v, want 200", status, err)
	}

	resp, err := http.Post(c.url+"/orders", "application/json", strings.NewReader(fine))
	if err != nil {
		t.Fatal(err)
	}
	var placed orders.Placed
	status, err := decode(resp, &placed)
	if status != http.StatusCreated || err != nil {
		t.Fatalf("got %d, %v, want 201", status, err)
	}
	if got, want := resp.Header.Get("Location"), "/orders/"+placed.ID; got != want {
		t.Errorf("got Location %q, want %q", got, want)
	}
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("got Content-Type %q, want JSON", got)
	}

	await(t, p.called) // and the answer is here, complete, while a task is held up
	if _, err := os.Stat(filepath.Join(dir, orders.ReceiptFile(placed.ID))); err != nil {
		t.Errorf("the partner heard of an order without a receipt: %v", err)
	}
	close(answer)
	checkFates(t, c.settled(t, placed.ID), map[string]string{
		"audit": "succeeded", "outcome": "succeeded", "receipt": "succeeded", "notify": "succeeded", "alert": "discarded",
	})

	c.signal(t, syscall.SIGTERM)
	if code := c.wait(t).ExitCode(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	// The order of events, as the log tells it. Between the first and the last several workers write it.
	log := c.stderr.String()
	accepted := strings.Index(log, `msg="order accepted" status=201 order=`+placed.ID)
	drained := strings.Index(log, "msg=drained status=201 succeeded=4")
	for _, want := range []string{
		`msg="response sent" status=201 release=flushed exact=true order=` + placed.ID,
		"name=receipt fate=succeeded",
		"name=notify fate=succeeded",
	} {
		if i := strings.Index(log, want); accepted < 0 || i < accepted || i > drained {
			t.Errorf("%q is at %d of the log, want it between order accepted, at %d, and drained, at %d", want, i, accepted, drained)
		}
	}
}

func rejectedOrderRaisesAnAlert(t *testing.T, binary string) {
	c := serve(t, binary, "-receipts", t.TempDir(), "-slow", "0")
	id := c.order(t, `{"customer":"ada","item":"tea","quantity":1001}`, http.StatusConflict)
	checkFates(t, c.settled(t, id), map[string]string{
		"audit": "succeeded", "outcome": "succeeded", "receipt": "discarded", "alert": "succeeded",
	})
}

func badRequestsAreAnswered(t *testing.T, binary string) {
	c := serve(t, binary, "-receipts", t.TempDir())
	for _, tt := range []struct {
		name, body string
		want       int
	}{
		{"malformed", `{"customer":`, 400},
		{"empty", ``, 400},
		{"unknown field", `{"customer":"ada","item":"tea","quantity":1,"gift":true}`, 400},
		{"trailing garbage", fine + "x", 400},
		{"absurd", `{"customer":"ada","item":"tea","quantity":-1}`, 400},
		{"oversized", fine + strings.Repeat(" ", orders.MaxBody), 413},
		{"far oversized", strings.Repeat("x", 1<<20), 413},
	} {
		var failure orders.Failure
		if status, err := c.post(tt.body, &failure); err != nil || status != tt.want || !strings.HasPrefix(failure.Error, "orders: ") {
			t.Errorf("%s: got %d %+v, %v, want %d with a reason", tt.name, status, failure, err, tt.want)
		}
	}
	if status, err := c.get("/orders/none", nil); status != http.StatusNotFound || err != nil {
		t.Errorf("got %d, %v, want 404", status, err)
	}
}

func overloadIsAnswered503(t *testing.T, binary string) {
	p := newPartner(t, nil)
	c := serve(t, binary, "-receipts", t.TempDir(), "-partner", p.URL, "-workers", "1", "-queue", "6")
	c.order(t, fine, http.StatusCreated)
	await(t, p.called) // its task keeps the only worker
	c.order(t, fine, http.StatusCreated)
	resp, err := http.Post(c.url+"/orders", "application/json", strings.NewReader(fine))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %v, want 503 with Retry-After", resp.StatusCode, resp.Header)
	}
}

func whatCannotStartSaysWhy(t *testing.T, binary string) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-addr", taken.Addr().String()}, 1, "address already in use"},
		{[]string{"-receipts", filepath.Join(file, "below")}, 1, "not a directory"},
		{[]string{"-receipts", t.TempDir(), "-partner", "nowhere"}, 1, `"nowhere"`},
		{[]string{"-workers", "many"}, 2, `"many"`},
	} {
		c := launch(t, binary, tt.args...)
		code := c.wait(t).ExitCode()
		stderr := c.stderr.String()
		if code != tt.code || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tt.want) || c.stdout.String() != "" {
			t.Errorf("%v: got code %d, %q, want %d and one line with %q", tt.args, code, stderr, tt.code, tt.want)
		}
	}
}
