package pooltest

import (
	"io"

	"github.com/elite-libs/taskpool/core"
)

// streamChecks: what writes the response when the handler has returned belongs to
// the request.
func streamChecks(a Adapter) []check {
	if a.Stream == nil {
		return nil
	}
	return []check{
		{"stream/adds while the writer runs", func(r *run) { streamAdds(r, false) }},
		{"stream/adds to what the handler added", func(r *run) { streamAdds(r, true) }},
	}
}

// streamAdds: the tasks that a stream writer adds are accepted, whether the handler
// added some or not, and what is staged starts when the stream has ended.
func streamAdds(r *run, before bool) {
	let := r.gate()
	early := r.probe("early", taskpool.StartAfterResponse)
	q := r.quartet()
	s := r.serve(setup{}, func(x Exchange) error {
		ctx := x.Context()
		if before {
			early.add(ctx)
		}
		r.adapter.Stream(x, func(w io.Writer) {
			_, _ = io.WriteString(w, "rows")
			q.add(ctx)
			<-let.opened
			r.journal.note("the handler returns") // with what it has left to the writer
		})
		return nil
	})
	c := s.dial()
	s.send(c, keepAlive, "/")
	q.now.waitStarted()
	if q.after.hasStarted() || early.hasStarted() {
		r.errorf("released while the stream writer runs")
	}
	let.open()
	if resp := s.receive(c, keepAlive); resp.body != "rows" || resp.cut {
		r.errorf("the client has %q", resp.wire)
	}
	q.waitReleased(true)
	q.after.released(r.adapter.Release)
	if before {
		early.pass()
	}
	q.settle(s, true)
}
