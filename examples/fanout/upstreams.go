package main

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// upstreams are services that answer slowly with their path, and at once with 500 to a path that is empty.
type upstreams struct {
	slow time.Duration

	mu                         sync.Mutex // protects following fields
	calls, running, most, gone int
}

func (u *upstreams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.begin()
	answer := strings.TrimPrefix(r.URL.Path, "/")
	if answer == "" {
		u.end(false)
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	}
	select {
	case <-time.After(u.slow):
		u.end(false)
		_, _ = io.WriteString(w, answer)
	case <-r.Context().Done():
		u.end(true)
	}
}

func (u *upstreams) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls++
	u.running++
	u.most = max(u.most, u.running)
}

func (u *upstreams) end(gone bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.running--
	if gone {
		u.gone++
	}
}

func (u *upstreams) counts() (calls, most, gone int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.calls, u.most, u.gone
}
