package program

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/elite-libs/taskpool/examples/orders"
)

// A partner is the other company's server, small enough to be in here: it hears of orders on a loopback port. The
// caller closes it, after the last task.
type partner struct {
	*http.Server
	url string
}

// startPartner starts a partner that takes its time over each order.
func startPartner(slow time.Duration, log *slog.Logger) (*partner, error) {
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
