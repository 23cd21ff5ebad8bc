package pooltest

import (
	"context"
	"fmt"
	"slices"

	"github.com/elite-libs/taskpool/core"
)

// perRequestChecks: the source is one that makes a pool for each request. Some of
// the other checks are run with it, one or two for each rule.
func perRequestChecks(others []check) []check {
	var all []check
	for _, c := range others {
		if slices.Contains(perRequestToo, c.name) {
			all = append(all, check{"per request/" + c.name, onPerRequest(c.run)})
		}
	}
	return append(all,
		check{"per request/two requests have two pools", onPerRequest(twoPools)},
		check{"per request/workers", onPerRequest(workersPerRequest)},
		check{"per request/done waits for all", onPerRequest(doneWaitsForAll)},
		check{"per request/done past the deadline", onPerRequest(doneCutsAll)})
}

var perRequestToo = []string{
	"complete/small/keep-alive", "complete/chunked/close", "complete/4xx/keep-alive",
	"exact/small/keep-alive", "exact/chunked/close", "inexact/small/keep-alive", "inexact/chunked/close",
	"h2c/complete/small",
	"outcome/implicit 200", "outcome/404", "outcome/Fail", "outcome/error", "outcome/panic",
	"outcome/client gone", "outcome/staged by a task",
	"withheld body/Content-Length",
	"context/values",
	"twice/small", "twice/nested frameworks", "re-entry/small", "re-entry/the outer handler goes on",
	"reuse/next request on the connection",
	"hold/small/keep-alive", "hold/last frees the earlier, and waits for its tasks",
	"hold/twice/outer", "hold/twice/inner", "hold/twice/both",
	"shutdown/request in flight", "shutdown/pool done before the handler returns",
	"load",
}

// onPerRequest has the sites of a check make a pool for each request.
func onPerRequest(f func(r *run)) func(r *run) {
	return func(r *run) {
		r.perRequest = true
		f(r)
	}
}

// A pairOfRequests is two that are answered at the same time, each with two tasks
// that start beside its handler.
type pairOfRequests struct {
	*site
	tasks  [2][2]*probe
	scopes [2]taskpool.Scope // valid when the tasks have started
	let    *gate             // the handlers return when this is open
	get    [2]*client
}

func (r *run) pairOfRequests(s setup) *pairOfRequests {
	p := &pairOfRequests{let: r.gate()}
	var in [2]*gate
	for i := range p.tasks {
		in[i] = r.gate()
		for j := range p.tasks[i] {
			p.tasks[i][j] = r.probe(fmt.Sprintf("task %d of request %d", j, i), taskpool.StartNow)
		}
	}
	p.site = r.serve(s, func(x Exchange) error {
		var i int
		if _, err := fmt.Sscanf(x.Path(), "/%d", &i); err != nil {
			r.errorf("path %q: %v", x.Path(), err)
			return nil
		}
		p.scopes[i] = taskpool.FromContext(x.Context())
		for _, task := range p.tasks[i] {
			task.add(x.Context())
		}
		in[i].open()
		<-p.let.opened
		return plain(x)
	})
	for i := range p.get {
		p.get[i] = p.dial()
		p.send(p.get[i], keepAlive, fmt.Sprintf("/%d", i))
		r.wait(in[i].opened, "the handler")
	}
	return p
}

// answered lets the handlers return, and reads the responses.
func (p *pairOfRequests) answered() {
	p.Helper()
	p.let.open()
	for _, c := range p.get {
		if resp := p.receive(c, keepAlive); resp.body != "plain" {
			p.errorf("the client has %q", resp.wire)
		}
	}
}

