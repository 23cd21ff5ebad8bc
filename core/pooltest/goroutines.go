package pooltest

import (
	"runtime"
	"slices"
	"strings"
)

// goroutines are the stacks of all goroutines, by their id. An id is never used
// again, so unlike a count this is not fooled by those that end meanwhile.
func goroutines() map[string]string {
	buf := make([]byte, 1<<16)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := make(map[string]string)
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		all[id] = stack
	}
	return all
}

// goroutinesEnd waits until all that were started since have ended.
func (r *run) goroutinesEnd(before map[string]string) {
	if r.Failed() {
		return // it says enough
	}
	var left []string
	if !r.eventually(func() bool {
		left = left[:0]
		for id, stack := range goroutines() {
			if _, ok := before[id]; !ok && !r.adapter.leaves(stack) {
				left = append(left, stack)
			}
		}
		return len(left) == 0
	}) {
		r.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
	}
}

// leaves reports whether a goroutine is one that the framework is known to leave.
func (a Adapter) leaves(stack string) bool {
	return slices.ContainsFunc(a.Leaves, func(function string) bool {
		return strings.Contains(stack, "\n"+function+"(")
	})
}
