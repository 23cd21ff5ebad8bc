package pooltest

import (
	"fmt"

	"github.com/elite-libs/taskpool/core"
)

// holdLastChecks: of the requests that have tasks only the newest is held, until
// the tasks of all of them have ended.
func holdLastChecks() []check {
	last := taskpool.HoldOptions{Last: true}
	return []check{
		{"hold/last frees the earlier, and waits for its tasks", holding(last, func(r *run) { heldLast(r, true) })},
		{"hold/last waits for its own tasks", holding(last, func(r *run) { heldLast(r, false) })},
		{"hold/last is not freed by a request without tasks", holding(last, heldLastKept)},
	}
}

// A heldRequest is one of several. It has one task, and a connection that is
// closed when the response has ended.
type heldRequest struct {
	*probe
	response *opening
	closed   string // what is noted then
}

// holdLast has a site answer requests that have a task each. The function that it
// returns sends the next one, and waits until it is held.
func holdLast(r *run) (*site, func() *heldRequest) {
	tasks := map[string]*probe{}
	for _, path := range []string{"/1", "/2"} {
		tasks[path] = r.probe(path, taskpool.StartAfterResponse)
	}
	s := r.serve(setup{}, func(x Exchange) error {
		if task := tasks[x.Path()]; task != nil {
			task.add(x.Context())
		}
		return plain(x)
	})
	sent := 0
	return s, func() *heldRequest {
		r.Helper()
		sent++
		path := fmt.Sprintf("/%d", sent)
		closing, c := modes[1], s.dial()
		s.send(c, closing, path)
		h := &heldRequest{probe: tasks[path], response: s.begin(c, closing, len("plain"))}
		h.closed = fmt.Sprintf("connection %d: closed by the server", s.listener.accepted())
		h.released(taskpool.ReleaseHeld)
		return h
	}
}

// end waits for the end of the response.
func (h *heldRequest) end() {
	h.Helper()
	got, err := h.response.finish(nil)
	if err != nil || got.body != "plain" || got.cut {
		h.fatalf("request %s: the client has %q, %v", h.name, got.wire, err)
	}
}

// endedBefore checks that the task had ended when the connection of another
// request was closed.
func (h *heldRequest) endedBefore(other *heldRequest) {
	h.Helper()
	at, end := h.journal.index(other.closed), h.journal.index("task \""+h.name+"\" ends")
	if at < 0 || end < 0 || end > at {
		h.errorf("request %s has ended, and task %q has not", other.name, h.name)
	}
}

// heldLast: the first request ends when the second one is held, which then waits
// for the tasks of both, whichever ends last.
func heldLast(r *run, earlierEndsLast bool) {
	s, next := holdLast(r)
	first := next()
	s.goBy()
	if r.journal.index(first.closed) >= 0 {
		r.errorf("the first request ends, and no other is held")
	}
	second := next()
	first.end()
	if r.journal.index(`task "/1" ends`) >= 0 {
		r.errorf("the first request's task has ended")
	}
	passes, ends := second, first
	if !earlierEndsLast {
		passes, ends = first, second
	}
	passes.pass()
	s.goBy()
	ends.pass()
	second.end()
	first.endedBefore(second)
	second.endedBefore(second)
	for name, result := range s.finish() {
		if result.Fate != taskpool.FateSucceeded {
			r.errorf("task %q: %v", name, result.Fate)
		}
	}
}

// heldLastKept: requests that have no tasks go by, and free nobody.
func heldLastKept(r *run) {
	s, next := holdLast(r)
	only := next()
	s.goBy()
	only.pass()
	only.end()
	only.endedBefore(only)
}
