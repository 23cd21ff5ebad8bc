package httppool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// roundTripper is a Base that a test writes.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// idler is a Base that counts how often its connections were closed.
type idler struct {
	http.RoundTripper
	closed int
}

func (i *idler) CloseIdleConnections() { i.closed++ }

// inAnHour is an hour from now as a Unix time.
func inAnHour() string { return strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10) }

// call makes a request within ctx and reads the answer.
func call(ctx context.Context, client *http.Client, url string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// A lane is held or not while the task that got the answer still runs, and
// after it has ended.
func TestTransportPacesTheLane(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		header http.Header
		held   bool
	}{
		{"nothing remains", 200, http.Header{"X-RateLimit-Limit": {"60"}, "X-RateLimit-Remaining": {"0"}, "X-RateLimit-Reset": {inAnHour()}}, true},
		{"IETF", 200, http.Header{"RateLimit": {`"default";r=0;t=3600`}}, true},
		{"IETF in several lines", 200, http.Header{"RateLimit": {`"burst";r=9;t=1`, `"daily";r=0;t=3600`}}, true},
		{"429", 429, http.Header{"Retry-After": {"3600"}}, true},
		{"503", 503, http.Header{"Retry-After": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}, true},
		{"enough remains", 200, http.Header{"X-RateLimit-Remaining": {"50"}, "X-RateLimit-Reset": {inAnHour()}}, false},
		{"nothing said", 200, nil, false},
		{"429 that says nothing", 429, nil, false},
		{"a result that takes time", 202, http.Header{"Retry-After": {"3600"}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range test.header {
					for _, value := range values {
						w.Header().Add(name, value)
					}
				}
				w.WriteHeader(test.status)
			}))
			defer api.Close()
			client := &http.Client{Transport: &httppool.Transport{Base: api.Client().Transport}}
			pool := taskpool.New(taskpool.Config{Workers: 2, Lanes: map[string]taskpool.Lane{"api": {Limit: 2}}})

			answered, goOn := make(chan error), make(chan struct{})
			must(t, pool.Submit(taskpool.Job{Lane: "api", Run: func(ctx context.Context) error {
				status, err := call(ctx, client, api.URL)
				if err == nil && status != test.status {
					err = fmt.Errorf("got status %d, want %d", status, test.status)
				}
				answered <- err
				<-goOn
				return nil
			}}))
			must(t, <-answered)

			next := make(chan struct{})
			must(t, pool.Submit(taskpool.Job{Lane: "api", Run: func(context.Context) error {
				close(next)
				return nil
			}}))
			if !test.held {
				<-next
				close(goOn)
				report, err := pool.Done(t.Context())
				must(t, err)
				if report.Succeeded != 2 {
					t.Errorf("got %+v, want 2 that succeeded", report)
				}
				return
			}

			// Tasks without a lane, added afterwards, run to their end: the lane
			// is held beside the task that got the answer, and once that has ended.
			others := func(n int) {
				t.Helper()
				var ended sync.WaitGroup
				ended.Add(n)
				for range n {
					must(t, pool.Add(func(context.Context) error { ended.Done(); return nil }))
				}
				ended.Wait()
				if queued := pool.Stats().Queued; queued != 1 {
					t.Errorf("got %d queued, want the lane's next task", queued)
				}
			}
			others(20)
			close(goOn)
			for pool.Stats().Running > 0 {
				runtime.Gosched()
			}
			others(20)
			select {
			case <-next:
				t.Error("the lane's next task has started before the reset")
			default:
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			report, err := pool.Done(ended)
			if !errors.Is(err, context.Canceled) || report.Canceled != 1 {
				t.Errorf("got %+v, %v, want the lane's next task canceled", report, err)
			}
		})
	}
}

func TestTransportPacesNothingWithoutALane(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
	}))
	defer api.Close()
	client := &http.Client{Transport: &httppool.Transport{Base: api.Client().Transport}}
	if _, err := call(t.Context(), client, api.URL); err != nil {
		t.Errorf("outside of a task: %v", err)
	}
	pool := taskpool.New(taskpool.Config{Workers: 1, Lanes: map[string]taskpool.Lane{"api": {Limit: 1}}})
	for _, lane := range []string{"", "", "api"} {
		must(t, pool.Submit(taskpool.Job{Lane: lane, Run: func(ctx context.Context) error {
			_, err := call(ctx, client, api.URL)
			return err
		}}))
	}
	report, err := pool.Done(t.Context())
	must(t, err)
	if report.Succeeded != 3 {
		t.Errorf("got %+v, want 3 that succeeded", report)
	}
}

