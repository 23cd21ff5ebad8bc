package httppool

import (
	"net/http"
	"strings"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// A Transport is a RoundTripper that paces the lane of the task whose context a
// request is made with, by what the API's answers say of its rate limit: see
// taskpool.ParseRateLimit and taskpool.Throttle. The zero value is ready to use,
// and a Transport is safe for concurrent use if its Base is.
//
// It sends each request as it is, once, and gives back the answer as it is,
// whatever the status: a 429 or a 503 paces the lane, and it is the task that
// decides whether to try again. What is held is what the lane starts next, never
// a request: one made outside of a task or of a lane is simply sent.
type Transport struct {
	Base http.RoundTripper // what sends the requests; nil means http.DefaultTransport
}

// RoundTrip sends the request through Base. The lane is paced when it returns,
// before the response's body is read.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base().RoundTrip(req)
	if err != nil || resp == nil {
		return resp, err
	}
	get := func(name string) string {
		if name == "Retry-After" && resp.StatusCode < http.StatusBadRequest {
			return "" // it is the result that takes time (202), or a redirect
		}
		return strings.Join(resp.Header.Values(name), ", ") // a list may come in several lines: RFC 9110, section 5.3
	}
	if limit, ok := taskpool.ParseRateLimit(get, time.Now()); ok {
		taskpool.Throttle(req.Context(), limit)
	}
	return resp, nil
}

// CloseIdleConnections closes those of Base, if it has such a method, so that
// http.Client.CloseIdleConnections works.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t *Transport) base() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	return http.DefaultTransport
}
