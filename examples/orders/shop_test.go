package orders_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/examples/orders"
)

const fine = `{"customer":"ada","item":"tea","quantity":2}`

// A shop is a service on a pool of its own, with receipts in a directory of its own and a partner that listens.
type shop struct {
	*orders.Service
	pool     *taskpool.Pool
	receipts *os.Root

	mu      sync.Mutex // protects following fields
	notices []orders.Notice
	answer  http.HandlerFunc // of the partner, after it noted the notice; nil answers 200
}

func open(t *testing.T, pc taskpool.Config, keep int) *shop {
	receipts, err := orders.OpenReceipts(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { receipts.Close() })
	s := &shop{receipts: receipts}
	partner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n orders.Notice
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil || r.Method != http.MethodPost {
			t.Errorf("the partner got %s, %v", r.Method, err)
		}
		s.mu.Lock()
		s.notices = append(s.notices, n)
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(partner.Close)

	quiet := slog.New(slog.DiscardHandler)
	service, err := orders.New(orders.Config{Receipts: s.receipts, Partner: partner.URL, Client: partner.Client(), Keep: keep, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	s.Service = service
	pc.Logger = quiet
	pc.Hooks.Ended = orders.Ended
	s.pool = taskpool.New(pc)
	return s
}

func (s *shop) answers(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = h
}

func (s *shop) heard() []orders.Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]orders.Notice(nil), s.notices...)
}

// request is the life of one request: begun, handled, sent, drained.
func (s *shop) request(t *testing.T, body string) orders.Response {
	t.Helper()
	ctx, exchange := s.pool.Begin(t.Context())
	resp := s.Place(ctx, strings.NewReader(body))
	exchange.Returned(taskpool.Outcome{Status: resp.Status})
	exchange.Sent(taskpool.ReleaseFlushed)
	if _, err := exchange.Scope().Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	return resp
}

func (s *shop) show(t *testing.T, id string) (view orders.View, fates map[string]string) {
	t.Helper()
	resp := s.Show(t.Context(), id)
	view, ok := resp.Body.(orders.View)
	if resp.Status != http.StatusOK || !ok {
		t.Fatalf("got %d %v, want the order", resp.Status, resp.Body)
	}
	fates = map[string]string{}
	for _, task := range view.Tasks {
		fates[task.Name] = task.Fate
	}
	return view, fates
}

func idOf(t *testing.T, resp orders.Response) string {
	t.Helper()
	placed, ok := resp.Body.(orders.Placed)
	if !ok || placed.ID == "" || resp.Header["Location"] != "/orders/"+placed.ID {
		t.Fatalf("got %d %v %v, want an order with its Location", resp.Status, resp.Header, resp.Body)
	}
	return placed.ID
}

func checkFates(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range got {
		if got[name] != want[name] {
			t.Errorf("%s: got %q, want %q", name, got[name], want[name])
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s: missing, want %q", name, want[name])
		}
	}
}
