//go:build unix

package bench

import (
	"syscall"
	"time"
)

// cpuTime is what this process has had of the processors, which other processes do not slow down.
func cpuTime() time.Duration {
	var u syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