// twoPools: the scopes of two requests are on two pools, and neither pool knows of
// the other one's tasks.
func twoPools(r *run) {
	p := r.pairOfRequests(setup{})
	for i, tasks := range p.tasks {
		for _, task := range tasks {
			task.waitStarted()
			if on := taskpool.FromContext(task.ctx).Pool(); on != p.scopes[i].Pool() {
				r.errorf("task %q is not on the pool of its request", task.name)
			}
		}
	}
	if p.scopes[0].Pool() == p.scopes[1].Pool() {
		r.errorf("two requests share a pool")
	}
	for i, scope := range p.scopes {
		if st := scope.Pool().Stats(); st.Accepted != 2 || st.Running != 2 {
			r.errorf("the pool of request %d has other tasks than its two: %+v", i, st)
		}
	}
	p.answered()
	for _, task := range p.tasks[0] {
		task.pass()
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	report, err := p.scopes[0].Pool().Drain(ctx) // the other one's tasks are still blocked
	if err != nil || report.Succeeded != 2 {
		r.errorf("Drain of the first pool: %+v, %v", report, err)
	}
	for _, task := range p.tasks[1] {
		task.pass()
	}
}

// workersPerRequest: with one worker, the tasks of a request run one after the
// other, beside those of another request.
func workersPerRequest(r *run) {
	p := r.pairOfRequests(setup{workers: 1})
	for i, tasks := range p.tasks {
		tasks[0].waitStarted()
		if st := p.scopes[i].Pool().Stats(); st.Workers != 1 || st.Running != 1 || st.Queued != 1 {
			r.errorf("the pool of request %d: %+v", i, st)
		}
	}
	p.answered()
	for _, tasks := range p.tasks {
		if tasks[1].hasStarted() {
			r.errorf("task %q has started beside another of its request", tasks[1].name)
		}
		tasks[0].pass()
		tasks[1].waitStarted()
		tasks[1].pass()
	}
}

// doneWaitsForAll: Done returns when the tasks of every request have ended, and
// its report names them all.
func doneWaitsForAll(r *run) {
	p := r.pairOfRequests(setup{})
	p.answered()
	for _, tasks := range p.tasks {
		for _, task := range tasks {
			task.waitStarted()
		}
	}
	reports := make(chan taskpool.Report, 1)
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		ctx, cancel := context.WithTimeout(context.Background(), 2*r.patience)
		defer cancel()
		report, err := p.source.Done(ctx)
		if err != nil {
			r.errorf("Done: %v", err)
		}
		r.journal.note("Done returns")
		reports <- report
	}()
	p.waitDone()
	for _, tasks := range p.tasks {
		for _, task := range tasks {
			task.pass()
		}
	}
	r.wait(returned, "Done to return")
	if report := <-reports; report.Succeeded != 4 || len(report.Results) != 4 {
		r.errorf("the report of Done: %+v", report)
	}
	for _, tasks := range p.tasks {
		for _, task := range tasks {
			if r.journal.index("Done returns") < r.journal.index("task \""+task.name+"\" ends") {
				r.errorf("Done has returned, and task %q has not ended", task.name)
			}
		}
	}
}

// doneCutsAll: a Done that has no time cancels the tasks of every request, and its
// report names them all.
func doneCutsAll(r *run) {
	const requests = 2
	var running [requests]*gate
	for i := range running {
		running[i] = r.gate()
	}
	s := r.serve(setup{}, func(x Exchange) error {
		var i int
		if _, err := fmt.Sscanf(x.Path(), "/%d", &i); err != nil {
			r.errorf("path %q: %v", x.Path(), err)
			return nil
		}
		err := taskpool.FromContext(x.Context()).Submit(taskpool.Job{
			Name: x.Path(), Start: taskpool.StartAfterResponse, Run: func(ctx context.Context) error {
				running[i].open()
				<-ctx.Done()
				return context.Cause(ctx)
			}})
		if err != nil {
			r.errorf("Submit: %v", err)
		}
		return plain(x)
	})
	c := s.dial()
	for i := range running {
		s.get(c, keepAlive, fmt.Sprintf("/%d", i))
		r.wait(running[i].opened, "the task")
	}
	report, err := s.cut()
	if err == nil || report.Canceled != requests {
		r.errorf("Done: %+v, %v", report, err)
	}
	for name, result := range s.account(report) {
		if result.Fate != taskpool.FateCanceled {
			r.errorf("task %q: %v, want %v", name, result.Fate, taskpool.FateCanceled)
		}
	}
}
