package httppool

import (
	"net/http"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// A StatusError is the error of a response whose status is one. CheckResponse
// returns it, wrapped in what says whether another try may mend it.
type StatusError struct {
	Code   int    // such as 429
	Status string // such as "429 Too Many Requests"
	Method string // of the request; empty if the response does not have it
	URL    string // of the request, without user, query and fragment: they may hold secrets
}

func (e *StatusError) Error() string {
	if e.Method == "" {
		return e.Status
	}
	return e.Method + " " + e.URL + ": " + e.Status
}

// CheckResponse returns nil if the status of the response is below 400, and else
// the error that a task is to return for it, so that its Retry does what the API
// asks for:
//
//   - A refusal for a limit, such as 429, or 503 or 403 with a Retry-After, is tried
//     again no sooner than the answer says: taskpool.RetryAfter.
//   - 408, 425 and any other 5xx may be tried again, when the Retry thinks fit.
//   - Any other 4xx is an answer that no other try would change: taskpool.Permanent.
//
// The error is a *StatusError, for errors.As. It neither reads nor closes the body.
func CheckResponse(resp *http.Response) error {
	if resp.StatusCode < http.StatusBadRequest {
		return nil
	}
	err := statusError(resp)
	now := time.Now()
	limit, _ := taskpool.ParseRateLimit(taskpool.Answer{Status: resp.StatusCode, Header: resp.Header, Came: now})
	switch code := resp.StatusCode; {
	case limit.Refused && limit.Reset.IsZero():
		return err
	case limit.Refused:
		return taskpool.RetryAfter(err, limit.Reset.Sub(now))
	case code >= http.StatusInternalServerError, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		return err
	}
	return taskpool.Permanent(err)
}

func statusError(resp *http.Response) *StatusError {
	e := &StatusError{Code: resp.StatusCode, Status: resp.Status}
	if e.Status == "" {
		e.Status = http.StatusText(e.Code)
	}
	if req := resp.Request; req != nil && req.URL != nil {
		u := *req.URL
		u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
		e.Method, e.URL = req.Method, u.String()
		if e.Method == "" {
			e.Method = http.MethodGet
		}
	}
	return e
}
