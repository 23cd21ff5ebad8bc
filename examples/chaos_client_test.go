package examples_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/examples/orders"
)

// A mob is many clients that place orders on one server, well and badly behaved.
type mob struct {
	addr    string
	enough  chan struct{} // closed when the first orders are placed, as many as was wished
	stopped atomic.Bool   // the server is being shut down: that it accepts no more is expected
	posted  atomic.Int64  // requests of which at least a part was written

	mu      sync.Mutex // protects following fields
	wish    int
	placed  map[string]int // how often each order was answered with 201, of which every byte was read
	answers map[string]int // by status
	errs    []string       // what must not happen to a client
}

func newMob(addr string, wish int) *mob {
	return &mob{addr: addr, wish: wish, enough: make(chan struct{}), placed: map[string]int{}, answers: map[string]int{}}
}

// A visit is one client, from its dialing to its leaving. Its error says that the server did not accept it.
type visit func(ctx context.Context, m *mob, rng *rand.Rand) error

// visits are what most clients do. Those that stall and lurk are apart: a server that shuts down has to wait for them.
var visits = []visit{keepAlive, pipeline, upload, expect, halfClose, leaveInRequest, leaveInResponse, connectionClose}

// run sends clients until ctx ends or the server accepts no more.
func (m *mob) run(ctx context.Context, rng *rand.Rand, visits []visit) {
	for ctx.Err() == nil {
		if err := visits[rng.IntN(len(visits))](ctx, m, rng); err != nil {
			if !m.stopped.Load() {
				m.wrong("the server does not accept: %v", err)
			}
			return
		}
	}
}

func (m *mob) wrong(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.errs = append(m.errs, fmt.Sprintf(format, args...))
}

// answered notes an answer that was read to its end.
func (m *mob) answered(status int, body []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[fmt.Sprint(status)]++
	switch status {
	case http.StatusCreated:
		var placed orders.Placed
		if err := json.Unmarshal(body, &placed); err != nil || placed.ID == "" {
			m.errs = append(m.errs, fmt.Sprintf("201 with %q", body))
			return
		}
		m.placed[placed.ID]++
		if len(m.placed) == m.wish {
			close(m.enough)
		}
	case http.StatusOK, http.StatusBadRequest, http.StatusConflict:
	case http.StatusServiceUnavailable:
		// The pool is finalized after the server: a request that still gets an answer still gets its tasks.
		if strings.Contains(string(body), "about to stop") {
			m.errs = append(m.errs, "a request was refused because the pool was done before the server")
		}
	default:
		m.errs = append(m.errs, fmt.Sprintf("status %d with %q", status, body))
	}
}

// order is the body of a request. Most can be fulfilled.
func order(rng *rand.Rand) string {
	quantity := 1 + rng.IntN(orders.Stock)
	switch rng.IntN(20) {
	case 0:
		return `{"customer":`
	case 1, 2:
		quantity += orders.Stock
	}
	return fmt.Sprintf(`{"customer":"c%d","item":"tea","quantity":%d}`, rng.IntN(1e6), quantity)
}

// post is a request on the wire.
func post(body string, header ...string) string {
	var extra strings.Builder
	for _, line := range header {
		extra.WriteString(line + "\r\n")
	}
	return fmt.Sprintf("POST /orders HTTP/1.1\r\nHost: chaos\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s", len(body), &extra, body)
}

// A wire is a connection as a client has it that writes bytes. Whatever fails on it after the dialing is the server's
// good right: the client sees no answer, and counts none.
type wire struct {
	*net.TCPConn
	m   *mob
	in  *bufio.Reader
	end func() bool
}

func (m *mob) dial(ctx context.Context) (*wire, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", m.addr)
	if err != nil {
		if ctx.Err() != nil {
			err = nil
		}
		return nil, err
	}
	return &wire{c.(*net.TCPConn), m, bufio.NewReader(c), context.AfterFunc(ctx, func() { c.Close() })}, nil
}

func (w *wire) leave() {
	w.end()
	w.Close()
}

// reset leaves without a word where leave says goodbye.
func (w *wire) reset(rng *rand.Rand) {
	if rng.IntN(2) == 0 {
		_ = w.SetLinger(0)
	}
	w.leave()
}

func (w *wire) send(request string) bool {
	w.m.posted.Add(1)
	_, err := io.WriteString(w, request)
	return err == nil
}

// receive reads one answer, and reports whether there may be another on this connection.
func (w *wire) receive() (status int, more bool) {
	resp, err := http.ReadResponse(w.in, &http.Request{Method: http.MethodPost})
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusContinue {
		return resp.StatusCode, true
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, false
	}
	w.m.answered(resp.StatusCode, body)
	return resp.StatusCode, !resp.Close
}

