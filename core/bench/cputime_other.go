//go:build !unix

package bench

import "time"

var began = time.Now()

// cpuTime is the time of the clock, where that of the processors is not told.
func cpuTime() time.Duration { return time.Since(began) }
