// Package client has requests on their way out, which no handler ends.
package client

import (
	"context"
	"net/http"
	"net/url"

	taskpool "github.com/elite-libs/taskpool/core"
)

var pool = taskpool.New()

func use(v ...any) error { return nil }

type transport struct{ next http.RoundTripper }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	go func() { use(req.Context().Err()) }()
	_ = pool.Add(func(context.Context) error { return use(req) })
	return t.next.RoundTrip(req)
}

func send(req *http.Request) error {
	go use(req.Context())
	return pool.Add(func(ctx context.Context) error {
		resp, err := http.DefaultClient.Do(req.WithContext(ctx))
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
}

func proxy(req *http.Request) (*url.URL, error) {
	go use(req.Context())
	return nil, nil
}

func redirected(req *http.Request, via []*http.Request) error {
	go use(req.Context())
	return nil
}

// It serves, whatever else it does with the request.
func forward(w http.ResponseWriter, r *http.Request) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	go use(r.Context(), resp, err) // want `uses r.Context\(\)`
}