// keepAlive places orders one after another on one connection, as the standard client does.
func keepAlive(ctx context.Context, m *mob, rng *rand.Rand) error {
	// A transport of its own: a shared one dials some that it then has no use for, and those Shutdown waits for.
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range 1 + rng.IntN(20) {
		method, path, body := http.MethodPost, "/orders", order(rng)
		if rng.IntN(10) == 0 {
			method, path, body = http.MethodGet, "/healthz", ""
		} else {
			m.posted.Add(1)
		}
		req, err := http.NewRequestWithContext(ctx, method, "http://"+m.addr+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" && ctx.Err() == nil {
			return err
		}
		if err != nil {
			return nil
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return nil
		}
		m.answered(resp.StatusCode, text)
	}
	return nil
}

// pipeline places several orders in one write, then reads the answers.
func pipeline(ctx context.Context, m *mob, rng *rand.Rand) error {
	w, err := m.dial(ctx)
	if w == nil {
		return err
	}
	defer w.leave()
	for range 1 + rng.IntN(3) {
		n := 2 + rng.IntN(7)
		var requests strings.Builder
		for range n {
			requests.WriteString(post(order(rng)))
		}
		m.posted.Add(int64(n - 1))
		if !w.send(requests.String()) {
			return nil
		}
		for range n {
			if _, more := w.receive(); !more {
				return nil
			}
		}
	}
	return nil
}

// upload sends a request byte by byte.
func upload(ctx context.Context, m *mob, rng *rand.Rand) error {
	w, err := m.dial(ctx)
	if w == nil {
		return err
	}
	defer w.leave()
	m.posted.Add(1)
	request := post(order(rng))
	for i := range len(request) {
		if _, err := io.WriteString(w, request[i:i+1]); err != nil {
			return nil
		}
		if rng.IntN(4) == 0 {
			pause(ctx, upTo(rng, 2*time.Millisecond))
		}
	}
	w.receive()
	return nil
}

// upTo is a random time from 0 to d.
func upTo(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// expect sends a body when it is asked to, after a while.
func expect(ctx context.Context, m *mob, rng *rand.Rand) error {
	w, err := m.dial(ctx)
	if w == nil {
		return err
	}
	defer w.leave()
	body := order(rng)
	header := strings.TrimSuffix(post(body, "Expect: 100-continue"), body)
	if !w.send(header) {
		return nil
	}
	if status, _ := w.receive(); status != http.StatusContinue {
		return nil
	}
	pause(ctx, upTo(rng, 20*time.Millisecond))
	if _, err := io.WriteString(w, body); err == nil {
		w.receive()
	}
	return nil
}

// halfClose says that nothing more follows, and reads. To net/http the client has gone then.
func halfClose(ctx context.Context, m *mob, rng *rand.Rand) error {
	w, err := m.dial(ctx)
	if w == nil {
		return err
	}
	defer w.leave()
	if w.send(post(order(rng))) && w.CloseWrite() == nil {
		w.receive()
	}
	return nil
}

func connectionClose(ctx context.Context, m *mob, rng *rand.Rand) error {
	w, err := m.dial(ctx)
	if w == nil {
		return err
	}
	defer w.leave()
	if w.send(post(order(rng), "Connection: close")) {
		if _, more := w.receive(); more {
			m.wrong("the connection stays open against the client's wish")
		}
	}
	return nil
}

// leaveInRequest goes before the request is complete.
func leaveInRequest(ctx context.Context, m *mob, rng *rand.Rand) error {
	w, err := m.dial(ctx)
	if w == nil {
		return err
	}
	defer w.reset(rng)
	request := post(order(rng))
	w.send(request[:1+rng.IntN(len(request)-1)])
	return nil
}

// leaveInResponse goes before the answer is read to its end.
func leaveInResponse(ctx context.Context, m *mob, rng *rand.Rand) error {
	w, err := m.dial(ctx)
	if w == nil {
		return err
	}
	defer w.reset(rng)
	if w.send(post(order(rng))) {
		_, _ = io.CopyN(io.Discard, w, int64(rng.IntN(100)))
	}
	return nil
}

// stall neither completes its request nor leaves.
func stall(ctx context.Context, m *mob, rng *rand.Rand) error {
	w, err := m.dial(ctx)
	if w == nil {
		return err
	}
	defer w.leave()
	request := post(order(rng))
	if w.send(request[:1+rng.IntN(len(request)-1)]) {
		_, _ = w.Read(make([]byte, 1)) // until the server closes
	}
	return nil
}

// lurk connects in advance, as browsers do, and asks for nothing.
func lurk(ctx context.Context, m *mob, _ *rand.Rand) error {
	w, err := m.dial(ctx)
	if w == nil {
		return err
	}
	defer w.leave()
	_, _ = w.Read(make([]byte, 1)) // until the server closes
	return nil
}

// check reports what must not have happened to a client.
func (m *mob) check(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, err := range m.errs {
		t.Error(err)
	}
	for id, n := range m.placed {
		if n != 1 {
			t.Errorf("order %s was answered %d times", id, n)
		}
	}
}
