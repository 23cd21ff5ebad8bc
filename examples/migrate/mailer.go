package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A mailer takes its time over each mail, and counts.
type mailer struct {
	takes  time.Duration
	panics bool

	mu      sync.Mutex // protects following fields
	running int
	counted counts
}

type counts struct {
	sent, canceled, panicked int
	most                     int // at once
}

func (m *mailer) send(ctx context.Context, to string) error {
	m.begin()
	if m.panics && to == "user-0@example.com" {
		m.end(&m.counted.panicked)
		panic("no template for " + to)
	}
	select {
	case <-time.After(m.takes):
		m.end(&m.counted.sent)
		return nil
	case <-ctx.Done():
		m.end(&m.counted.canceled)
		return fmt.Errorf("mail to %s: %w", to, context.Cause(ctx))
	}
}

func (m *mailer) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running++
	m.counted.most = max(m.counted.most, m.running)
}

func (m *mailer) end(as *int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running--
	*as++
}

func (m *mailer) counts() counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counted
}
