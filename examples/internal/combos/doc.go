// Package combos runs the middlewares and protocols that people stack, each with a
// pool and without, and compares what the client, the handler and the tasks see.
// All of it is tests. A combination that does not behave alike is a fault of an
// adapter, or is declared in its row with the reason.
package combos
