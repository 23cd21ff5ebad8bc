package orders_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/examples/orders"
)

func TestPlaceAnswersBeforeItsTasks(t *testing.T) {
	s := open(t, taskpool.Config{}, 0)
	s.pool.Pause()
	ctx, exchange := s.pool.Begin(t.Context())
	resp := s.Place(ctx, strings.NewReader(fine))
	if resp.Status != http.StatusCreated {
		t.Fatalf("got %d %v, want 201", resp.Status, resp.Body)
	}
	id := idOf(t, resp)
	view, fates := s.show(t, id)
	if view.Settled || view.State != "accepted" || view.Order != (orders.Order{Customer: "ada", Item: "tea", Quantity: 2}) {
		t.Errorf("got %+v, want the order, accepted, not settled", view)
	}
	checkFates(t, fates, map[string]string{"audit": "pending", "outcome": "pending", "receipt": "pending", "alert": "pending"})

	s.pool.Resume()
	exchange.Returned(taskpool.Outcome{Status: resp.Status})
	exchange.Sent(taskpool.ReleaseFlushed)
	if _, err := exchange.Scope().Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	view, fates = s.show(t, id)
	if !view.Settled {
		t.Error("not settled after the drain")
	}
	checkFates(t, fates, map[string]string{
		"audit": "succeeded", "outcome": "succeeded", "receipt": "succeeded", "notify": "succeeded", "alert": "discarded",
	})
	text, err := s.receipts.ReadFile(orders.ReceiptFile(id))
	if err != nil || !strings.Contains(string(text), id) || !strings.Contains(string(text), "tea") {
		t.Errorf("got receipt %q, %v", text, err)
	}
	want := orders.Notice{ID: id, Order: view.Order, Receipt: orders.ReceiptFile(id)}
	if got := s.heard(); len(got) != 1 || got[0] != want {
		t.Errorf("the partner heard %v, want %v once", got, want)
	}
}

func TestPartnerHearsAfterTheReceiptIsStored(t *testing.T) {
	s := open(t, taskpool.Config{Workers: 8}, 0)
	s.answers(func(http.ResponseWriter, *http.Request) {
		for _, n := range s.heard() {
			if _, err := s.receipts.Stat(n.Receipt); err != nil {
				t.Errorf("the receipt of a notice is not there: %v", err)
			}
		}
	})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { s.request(t, fine) })
	}
	wg.Wait()
	if got := len(s.heard()); got != 50 {
		t.Errorf("the partner heard of %d orders, want 50", got)
	}
	files, err := fs.Glob(s.receipts.FS(), "*")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 50 { // the unfinished ones have got their names
		t.Errorf("there are %v, want 50 receipts", files)
	}
}

func TestMoreThanTheStockIsRejectedWithAnAlert(t *testing.T) {
	s := open(t, taskpool.Config{}, 0)
	resp := s.request(t, `{"customer":"ada","item":"tea","quantity":1001}`)
	if resp.Status != http.StatusConflict {
		t.Fatalf("got %d, want 409", resp.Status)
	}
	view, fates := s.show(t, idOf(t, resp))
	if view.State != "rejected" || !view.Settled {
		t.Errorf("got %+v, want it rejected and settled", view)
	}
	checkFates(t, fates, map[string]string{"audit": "succeeded", "outcome": "succeeded", "receipt": "discarded", "alert": "succeeded"})
	if got := s.heard(); len(got) != 0 {
		t.Errorf("the partner heard %v, want nothing", got)
	}
}

func TestRefusedRequestAddsNoTask(t *testing.T) {
	s := open(t, taskpool.Config{}, 0)
	for body, want := range map[string]int{"{": 400, strings.Repeat("x", orders.MaxBody+1): 413} {
		if resp := s.request(t, body); resp.Status != want || resp.Body.(orders.Failure).Error == "" {
			t.Errorf("got %d %v, want %d with a reason", resp.Status, resp.Body, want)
		}
	}
	if got := s.pool.Stats().Accepted; got != 0 {
		t.Errorf("%d tasks accepted, want 0", got)
	}
}

func TestOverloadIsAnswered503AndKeepsNothing(t *testing.T) {
	s := open(t, taskpool.Config{Workers: 1, QueueLimit: 2}, 0) // room for 3, and an order has 4
	resp := s.request(t, fine)
	if resp.Status != http.StatusServiceUnavailable || resp.Header["Retry-After"] == "" || resp.Header["Location"] != "" {
		t.Errorf("got %d %v, want 503 with Retry-After and no Location", resp.Status, resp.Header)
	}
	if got := s.pool.Stats(); got.Accepted != 0 || got.Refused != 4 {
		t.Errorf("got %d accepted and %d refused, want 0 and 4", got.Accepted, got.Refused)
	}
}

func TestPartnerHearsEvenIfThereIsNoRoomForItsJob(t *testing.T) {
	var s *shop
	crowd := func(ctx context.Context, name string, next taskpool.Task) error {
		if name == "receipt" {
			// Another request stages work until nothing more is accepted; its response is never sent.
			_, other := s.pool.Begin(context.Background())
			for other.Scope().AfterResponse(func(context.Context) error { return nil }) == nil {
			}
		}
		return next(ctx)
	}
	s = open(t, taskpool.Config{Workers: 1, QueueLimit: 10, Hooks: taskpool.Hooks{Run: crowd}}, 0)
	id := idOf(t, s.request(t, fine))
	_, fates := s.show(t, id)
	checkFates(t, fates, map[string]string{"audit": "succeeded", "outcome": "succeeded", "receipt": "succeeded", "alert": "discarded"})
	if got := s.heard(); len(got) != 1 || got[0].ID != id {
		t.Errorf("the partner heard %v, want %s once", got, id)
	}
}

