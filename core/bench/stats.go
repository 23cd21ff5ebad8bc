package bench

import (
	"math"
	"slices"
)

// median is the middle of values, or the mean of the two that are; NaN if there
// are none.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	switch n := len(s); {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}

// quantile is the smallest of values that at least the share q of them does not
// exceed; NaN if there are none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	return s[max(int(math.Ceil(q*float64(len(s))))-1, 0)]
}

// regular adds to the waits of a client those of the others that would have come
// meanwhile, one each interval: a stall stops the client that would measure it, and
// would else count once however long it is.
func regular(waits []float64, interval float64) []float64 {
	all := waits
	for _, w := range waits {
		for w -= interval; w > 0; w -= interval {
			all = append(all, w)
		}
	}
	return all
}
