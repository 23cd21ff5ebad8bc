// Package shop has a handler with two faults.
package shop

import (
	"context"
	"net/http"

	taskpool "github.com/elite-libs/taskpool/core"
)

func order(w http.ResponseWriter, r *http.Request) {
	go sendReceipt(r.Context())                              // want `go statement in a handler`
	taskpool.FromContext(r.Context()).OnSuccess(sendReceipt) // want `error`
	w.WriteHeader(http.StatusCreated)
}

func sendReceipt(context.Context) error { return nil }