func TestDonePoolIsAnswered503(t *testing.T) {
	s := open(t, taskpool.Config{}, 0)
	if _, err := s.pool.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	if resp := s.request(t, fine); resp.Status != http.StatusServiceUnavailable {
		t.Errorf("got %d, want 503", resp.Status)
	}
}

func TestMissingMiddlewareIsAnswered500(t *testing.T) {
	s := open(t, taskpool.Config{}, 0)
	if resp := s.Place(t.Context(), strings.NewReader(fine)); resp.Status != http.StatusInternalServerError {
		t.Errorf("got %d, want 500", resp.Status)
	}
}

func TestLostReceiptNotifiesNobody(t *testing.T) {
	s := open(t, taskpool.Config{}, 0)
	s.receipts.Close()
	_, fates := s.show(t, idOf(t, s.request(t, fine)))
	checkFates(t, fates, map[string]string{"audit": "succeeded", "outcome": "succeeded", "receipt": "failed", "alert": "discarded"})
	if got := s.heard(); len(got) != 0 {
		t.Errorf("the partner heard %v, want nothing", got)
	}
}

func TestPartnerThatRefusesForGoodIsNotToldAgain(t *testing.T) {
	s := open(t, taskpool.Config{}, 0)
	s.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	_, fates := s.show(t, idOf(t, s.request(t, fine)))
	if fates["notify"] != "failed" || fates["receipt"] != "succeeded" {
		t.Errorf("got %v, want notify failed", fates)
	}
	if got := len(s.heard()); got != 1 {
		t.Errorf("the partner was told %d times, want once", got)
	}
}

func TestPartnerThatWasAwayForAMomentIsToldAgain(t *testing.T) {
	s := open(t, taskpool.Config{}, 0)
	keys := map[string]bool{}
	s.answers(func(w http.ResponseWriter, r *http.Request) {
		keys[r.Header.Get("Idempotency-Key")] = true
		switch len(s.heard()) {
		case 1:
			w.WriteHeader(http.StatusBadGateway)
		case 2:
			panic(http.ErrAbortHandler) // the connection is cut
		}
	})
	id := idOf(t, s.request(t, fine))
	_, fates := s.show(t, id)
	if fates["notify"] != "succeeded" {
		t.Errorf("got %v, want notify succeeded", fates)
	}
	if got := len(s.heard()); got != 3 || len(keys) != 1 || !keys[id] {
		t.Errorf("the partner was told %d times, with the keys %v, want 3 times with the order's", got, keys)
	}
}

func TestEndOfThePoolCutsAHangingPartner(t *testing.T) {
	s := open(t, taskpool.Config{}, 0)
	hangs := make(chan struct{})
	s.answers(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server sees that the client has gone only once the body is read
		close(hangs)
		select {
		case <-r.Context().Done():
		case <-t.Context().Done():
		}
	})
	ctx, exchange := s.pool.Begin(t.Context())
	resp := s.Place(ctx, strings.NewReader(fine))
	exchange.Returned(taskpool.Outcome{Status: resp.Status})
	exchange.Sent(taskpool.ReleaseFlushed)
	<-hangs
	over, cancel := context.WithCancel(t.Context())
	cancel()
	report, err := s.pool.Done(over)
	if err == nil || report.Canceled != 1 || !errors.Is(report.Err(), taskpool.ErrDone) {
		t.Errorf("got %v, %+v, want one task canceled", err, report)
	}
	_, fates := s.show(t, idOf(t, resp))
	if fates["notify"] != "canceled" {
		t.Errorf("got %v, want notify canceled", fates)
	}
}

func TestServiceKeepsTheLatestOrders(t *testing.T) {
	s := open(t, taskpool.Config{}, 2)
	var ids []string
	for range 3 {
		ids = append(ids, idOf(t, s.request(t, fine)))
	}
	if resp := s.Show(t.Context(), ids[0]); resp.Status != http.StatusNotFound {
		t.Errorf("got %d for the oldest, want 404", resp.Status)
	}
	s.show(t, ids[1])
	s.show(t, ids[2])
}

func TestHealth(t *testing.T) {
	s := open(t, taskpool.Config{}, 0)
	if resp := s.Health(t.Context()); resp.Status != http.StatusOK {
		t.Errorf("got %d, want 200", resp.Status)
	}
}

func TestNewRefusesABadConfig(t *testing.T) {
	receipts, err := orders.OpenReceipts(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer receipts.Close()
	if _, err := orders.New(orders.Config{Partner: "http://localhost"}); err == nil {
		t.Error("no directory was accepted")
	}
	for _, partner := range []string{"", "localhost:80", "ftp://host", "http://", "http://a b", "/path", "::"} {
		if _, err := orders.New(orders.Config{Receipts: receipts, Partner: partner}); err == nil || !strings.HasPrefix(err.Error(), "orders: ") {
			t.Errorf("partner %q: got %v, want an error", partner, err)
		}
	}
}
