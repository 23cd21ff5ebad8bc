package pooltest

import (
	"os"
	"slices"
	"strings"
)

// descriptors are the open file descriptors of the process, with what they stand
// for: a number is used again, a socket's inode is not while anybody has it. It is
// nil where /proc does not tell.
func descriptors() []string {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var all []string
	for _, e := range entries {
		// That of the directory itself is gone by now.
		if what, err := os.Readlink(dir + "/" + e.Name()); err == nil {
			all = append(all, e.Name()+" "+what)
		}
	}
	return all
}

// descriptorsEnd waits until all that were opened since are closed.
func (r *run) descriptorsEnd(before []string) {
	r.Helper()
	var left []string
	if !r.eventually(func() bool {
		left = slices.DeleteFunc(descriptors(), func(d string) bool {
			return slices.Contains(before, d) || !strings.Contains(d, "socket:")
		})
		return len(left) == 0
	}) {
		r.errorf("%d file descriptors are left: %s", len(left), strings.Join(left, ", "))
	}
}
