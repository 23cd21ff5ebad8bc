// Package fair is the bare engine that the real one is measured beside: one
// mutex, one small queue per scope, a ring of runnable scopes (round robin, one
// task per turn), accounting under the same lock, workers on demand. It has no
// contexts, errors, outcomes, hooks, lanes or limits of its queue, so what it
// takes is practically the limit. It is no pool to be used.
package fair

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

type Runner interface{ Run() }

type Func func()

func (f Func) Run() { f() }

const (
	inlineLen = 4
	chunkLen  = 126
	levels    = 3
)

type chunk struct {
	next *chunk
	a    [chunkLen]Runner
}

var epoch = time.Now()

type Options struct {
	Recheck     int           // Gosched and look again this often before a worker exits
	Linger      time.Duration // keep idle workers parked for this long (0: exit at once)
	MaxIdle     int           // at most this many parked (0: limit)
	NoChain     bool          // spawn on every add below the limit
	YieldWaiter bool          // Gosched after a scope with a waiter has ended
	YieldAfter  time.Duration // Gosched when tasks have run back to back for so long; the clock is read every k-th task, k adapts
	YieldEvery  int           // Gosched after so many tasks in a row (0: never)
	Priority    int
}

type Pool struct {
	mu       sync.Mutex
	lv       [levels]ringQ
	queued   int
	limit    int
	workers  int
	starting int
	turn     uint32
	free     *chunk
	nfree    int
	stopped  bool
	active   int // unfinished tasks of all scopes
	idleCh   chan struct{}
	parked   *worker // LIFO of parked workers
	nparked  int
	reaper   *time.Timer
	armed    bool
	o        Options
	root     Scope
	OnPanic  func(v any, stack []byte)
}

type ringQ struct{ head, tail *Scope }

// Scope is the set of tasks of one request. It lives in one allocation.
type Scope struct {
	p       *Pool
	next    *Scope // link in the ring of runnable scopes
	ch, ct  *chunk // overflow chunks
	ci, cj  uint8  // read index in ch, write index in ct
	ri, rn  uint8  // inline ring: first, count
	prio    uint8
	ringed  bool
	n       int // queued tasks
	pending int // open bias + unfinished tasks
	inline  [inlineLen]Runner
	onDone  func()
	wg      sync.WaitGroup
	waited  bool
}

func New(limit int, o Options) *Pool {
	p := &Pool{limit: limit, o: o}
	if p.o.MaxIdle == 0 {
		p.o.MaxIdle = limit
	}
	p.root.p = p
	p.root.pending = 1
	return p
}

func (p *Pool) NewScope() *Scope {
	s := &Scope{p: p, pending: 1}
	s.wg.Add(1)
	return s
}

// push under p.mu
func (s *Scope) push(r Runner) {
	s.n++
	if s.ct == nil && s.rn < inlineLen {
		s.inline[(s.ri+s.rn)%inlineLen] = r
		s.rn++
		return
	}
	t := s.ct
	if t == nil || int(s.cj) == chunkLen {
		p := s.p
		c := p.free
		if c != nil {
			p.free, c.next = c.next, nil
			p.nfree--
		} else {
			c = new(chunk)
		}
		if t == nil {
			s.ch, s.ci = c, 0
		} else {
			t.next = c
		}
		s.ct, s.cj = c, 0
		t = c
	}
	t.a[s.cj] = r
	s.cj++
}

// pop under p.mu, s.n > 0. The inline part is always older than the chunks.
func (s *Scope) pop() (r Runner) {
	s.n--
	if s.rn > 0 {
		r = s.inline[s.ri]
		s.inline[s.ri] = nil
		s.ri = (s.ri + 1) % inlineLen
		s.rn--
		return r
	}
	c := s.ch
	r = c.a[s.ci]
	c.a[s.ci] = nil
	s.ci++
	if c == s.ct {
		if s.ci == s.cj {
			s.ch, s.ct = nil, nil
			s.p.put(c)
		}
	} else if int(s.ci) == chunkLen {
		s.ch, s.ci = c.next, 0
		s.p.put(c)
	}
	return r
}

