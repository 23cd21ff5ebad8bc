// Package taskpool has the names that the analyzer knows.
package taskpool

import "context"

type Task func(ctx context.Context) error

type Start uint8

const (
	StartNow Start = iota
	StartAfterResponse
	StartOnSuccess
	StartOnFailure
)

type Job struct {
	Run   Task
	Name  string
	Start Start
}

type Report struct{}

type Pool struct{}

func New() *Pool                                              { return nil }
func (p *Pool) Add(tasks ...Task) error                       { return nil }
func (p *Pool) Submit(jobs ...Job) error                      { return nil }
func (p *Pool) Drain(ctx context.Context) (r Report, e error) { return }
func (p *Pool) Done(ctx context.Context) (r Report, e error)  { return }
func (p *Pool) Resize(workers int)                            {}

type Scope struct{}

func FromContext(ctx context.Context) Scope                   { return Scope{} }
func (s Scope) Add(tasks ...Task) error                       { return nil }
func (s Scope) AfterResponse(tasks ...Task) error             { return nil }
func (s Scope) OnSuccess(tasks ...Task) error                 { return nil }
func (s Scope) OnFailure(tasks ...Task) error                 { return nil }
func (s Scope) Submit(jobs ...Job) error                      { return nil }
func (s Scope) Fail(err error)                                {}
func (s Scope) Drain(ctx context.Context) (r Report, e error) { return }

type Adder interface{ Submit(jobs ...Job) error }

type Promise[T any] struct{}

func Async[T any](to Adder, fn func(context.Context) (T, error)) *Promise[T] { return nil }

func AsyncJob[T any](to Adder, job Job, fn func(context.Context) (T, error)) (*Promise[T], error) {
	return nil, nil
}

func (p *Promise[T]) Await(ctx context.Context) (v T, err error) { return }
func (p *Promise[T]) Settled() <-chan struct{}                   { return nil }
