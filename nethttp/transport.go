package httppool

import (
	"net/http"
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
// decides whether to try again, as by what CheckResponse returns. What is held is
// what the lane starts next, never a request: one made outside of a task or of a
// lane is simply sent. The answer of another host, to which a redirect has led, says
// nothing of the lane's API.
type Transport struct {
	Base http.RoundTripper // what sends the requests; nil means http.DefaultTransport
}

// RoundTrip sends the request through Base. The lane is paced when it returns,
// before the response's body is read.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	asked := time.Now()
	resp, err := t.base().RoundTrip(req)
	if err != nil || resp == nil || elsewhere(req) {
		return resp, err
	}
	// What is no hint is told, too: that the call was accepted.
	limit, _ := taskpool.ParseRateLimit(taskpool.Answer{Status: resp.StatusCode, Header: resp.Header, Asked: asked, Came: time.Now()})
	taskpool.Throttle(req.Context(), limit)
	return resp, nil
}

// elsewhere reports whether redirects have led from the host that was asked to
// another one. An http.Client notes in each request the answer that has led to it
// (net/http, Request.Response).
func elsewhere(req *http.Request) bool {
	first := req
	for first.Response != nil && first.Response.Request != nil && first.Response.Request != first {
		first = first.Response.Request
	}
	return first.URL != nil && req.URL != nil && first.URL.Host != req.URL.Host
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
