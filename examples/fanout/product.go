package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	taskpool "github.com/elite-libs/taskpool/core"
)

// An upstream is a service that a part of the answer comes from.
type upstream struct{ name, url string }

// product answers with the parts of all upstreams, in their order. The first of them that fails decides: the answer is
// 502 at once, and the other calls are canceled.
func product(client *http.Client, upstreams []upstream) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil) // whatever is still called for has no use any more
		scope := taskpool.FromContext(ctx)
		parts := make([]*taskpool.Promise[string], len(upstreams))
		for i, u := range upstreams {
			var err error
			parts[i], err = taskpool.AsyncJob(scope, taskpool.Job{Name: u.name}, func(task context.Context) (string, error) {
				part, err := get(task, ctx, client, u.url)
				if err != nil {
					err = fmt.Errorf("%s: %w", u.name, err)
					cancel(err) // the first error counts: every Await below returns
				}
				return part, err
			})
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		bodies := make([]string, len(parts))
		for i, p := range parts {
			var err error
			if bodies[i], err = p.Await(ctx); err != nil {
				cancel(err)
				http.Error(w, context.Cause(ctx).Error(), http.StatusBadGateway) // not err, which may come of the cancelation
				return
			}
		}
		for i, body := range bodies {
			fmt.Fprintf(w, "%s: %s\n", upstreams[i].name, body)
		}
	}
}

// get calls an upstream. A task outlives its request on purpose; this one is to end with it.
func get(task, request context.Context, client *http.Client, url string) (string, error) {
	if request.Err() != nil {
		return "", context.Cause(request) // while it was queued
	}
	ctx, cancel := context.WithCancelCause(task)
	defer cancel(nil)
	defer context.AfterFunc(request, func() { cancel(context.Cause(request)) })()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("got %s", resp.Status)
	}
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
