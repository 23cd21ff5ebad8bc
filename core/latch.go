package taskpool

import (
	"container/list"
	"context"
	"sync"
)

// A latch is something to wait for: it opens once and stays open. Those that wait
// outside of tasks wait for the channel. What has to happen in the same moment, so
// that nobody can come in between, is called as it opens.
type latch struct {
	opened chan struct{} // closed as it opens

	mu    sync.Mutex // protects what follows; taken under any other lock
	calls *list.List // of func(), made for the first; nil again once it is open
}

func newLatch() *latch {
	l := new(latch)
	l.init()
	return l
}

// init readies a latch that is part of something.
func (l *latch) init() { l.opened = make(chan struct{}) }

func (l *latch) isOpen() bool {
	select {
	case <-l.opened:
		return true
	default:
		return false
	}
}

// wait waits until the latch opens, and reports whether it has: ctx may end first.
func (l *latch) wait(ctx context.Context) bool {
	select {
	case <-l.opened:
		return true
	case <-ctx.Done():
		return l.isOpen() // it may have opened at the same moment
	}
}

// hasEnded reports whether ctx has, by what a wait for it sees.
func hasEnded(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// open opens the latch, unless it is open. It is called with or without a pool's lock.
func (l *latch) open() {
	l.mu.Lock() // what is called is the engine's own, and does not panic
	if !l.isOpen() {
		close(l.opened)
		if l.calls != nil {
			for e := l.calls.Front(); e != nil; e = e.Next() {
				e.Value.(func())()
			}
			l.calls = nil
		}
	}
	l.mu.Unlock()
}

// onOpen has f called as the latch opens, with the locks of whoever opens it: f takes
// none but that of another latch. If it is open f is called at once. When forget has
// returned, f has either returned or will not be called.
func (l *latch) onOpen(f func()) (forget func()) {
	l.mu.Lock()
	if l.isOpen() {
		l.mu.Unlock()
		f()
		return func() {}
	}
	defer l.mu.Unlock()
	if l.calls == nil {
		l.calls = list.New()
	}
	e := l.calls.PushBack(f)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.calls != nil {
			l.calls.Remove(e)
		}
	}
}

// bothOpen is a latch that opens when two others have.
func bothOpen(a, b *latch) *latch {
	both := newLatch()
	a.onOpen(func() { b.onOpen(both.open) })
	return both
}

// opened is for those who need not wait.
var opened = func() *latch {
	l := newLatch()
	l.open()
	return l
}()