func TestTransportChangesNeitherRequestNorResponse(t *testing.T) {
	answer := &http.Response{
		StatusCode: 429,
		Header:     http.Header{"Retry-After": {"3600"}, "Ratelimit": {`"a";r=0;t=9`, `"b";r=0;t=9`}},
		Body:       http.NoBody,
	}
	want, wantHeader := *answer, answer.Header.Clone()
	req := httptest.NewRequest(http.MethodPost, "http://api.test/", nil)
	wantReq := req.Clone(req.Context())
	var got *http.Request
	transport := &httppool.Transport{Base: roundTripper(func(r *http.Request) (*http.Response, error) {
		got = r
		return answer, nil
	})}
	resp, err := transport.RoundTrip(req)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	if got != req || !reflect.DeepEqual(req, wantReq) {
		t.Errorf("got %+v, want the request as it was", got)
	}
	if resp != answer || !reflect.DeepEqual(*resp, want) || !reflect.DeepEqual(resp.Header, wantHeader) {
		t.Errorf("got %+v, want the response as it was", resp)
	}
}

func TestTransportPassesErrorsThrough(t *testing.T) {
	refused := errors.New("refused")
	partial := &http.Response{Header: http.Header{"Retry-After": {"3600"}}, Body: http.NoBody}
	for _, answer := range []*http.Response{nil, partial} { // a Base ought to give none, and some do
		transport := &httppool.Transport{Base: roundTripper(func(*http.Request) (*http.Response, error) { return answer, refused })}
		resp, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, "http://api.test/", nil))
		if err != refused || resp != answer { //nolint:errorlint // the very error is to come back
			t.Errorf("got %v, %v, want %v, %v", resp, err, answer, refused)
		}
		if resp != nil {
			_ = resp.Body.Close()
		}
	}
}

func TestTransportBearsABaseWithoutAnswer(t *testing.T) {
	transport := &httppool.Transport{Base: roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil })}
	resp, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, "http://api.test/", nil))
	if resp != nil || err != nil {
		t.Errorf("got %v, %v, want what Base gave", resp, err)
	}
	if resp != nil {
		_ = resp.Body.Close()
	}
}

func TestTransportClosesTheIdleConnectionsOfBase(t *testing.T) {
	base := &idler{RoundTripper: http.DefaultTransport}
	client := &http.Client{Transport: &httppool.Transport{Base: base}}
	client.CloseIdleConnections()
	if base.closed != 1 {
		t.Errorf("got %d, want 1", base.closed)
	}
	client.Transport = &httppool.Transport{Base: roundTripper(nil)} // which has no such method
	client.CloseIdleConnections()
}

// The zero Transport sends through http.DefaultTransport, whatever that is then.
func TestTransportWithoutBaseUsesTheDefault(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer api.Close()
	var proxied atomic.Bool
	keep := http.DefaultTransport
	defer func() { http.DefaultTransport = keep }()
	http.DefaultTransport = &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
		proxied.Store(true)
		return nil, nil
	}}
	client := &http.Client{Transport: new(httppool.Transport)}
	status, err := call(t.Context(), client, api.URL)
	client.CloseIdleConnections()
	if err != nil || status != http.StatusOK || !proxied.Load() {
		t.Errorf("got %d, %v, through the default: %t", status, err, proxied.Load())
	}
}

// Calls of an API in a lane: when an answer says that nothing remains, the lane
// is held until the reset. Other tasks go on.
func ExampleTransport() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("RateLimit", `"default";r=0;t=1`) // nothing more for one second
	}))
	defer api.Close()

	client := &http.Client{Transport: &httppool.Transport{}}
	pool := taskpool.New(taskpool.Config{Lanes: map[string]taskpool.Lane{"api": {Limit: 1}}})
	var calls []time.Time // one at a time, as the lane's limit is 1
	for range 2 {
		_ = pool.Submit(taskpool.Job{Lane: "api", Run: func(ctx context.Context) error {
			calls = append(calls, time.Now())
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, api.URL, nil)
			if err != nil {
				return err
			}
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		}})
	}
	report, err := pool.Drain(context.Background())
	fmt.Println(report.Succeeded, err)
	fmt.Println("paced:", calls[1].Sub(calls[0]) >= time.Second)
	// Output:
	// 2 <nil>
	// paced: true
}
