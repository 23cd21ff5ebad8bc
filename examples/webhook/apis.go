package main

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// An api is one for tests and for trying the program. It allows so many calls in a window, and says what is left.
type api struct {
	ln     net.Listener
	limit  int // calls in a window; 0 means any number
	window time.Duration

	mu      sync.Mutex // protects following fields
	away    int        // how many of the next calls are answered with 503
	ends    time.Time  // of the window
	used    int        // of its calls
	heard   []string   // bodies
	refused int        // calls
}

func startAPI(limit int) (*api, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &api{ln: ln, limit: limit, window: time.Second}
	srv := &http.Server{Handler: a, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = srv.Serve(ln) }() // until ln is closed
	return a, nil
}

func (a *api) url() string { return "http://" + a.ln.Addr().String() }

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away > 0 {
		a.away--
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	if a.limit == 0 {
		a.heard = append(a.heard, string(body))
		return
	}
	if now := time.Now(); !now.Before(a.ends) {
		a.used, a.ends = 0, now.Add(a.window)
	}
	ok := a.used < a.limit
	if ok {
		a.used++
	}
	left := time.Until(a.ends).Seconds()
	w.Header().Set("X-RateLimit-Limit", strconv.Itoa(a.limit))
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(a.limit-a.used))
	w.Header().Set("X-RateLimit-Reset-After", strconv.FormatFloat(left, 'f', 3, 64))
	if !ok {
		a.refused++
		http.Error(w, "too many calls", http.StatusTooManyRequests)
		return
	}
	a.heard = append(a.heard, string(body))
}

// counts says what it has heard, and how many calls it has refused.
func (a *api) counts() (heard []string, refused int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(heard, a.heard...), a.refused
}
