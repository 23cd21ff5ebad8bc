package pooltest

import (
	"context"
	"errors"

	"github.com/elite-libs/taskpool/core"
)

// shutdownChecks: when the server stops, and then the pool, every accepted task
// has a fate and is named.
func shutdownChecks() []check {
	return []check{
		{"shutdown/request in flight", stopInFlight},
		{"shutdown/pool done before the handler returns", doneInFlight},
		{"shutdown/past the deadline", donePastDeadline},
	}
}

// stopInFlight: a server that is stopped gracefully ends the response, and the
// staged tasks run.
func stopInFlight(r *run) {
	in, let := r.gate(), r.gate()
	q := r.quartet()
	s := r.serve(setup{}, q.in(func(x Exchange) error {
		in.open()
		<-let.opened
		return plain(x)
	}))
	c := s.dial()
	s.send(c, keepAlive, "/")
	r.wait(in.opened, "the handler")
	s.stopBeside()
	let.open()
	if resp := s.receive(c, keepAlive); resp.body != "plain" || resp.cut {
		r.errorf("the client has %q", resp.wire)
	}
	q.waitReleased(true)
	q.settle(s, true)
}

// doneInFlight: Done waits for the handler, then releases what it staged. The
// response is as ever, and the next request's tasks are refused.
func doneInFlight(r *run) {
	in, let, refused := r.gate(), r.gate(), r.gate()
	q := r.quartet()
	first := q.in(func(x Exchange) error {
		in.open()
		<-let.opened
		return plain(x)
	})
	s := r.serve(setup{}, func(x Exchange) error {
		if x.Path() == "/refused" {
			if err := taskpool.FromContext(x.Context()).Add(q.now.task); !errors.Is(err, taskpool.ErrDone) {
				r.errorf("Add in a request that began after Done: %v, want %v", err, taskpool.ErrDone)
			}
			refused.open()
		}
		return first(x)
	})
	c := s.dial()
	s.send(c, keepAlive, "/")
	r.wait(in.opened, "the handler")
	ctx, cancel := context.WithTimeout(context.Background(), 2*r.patience)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := s.source.Done(ctx)
		done <- err
	}()
	s.waitDone()
	if resp := s.get(s.dial(), keepAlive, "/refused"); resp.body != "plain" || !refused.done.Load() {
		r.errorf("a request that began after Done is answered with %q", resp.wire)
	}
	let.open()
	if resp := s.receive(c, keepAlive); resp.body != "plain" || resp.cut {
		r.errorf("the client has %q", resp.wire)
	}
	q.waitReleased(true)
	q.after.released(taskpool.ReleasePoolDone)
	q.settle(s, true)
	if err := <-done; err != nil {
		r.errorf("Done: %v", err)
	}
}

// waitDone waits until Done has taken effect.
func (s *site) waitDone() {
	s.Helper()
	if !s.eventually(func() bool {
		_, x := s.source.Source.Begin(context.Background())
		return errors.Is(x.Scope().Add(), taskpool.ErrDone)
	}) {
		s.fatalf("Done has no effect")
	}
}

// donePastDeadline: Done has no time at all. What honours its context is
// canceled, what does not is abandoned, and all is named.
func donePastDeadline(r *run) {
	q := r.quartet()
	heeds := r.gate()
	s := r.serve(setup{}, q.in(func(x Exchange) error {
		err := taskpool.FromContext(x.Context()).Submit(taskpool.Job{
			Name: "heeds", Start: taskpool.StartAfterResponse, Run: func(ctx context.Context) error {
				heeds.open()
				<-ctx.Done()
				return context.Cause(ctx)
			}})
		if err != nil {
			r.errorf("Submit: %v", err)
		}
		return plain(x)
	}))
	s.get(s.dial(), keepAlive, "/")
	q.waitReleased(true)
	r.wait(heeds.opened, "the task that heeds its context")
	report, err := s.cut()
	if err == nil || report.Canceled != 1 || report.Abandoned != 3 || report.Discarded != 1 {
		r.errorf("Done: %+v, %v", report, err)
	}
	results := s.account(report)
	for name, want := range map[string]taskpool.Fate{
		"heeds": taskpool.FateCanceled, q.now.name: taskpool.FateAbandoned, q.after.name: taskpool.FateAbandoned,
		q.success.name: taskpool.FateAbandoned, q.failure.name: taskpool.FateDiscarded,
	} {
		if got := results[name].Fate; got != want {
			r.errorf("task %q: %v, want %v", name, got, want)
		}
	}
	for _, p := range []*probe{q.now, q.after, q.success} {
		p.pass()
	}
	if st := s.source.stats(); st.Abandoned != 3 || st.Succeeded != 0 {
		r.errorf("a late return changed the ledger: %+v", st)
	}
}

// cut finishes the site with a Done that has no time.
func (s *site) cut() (taskpool.Report, error) {
	s.Helper()
	s.finished = true
	for _, closeClient := range s.closers {
		closeClient()
	}
	s.stop()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.source.Done(ctx)
}
