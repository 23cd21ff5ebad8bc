// Command poolvet reports misuse of taskpool and of a request's values in
// background work. It is a tool for go vet, and also runs alone:
//
//	go vet -vettool=$(which poolvet) ./...
//	poolvet ./...
//
// Package poolvet says what it reports.
package main

import (
	"github.com/elite-libs/taskpool/core/poolvet"
	"golang.org/x/tools/go/analysis/multichecker"
)

// multichecker, since it also speaks the protocol of go vet.
func main() { multichecker.Main(poolvet.Analyzer) }
