package pooltest

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/elite-libs/taskpool/core"
)

// A probe is a task that tells when it starts, and ends when it is let.
type probe struct {
	*run
	name    string
	start   taskpool.Start
	let     *gate // it ends when this is open
	started chan struct{}
	ended   chan struct{}
	count   atomic.Int32

	// Valid once started is closed.
	ctx     context.Context
	outcome taskpool.Outcome
	known   bool // the outcome was, when it started
}

func (r *run) probe(name string, start taskpool.Start) *probe {
	return &probe{run: r, name: name, start: start, let: r.gate(),
		started: make(chan struct{}), ended: make(chan struct{})}
}

// add adds the probe to the scope that ctx carries. A bare framework has none.
func (p *probe) add(ctx context.Context) {
	err := taskpool.FromContext(ctx).Submit(taskpool.Job{Name: p.name, Run: p.task, Start: p.start})
	if err != nil && !errors.Is(err, taskpool.ErrNoScope) {
		p.errorf("task %q was refused: %v", p.name, err)
	}
}

func (p *probe) task(ctx context.Context) error {
	if p.count.Add(1) > 1 {
		p.errorf("task %q ran twice", p.name)
		return nil
	}
	p.outcome, p.known = taskpool.FromContext(ctx).Outcome()
	p.ctx = ctx
	p.journal.note("task %q starts", p.name)
	close(p.started)
	<-p.let.opened
	p.journal.note("task %q ends", p.name)
	close(p.ended)
	return nil
}

func (p *probe) hasStarted() bool { return p.count.Load() > 0 }

func (p *probe) waitStarted() { p.Helper(); p.wait(p.started, "task "+p.name+" to start") }

// pass lets the task end, and waits until it has.
func (p *probe) pass() {
	p.Helper()
	p.let.open()
	p.wait(p.ended, "task "+p.name+" to end")
}

// A quartet is a task of each kind, added in one request. They block until they
// are let pass.
type quartet struct {
	*run
	now, after, success, failure *probe
}

func (r *run) quartet() *quartet {
	return &quartet{r,
		r.probe("now", taskpool.StartNow), r.probe("after response", taskpool.StartAfterResponse),
		r.probe("on success", taskpool.StartOnSuccess), r.probe("on failure", taskpool.StartOnFailure)}
}

func (q *quartet) all() []*probe { return []*probe{q.now, q.after, q.success, q.failure} }

func (q *quartet) add(ctx context.Context) {
	for _, p := range q.all() {
		p.add(ctx)
	}
}

// in has the handler of / add the tasks first, and notes when it has returned or
// panicked. Other paths are answered plainly.
func (q *quartet) in(h Handler) Handler {
	return func(x Exchange) error {
		if x.Path() != "/" {
			return plain(x)
		}
		defer q.journal.note("the handler returns")
		q.add(x.Context())
		return h(x)
	}
}

// waitReleased waits until the tasks have started that a success, or a failure,
// lets start, and checks that they have not before the handler returned.
func (q *quartet) waitReleased(success bool) {
	q.Helper()
	q.now.waitStarted()
	q.after.waitStarted()
	judged, other := q.success, q.failure
	if !success {
		judged, other = other, judged
	}
	judged.waitStarted()
	if other.hasStarted() {
		q.errorf("task %q started", other.name)
	}
	for _, p := range []*probe{q.after, judged} {
		if !p.known {
			q.errorf("task %q started before the outcome was known", p.name)
		}
		if at := q.journal.index("the handler returns"); at < 0 || q.journal.index("task \""+p.name+"\" starts") < at {
			q.errorf("task %q started before the handler had returned", p.name)
		}
	}
}

// blocked checks that no task has ended: they are still to be let pass.
func (q *quartet) blocked() {
	q.Helper()
	for _, p := range q.all() {
		if q.journal.index("task \""+p.name+"\" ends") >= 0 {
			q.errorf("task %q has ended", p.name)
		}
	}
}

// settle lets the tasks pass, finishes the site, and checks every fate.
func (q *quartet) settle(s *site, success bool) {
	q.Helper()
	for _, p := range q.all() {
		p.let.open()
	}
	results := s.finish()
	want := map[string]taskpool.Fate{
		q.now.name: taskpool.FateSucceeded, q.after.name: taskpool.FateSucceeded,
		q.success.name: taskpool.FateSucceeded, q.failure.name: taskpool.FateDiscarded,
	}
	if !success {
		want[q.success.name], want[q.failure.name] = taskpool.FateDiscarded, taskpool.FateSucceeded
	}
	for name, fate := range want {
		if got := results[name].Fate; got != fate {
			q.errorf("task %q: %v, want %v", name, got, fate)
		}
	}
}