func (p *Pool) put(c *chunk) {
	if p.nfree < 64 {
		c.next, p.free = p.free, c
		p.nfree++
	}
}

func (q *ringQ) push(s *Scope) {
	if q.tail == nil {
		q.head = s
	} else {
		q.tail.next = s
	}
	q.tail = s
}

func (q *ringQ) pop() *Scope {
	s := q.head
	q.head = s.next
	s.next = nil
	if q.head == nil {
		q.tail = nil
	}
	return s
}

// take one task under p.mu
func (p *Pool) take() (Runner, *Scope) {
	if p.queued == 0 {
		return nil, nil
	}
	p.turn++
	l := 0
	if p.turn&15 == 0 { // every 16th turn looks from the lowest level up
		for l = levels - 1; p.lv[l].head == nil; l-- {
		}
	} else {
		for p.lv[l].head == nil {
			l++
		}
	}
	q := &p.lv[l]
	s := q.head
	r := s.pop()
	p.queued--
	if s.n == 0 {
		q.pop()
		s.ringed = false
	} else if q.head != q.tail {
		q.pop()
		q.push(s)
	}
	return r, s
}

func (s *Scope) Add(f func()) bool        { return s.addN(Func(f), nil) }
func (s *Scope) AddRunner(r Runner) bool  { return s.addN(r, nil) }
func (s *Scope) AddAll(fs ...func()) bool { return s.addN(nil, fs) }
func (p *Pool) Go(f func()) bool          { return p.root.addN(Func(f), nil) }
func (p *Pool) GoRunner(r Runner) bool    { return p.root.addN(r, nil) }

func (s *Scope) addN(r Runner, fs []func()) bool {
	p := s.p
	p.mu.Lock()
	if p.stopped {
		p.mu.Unlock()
		return false
	}
	k := 1
	if r != nil {
		s.push(r)
	} else {
		k = len(fs)
		for _, f := range fs {
			s.push(Func(f))
		}
	}
	s.pending += k
	p.active += k
	p.queued += k
	if !s.ringed && s.n > 0 {
		s.ringed = true
		p.lv[s.prio].push(s)
	}
	if w := p.parked; w != nil && p.starting == 0 {
		p.parked = w.next
		p.nparked--
		p.starting++
		w.started = false
		p.mu.Unlock()
		w.wake <- true
		return true
	}
	spawn := p.workers < p.limit && (p.starting == 0 || p.o.NoChain)
	if spawn {
		p.workers++
		p.starting++
	}
	p.mu.Unlock()
	if spawn {
		go p.run(nil)
	}
	return true
}

// Close ends adding; onDone runs when the last task is over (on a worker, or
// here when nothing is left).
func (s *Scope) Close(onDone func()) {
	p := s.p
	p.mu.Lock()
	s.onDone = onDone
	s.pending--
	end := s.pending == 0
	p.mu.Unlock()
	if end {
		s.finish()
	}
}

func (s *Scope) Wait() {
	p := s.p
	p.mu.Lock()
	s.pending--
	end := s.pending == 0
	s.waited = true
	p.mu.Unlock()
	if end {
		s.finish()
		return
	}
	s.wg.Wait()
}

func (s *Scope) finish() {
	if f := s.onDone; f != nil {
		s.onDone = nil
		f()
	}
	s.wg.Done()
}

type worker struct {
	p       *Pool
	s       *Scope // scope of a task that was taken and is not accounted for
	next    *worker
	wake    chan bool
	since   int64
	started bool
	clean   bool
}

func (p *Pool) run(w *worker) {
	if w == nil {
		w = &worker{p: p}
	}
	for w.loop() {
	}
}

