package pooltest

import (
	"context"

	"github.com/elite-libs/taskpool/core"
)

// notHeldChecks: what a taskpool.Hold leaves as it is.
func notHeldChecks(a Adapter) []check {
	var all []check
	add := func(name string, f func(r *run)) {
		all = append(all, check{"hold/" + name, holding(taskpool.HoldOptions{}, f)})
	}
	for _, p := range []program{programs[0], programs[1]} {
		add("without tasks/"+p.name, func(r *run) { notHeldWithoutTasks(r, p) })
		add("tasks have ended/"+p.name, func(r *run) { notHeldWhenEnded(r, p) })
	}
	for _, p := range programs {
		if p.own {
			add(p.name, func(r *run) { heldIfAnswered(r, p) })
		}
	}
	add("error after a body", func(r *run) {
		heldIfAnswered(r, program{name: "error", status: 200, own: true, run: func(x Exchange) error {
			_ = say(x, "plain")
			return errWant
		}})
	})
	add("hijack", hijacked)
	for _, t := range []struct {
		name    string
		install install
		held    bool
	}{
		{"twice/outer", func(p taskpool.Source) []taskpool.Source { return []taskpool.Source{hold(p), p} }, true},
		{"twice/inner", func(p taskpool.Source) []taskpool.Source { return []taskpool.Source{p, hold(p)} }, false},
		{"twice/both", func(p taskpool.Source) []taskpool.Source { return []taskpool.Source{hold(p), hold(p)} }, true},
	} {
		all = append(all, check{"hold/" + t.name, func(r *run) { heldTwice(r, t.install, t.held) }})
	}
	all = append(all, check{"hold/twice/inner, on two pools", notHeldWithin})
	if a.Handler != nil {
		add("timeout outside", func(r *run) {
			timeoutOutside(r, func(s *site) func(string) response {
				c := s.dial()
				return func(path string) response { return s.get(c, keepAlive, path) }
			})
		})
		add("timeout outside, not reached", timeoutNotReached)
	}
	return all
}

func hold(src taskpool.Source) taskpool.Source { return taskpool.Hold(src, taskpool.HoldOptions{}) }

// notHeldWithoutTasks: a request without tasks is answered as without the
// middleware, byte for byte and write for write.
func notHeldWithoutTasks(r *run, p program) {
	bare := r.serve(setup{bare: true}, p.run)
	want := bare.get(bare.dial(), keepAlive, "/")
	s := r.serve(setup{}, p.run)
	r.same("held, without tasks", s, s.get(s.dial(), keepAlive, "/"), bare, want)
}

// notHeldWhenEnded: and so is one whose tasks have ended when the handler returns.
func notHeldWhenEnded(r *run, p program) {
	bare := r.serve(setup{bare: true}, p.run)
	want := bare.get(bare.dial(), keepAlive, "/")
	task := r.probe("beside", taskpool.StartNow)
	task.let.open()
	s := r.serve(setup{}, func(x Exchange) error {
		task.add(x.Context())
		ctx, cancel := context.WithTimeout(context.Background(), r.patience)
		defer cancel()
		if _, err := taskpool.FromContext(x.Context()).Drain(ctx); err != nil {
			r.errorf("Drain in the handler: %v", err)
		}
		return p.run(x)
	})
	r.same("held, its tasks have ended", s, s.get(s.dial(), keepAlive, "/"), bare, want)
	if fate := s.finish()["beside"].Fate; fate != taskpool.FateSucceeded {
		r.errorf("the task has %v", fate)
	}
}

// heldIfAnswered: after a panic, and where an error is still to be rendered when
// the handler has returned, there is no response to hold, and the client gets
// what it gets without the middleware. A framework that has answered by then is
// one whose response is held.
func heldIfAnswered(r *run, p program) {
	bare := r.serve(setup{bare: true}, p.run)
	want := bare.get(bare.dial(), keepAlive, "/")
	answered := p.status < 400 || !r.adapter.LateErrors
	recovered := p.panics && r.adapter.Recovery == RecoveryInside
	if p.panics {
		answered = recovered && !r.adapter.LateRecovery
	}
	q := r.quartet()
	s := r.serve(setup{}, q.in(p.run))
	c := s.dial()
	s.send(c, keepAlive, "/")
	if !answered {
		r.same("not held", s, s.receive(c, keepAlive), bare, want)
		q.waitReleased(p.success())
		q.after.released(r.adapter.Release)
		q.judge(row{status: p.status, failed: !p.panics, panicked: p.panics && !recovered, recovered: recovered})
		q.settle(s, p.success())
		return
	}
	o := s.begin(c, keepAlive, len(want.body))
	q.waitHeld(p.success())
	q.passInTurn(s, p.success())
	got, err := o.finish(nil)
	if err != nil || got.status != want.status || got.body != want.body || got.cut {
		r.errorf("the client has %q, %v; without the middleware %q", got.wire, err, want.wire)
	}
	q.settle(s, p.success())
}

// heldTwice: with the same pool it is one scope, and only the outermost
// middleware holds its request.
func heldTwice(r *run, install install, held bool) {
	q := r.quartet()
	s := r.serve(setup{install: install}, q.inTurn(plain))
	if held {
		q.heldPlain(s)
	} else {
		q.notHeldPlain(s)
	}
	q.settle(s, true)
}

// notHeldPlain asks for the answer of plain, and checks that it is not held.
func (q *quartet) notHeldPlain(s *site) {
	q.Helper()
	if resp := s.get(s.dial(), keepAlive, "/"); resp.body != "plain" || resp.header.Get("Content-Length") == "" {
		q.errorf("the client has %q", resp.wire)
	}
	q.waitReleased(true)
	q.blocked()
	q.after.released(q.adapter.Release)
}

// notHeldWithin: a scope on another pool than the outer one's is not held either:
// the outer middleware has yet to see the end of its handler.
func notHeldWithin(r *run) {
	second := r.source(setup{})
	q := r.quartet()
	s := r.serve(setup{install: over(hold(second))}, q.inTurn(plain))
	q.notHeldPlain(s)
	for _, p := range q.all() {
		p.let.open()
	}
	if results := s.finish(); len(results) != 0 {
		r.errorf("the outer pool has got %d tasks", len(results))
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	if report, err := second.Done(ctx); err != nil || report.Succeeded != 3 || report.Discarded != 1 {
		r.errorf("the inner pool: %+v, %v", report, err)
	}
}
