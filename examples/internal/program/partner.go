package program

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/elite-libs/taskpool/examples/orders"
)

// A partner is the other company's server, small enough to be in here: it hears of orders on a loopback port. The
// caller closes it, after the last task.
type partner struct {
	*http.Server
	url string
}

// A quota is how many orders the partner hears of in a second of the clock; 0 is any number.
type quota struct {
	limit int

	mu   sync.Mutex // protects following fields
	ends time.Time
	used int
}

// take takes one out of the quota, if something is left, and says in h how things stand.
func (q *quota) take(h http.Header) bool {
	if q.limit == 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); !now.Before(q.ends) {
		q.used, q.ends = 0, now.Truncate(time.Second).Add(time.Second)
	}
	ok := q.used < q.limit
	if ok {
		q.used++
	} else {
		h.Set("Retry-After", "1")
	}
	h.Set("RateLimit-Policy", fmt.Sprintf(`"orders";q=%d;w=1`, q.limit))
	h.Set("RateLimit", fmt.Sprintf(`"orders";r=%d;t=1`, q.limit-q.used))
	return ok
}

// startPartner starts a partner that takes its time over each order, and hears of so many in a second at most.
func startPartner(slow time.Duration, limit int, log *slog.Logger) (*partner, error) {
	allowed := &quota{limit: limit}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the partner cannot start: %w", err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		var n orders.Notice
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, orders.MaxBody)).Decode(&n); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if !allowed.take(w.Header()) {
			log.Info("partner refuses", "order", n.ID)
			http.Error(w, "too many orders", http.StatusTooManyRequests)
			return
		}
		select {
		case <-time.After(slow):
		case <-r.Context().Done(): // nobody waits for the answer
			return
		}
		log.Info("partner informed", "order", n.ID)
		w.WriteHeader(http.StatusNoContent)
	}
	p := &partner{
		Server: &http.Server{Handler: http.HandlerFunc(handler), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute},
		url:    "http://" + ln.Addr().String(),
	}
	go func() { _ = p.Serve(ln) }() // until Close
	return p, nil
}
