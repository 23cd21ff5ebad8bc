package pooltest

import (
	"fmt"

	"github.com/elite-libs/taskpool/core"
)

// exactChecks: what is staged starts after the last write of the response has
// returned, where the adapter promises that, and after the handler has returned
// everywhere.
func exactChecks(a Adapter) []check {
	if a.Release != taskpool.ReleaseFlushed {
		return matrix("inexact", releasedAsDeclared)
	}
	return matrix("exact", stagedAfterLastWrite)
}

func releasedAsDeclared(r *run, p program, m mode) {
	q := r.quartet()
	s := r.serve(setup{}, q.in(p.run))
	s.get(s.dial(), m, "/")
	q.waitReleased(p.success())
	q.after.released(r.adapter.Release)
	q.settle(s, p.success())
}

// stagedAfterLastWrite withholds the return of the last write, all bytes of
// which the client may have, and sees that nothing is released, although whole
// requests with their staged tasks go by on another connection.
func stagedAfterLastWrite(r *run, p program, m mode) {
	bare := r.serve(setup{bare: true}, p.run)
	bare.get(bare.dial(), m, "/")
	last := len(bare.listener.writes(1))

	q := r.quartet()
	var others [3]*probe
	for i := range others {
		others[i] = r.probe(fmt.Sprintf("other %d", i), taskpool.StartAfterResponse)
		others[i].let.open()
	}
	first := q.in(p.run)
	s := r.serve(setup{}, func(x Exchange) error {
		for i := range others {
			if x.Path() == fmt.Sprintf("/other%d", i) {
				others[i].add(x.Context())
			}
		}
		return first(x)
	})
	s.listener.hold(last)
	c := s.dial()
	s.send(c, m, "/")
	if last > 0 {
		r.wait(s.listener.held.opened, fmt.Sprintf("write %d of the response", last))
		second := s.dial()
		for i, o := range others {
			s.get(second, keepAlive, fmt.Sprintf("/other%d", i))
			r.wait(o.ended, "the tasks of a request on another connection")
		}
		if staged := s.source.stats().Staged; staged != 3 || q.after.hasStarted() {
			r.errorf("released before the last write has returned: %d of 3 tasks are staged", staged)
		}
		s.listener.let.open()
	}
	p.verify(r, m, s.receive(c, m))
	q.waitReleased(p.success())
	q.after.released(taskpool.ReleaseFlushed)
	wrote := r.journal.index(fmt.Sprintf("connection 1: write %d returns", last))
	if last > 0 && (wrote < 0 || r.journal.index(`task "after response" starts`) < wrote) {
		r.errorf("a staged task started before the last write returned")
	}
	if n := len(s.listener.writes(1)); n != last {
		r.errorf("%d writes, want %d", n, last)
	}
	q.settle(s, p.success())
}
