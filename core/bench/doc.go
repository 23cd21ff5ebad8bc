// Package bench runs the engine beside its peers: libraries that run tasks on a
// bounded number of goroutines, and the plain constructs of the language.
//
// Nobody requires this module, so that what it requires reaches no user. Its
// program is cmd/compare; `make bench` runs it. What each figure means, and how
// each peer is used, is in the README.
//
// A workload is one measurement, an entrant one contender's way to do it. Every
// task that is submitted counts its runs, and a measurement in which one did not
// run exactly once is an error.
package bench
