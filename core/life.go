package taskpool

import (
	"context"
	"sync"
	"sync/atomic"
)

// A life is how long the context of a task lasts: until its run has returned and the
// hooks have been told, or Done has cut the pool short. It is made when somebody asks for it, with Done, by
// deriving or by context.AfterFunc: most tasks never do, and then it costs nothing.
//
// A run of a job has a life of its own. The plain tasks of a scope have one context,
// so those that run when it is asked for share a life, which ends with the last of
// them; those that start later are given a context each. The pool's own plain tasks
// have the life of the pool.
type life struct {
	ctx     context.Context
	end     context.CancelCauseFunc
	sharers int // running plain tasks that it is of; protected by pool.mu
}

// A poolLife is how long the contexts of all tasks may last. It is made like the
// others, when somebody asks: a pool of one request is mostly not asked.
type poolLife struct {
	made  atomic.Pointer[life]
	cause atomic.Pointer[error] // why it has ended; nil if it has not
}

func (p *poolLife) context() context.Context {
	l := p.made.Load()
	if l == nil {
		l = new(life)
		l.ctx, l.end = context.WithCancelCause(context.Background())
		if !p.made.CompareAndSwap(nil, l) {
			l = p.made.Load()
		}
	}
	if cause := p.cause.Load(); cause != nil { // who ends it may have come too early to see it, or not yet so far
		l.end(*cause)
	}
	return l.ctx
}

// end ends it. The first cause counts.
func (p *poolLife) end(cause error) {
	p.cause.CompareAndSwap(nil, &cause)
	if l := p.made.Load(); l != nil {
		l.end(*p.cause.Load())
	}
}

// cancels reports whether a key is the one by which the context package finds what
// cancels a context. A task's must not have the request's there: then deriving costs no
// goroutine, and context.Cause gives the task's cause.
func cancels(key any) bool { return past.Value(key) != nil }

func (p *Pool) newLife() *life {
	l := new(life)
	l.ctx, l.end = context.WithCancelCause(p.life.context())
	return l
}

// pastLife is the life of what has ended, for those who ask then.
func (p *Pool) pastLife() context.Context {
	if p.life.cause.Load() != nil {
		return p.life.context()
	}
	return past
}

var past = func() context.Context {
	ctx, end := context.WithCancelCause(context.Background())
	end(errEnded)
	return ctx
}()

// What is known of the life of a job. That it was asked for is kept in pool.lives.
const (
	lifeUnasked = iota
	lifeAsked
	lifePast
)

// life is what ends the job's context, if it is not asked for the pool's.
func (j *job) life() context.Context {
	p := j.scope.pool
	switch j.lifeState.Load() {
	case lifeUnasked:
		return p.life.context()
	case lifeAsked:
		if l, ok := p.lives.Load().Load(j); ok {
			return l.(*life).ctx
		}
	}
	return p.pastLife()
}

// askLife is life for somebody who wants to be told of the end.
func (j *job) askLife() context.Context {
	if j.lifeState.Load() != lifeUnasked {
		return j.life()
	}
	p := j.scope.pool
	if p.lives.Load() == nil {
		p.lives.CompareAndSwap(nil, new(sync.Map))
	}
	l := p.newLife()
	if was, raced := p.lives.Load().LoadOrStore(j, l); raced {
		l.end(errEnded)
		return was.(*life).ctx
	}
	if !j.lifeState.CompareAndSwap(lifeUnasked, lifeAsked) { // it has ended meanwhile
		p.lives.Load().Delete(j)
		l.end(errEnded)
	}
	return l.ctx
}

// endLife tells those who have asked that the run is over.
func (j *job) endLife() {
	if j.lifeState.Swap(lifePast) != lifeAsked {
		return
	}
	if l, ok := j.scope.pool.lives.Load().LoadAndDelete(j); ok {
		l.(*life).end(errEnded)
	}
}

// life is what ends the context of the scope's plain tasks, if it is not asked for
// the pool's.
func (s *scope) life() context.Context {
	if l := s.shared.Load(); l != nil {
		return l.ctx
	}
	return s.pool.life.context()
}

// askLife is life for somebody who wants to be told of the end.
func (s *scope) askLife() context.Context {
	p := s.pool
	if s.shared.Load() != nil || s.isRoot() {
		return s.life()
	}
	p.lock()
	defer p.mu.Unlock()
	if s.shared.Load() != nil {
		return s.life()
	}
	l := p.newLife()
	for w := p.active.head; w != nil; w = w.next {
		if w.scope == s && w.task != nil {
			l.sharers++
		}
	}
	if l.sharers == 0 {
		l.end(errEnded)
	}
	s.shared.Store(l)
	for w := p.active.head; w != nil; w = w.next {
		if w.scope == s && w.task != nil {
			w.shared = l
		}
	}
	return l.ctx
}

// ownContext is a job in place of a plain task of a scope whose shared context was
// asked for its end; nil if it was not.
func (s *scope) ownContext(t Task) *job {
	if s.shared.Load() == nil || s.isRoot() {
		return nil
	}
	return &job{scope: s, work: t, started: untimed}
}

// leaveLifeLocked tells those who have asked that a plain task of a scope is over, if
// it is the last one that they have asked about.
func (w *worker) leaveLifeLocked() {
	if w.shared.sharers--; w.shared.sharers == 0 {
		w.shared.end(errEnded)
	}
	w.shared = nil
}