func (w *worker) loop() (again bool) {
	p := w.p
	defer w.catch(&again)
	recheck := p.o.Recheck
	inRow := 0
	every := 1
	var since time.Duration
	if p.o.YieldAfter > 0 {
		since = time.Since(epoch)
	}
	p.mu.Lock()
	for {
		if !w.started {
			w.started = true
			p.starting--
		}
		if s := w.s; s != nil { // account for the task just run
			w.s = nil
			p.active--
			if s.pending--; s.pending == 0 {
				yield := s.waited && p.o.YieldWaiter
				p.mu.Unlock()
				s.finish()
				if yield {
					inRow = 0
					runtime.Gosched()
				}
				p.mu.Lock()
			}
		}
		r, s := p.take()
		if r == nil {
			if recheck > 0 {
				recheck--
				p.mu.Unlock()
				runtime.Gosched()
				p.mu.Lock()
				continue
			}
			if p.o.Linger > 0 && !p.stopped && p.nparked < p.o.MaxIdle {
				w.park() // unlocks
				if <-w.wake {
					p.mu.Lock()
					continue
				}
				p.mu.Lock()
			}
			p.workers--
			if p.workers == 0 && p.idleCh != nil {
				close(p.idleCh)
				p.idleCh = nil
			}
			p.mu.Unlock()
			w.clean = true
			return false
		}
		recheck = p.o.Recheck
		w.s = s
		var next *worker
		spawn := false
		if p.queued > 0 && p.starting == 0 {
			if next = p.parked; next != nil {
				p.parked = next.next
				p.nparked--
				p.starting++
				next.started = false
			} else if p.workers < p.limit {
				spawn = true
				p.workers++
				p.starting++
			}
		}
		p.mu.Unlock()
		if next != nil {
			next.wake <- true
		} else if spawn {
			go p.run(nil)
		}
		r.Run()
		if d := p.o.YieldAfter; d > 0 {
			if inRow++; inRow >= every {
				now := time.Since(epoch)
				run := now - since
				if run >= d {
					runtime.Gosched()
					if run > 2*d && every > 1 {
						every = max(1, int(time.Duration(every)*d/run))
					}
					now = time.Since(epoch)
					since = now
				} else if run < d/4 && every < 64 {
					every *= 2
				}
				inRow = 0
			}
		} else if inRow++; p.o.YieldEvery > 0 && inRow >= p.o.YieldEvery {
			inRow = 0
			runtime.Gosched()
		}
		p.mu.Lock()
	}
}

// park under p.mu; unlocks.
func (w *worker) park() {
	p := w.p
	if w.wake == nil {
		w.wake = make(chan bool, 1)
	}
	w.since = time.Now().UnixNano()
	w.next, p.parked = p.parked, w
	p.nparked++
	arm := !p.armed
	p.armed = true
	p.mu.Unlock()
	if arm {
		p.mu.Lock()
		if p.reaper == nil {
			p.reaper = time.AfterFunc(p.o.Linger, p.reap)
		} else {
			p.reaper.Reset(p.o.Linger)
		}
		p.mu.Unlock()
	}
}

// reap lets the workers go that have been parked for too long. No goroutine
// exists for it between two runs.
func (p *Pool) reap() {
	p.mu.Lock()
	old := time.Now().UnixNano() - int64(p.o.Linger)
	var out *worker
	pp := &p.parked
	for *pp != nil {
		w := *pp
		if w.since <= old || p.stopped {
			*pp = w.next
			p.nparked--
			w.next, out = out, w
		} else {
			pp = &w.next
		}
	}
	p.armed = p.parked != nil
	if p.armed {
		p.reaper.Reset(p.o.Linger)
	}
	p.mu.Unlock()
	for out != nil {
		w := out
		out = w.next
		w.next = nil
		w.wake <- false
	}
}

func (w *worker) catch(again *bool) {
	if w.clean {
		return
	}
	if v := recover(); v != nil {
		if w.p.OnPanic != nil {
			w.p.OnPanic(v, debug.Stack())
		}
		*again = true
		return
	}
	go w.p.run(w) // runtime.Goexit
}

// Drain stops adding and waits until everything accepted has run.
func (p *Pool) Drain() {
	p.mu.Lock()
	p.stopped = true
	if p.workers == 0 {
		p.mu.Unlock()
		return
	}
	if p.idleCh == nil {
		p.idleCh = make(chan struct{})
	}
	ch := p.idleCh
	p.mu.Unlock()
	p.reap()
	<-ch
}
