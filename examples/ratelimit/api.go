package main

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// An api is as much of GitHub as it takes to be rate limited: so many requests in a window, which begins with the first
// of them, and headers that say what is left. What exceeds that is refused with 403 or 429, as GitHub does.
type api struct {
	quota  int
	window time.Duration
	takes  time.Duration // to answer

	mu      sync.Mutex // protects following fields
	ends    time.Time  // of the window
	used    int        // of its quota
	windows int        // there have been
	refused int        // requests
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := a.take(w.Header())
	select {
	case <-time.After(a.takes):
	case <-r.Context().Done():
		return
	}
	if status != http.StatusOK {
		http.Error(w, "API rate limit exceeded", status)
		return
	}
	fmt.Fprintln(w, "contents of", r.URL.Path)
}

// take takes a request out of the quota, if something is left of it, and says in h how things stand.
func (a *api) take(h http.Header) (status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if !now.Before(a.ends) {
		a.ends, a.used = now.Add(a.window), 0
		a.windows++
	}
	reset := a.ends.Add(time.Second - 1).Unix() // the header has whole seconds: up, so that nobody comes too early
	switch {
	case a.used < a.quota:
		a.used++
		status = http.StatusOK
	case a.refused%2 == 0: // both are to be seen
		a.refused++
		status = http.StatusForbidden
	default:
		a.refused++
		status = http.StatusTooManyRequests
	}
	if status != http.StatusOK {
		h.Set("Retry-After", strconv.FormatInt(reset-now.Unix(), 10))
	}
	h.Set("X-Ratelimit-Limit", strconv.Itoa(a.quota))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(a.quota-a.used))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(reset, 10))
	return status
}

// counts says how many windows there have been and how many requests were refused.
func (a *api) counts() (windows, refused int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.windows, a.refused
}
