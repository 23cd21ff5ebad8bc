package httppool_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

func TestCheckResponseSaysWhetherAnotherTryMayMend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		always := taskpool.Retry(func(int, error) (time.Duration, bool) { return time.Second, true })
		for _, test := range []struct {
			status int
			header http.Header
			again  bool
			wait   time.Duration
		}{
			{429, http.Header{"Retry-After": {"30"}}, true, 30 * time.Second},
			{429, nil, true, time.Second},
			{503, http.Header{"Retry-After": {"30"}}, true, 30 * time.Second},
			{503, nil, true, time.Second},
			{500, nil, true, time.Second},
			{408, nil, true, time.Second},
			{425, nil, true, time.Second},
			{403, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"60"}}, true, time.Minute},
			{403, http.Header{"X-Ratelimit-Remaining": {"9"}, "X-Ratelimit-Reset": {"60"}}, false, 0},
			{403, nil, false, 0},
			{404, nil, false, 0},
		} {
			err := httppool.CheckResponse(&http.Response{StatusCode: test.status, Header: test.header})
			var status *httppool.StatusError
			if !errors.As(err, &status) || status.Code != test.status {
				t.Errorf("%d: got %v", test.status, err)
			}
			if wait, again := always.Next(1, err); again != test.again || wait != test.wait {
				t.Errorf("%d %v: got %v, %t, want %v, %t", test.status, test.header, wait, again, test.wait, test.again)
			}
		}
		for _, status := range []int{200, 202, 204, 304} {
			if err := httppool.CheckResponse(&http.Response{StatusCode: status, Header: http.Header{"Retry-After": {"5"}}}); err != nil {
				t.Errorf("%d: got %v", status, err)
			}
		}
	})
}

func TestStatusErrorKeepsSecretsToItself(t *testing.T) {
	req := httptest.NewRequest(http.MethodPost, "http://ann:secret@api.test/orders?key=secret#secret", nil)
	err := httppool.CheckResponse(&http.Response{StatusCode: 404, Status: "404 Not Found", Request: req})
	if got, want := err.Error(), "POST http://api.test/orders: 404 Not Found"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A redirect leads to another host, which has limits of its own.
func TestTransportHeedsNoOtherHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: &httppool.Transport{Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			h := http.Header{"Retry-After": {"3600"}}
			if r.URL.Host == "api.test" {
				return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"http://files.test/"}, "Retry-After": {"3600"}}, Body: http.NoBody, Request: r}, nil
			}
			return &http.Response{StatusCode: 503, Header: h, Body: http.NoBody, Request: r}, nil
		})}}
		for host, want := range map[string]time.Duration{"api.test": 0, "files.test": time.Hour} {
			pool := taskpool.New(taskpool.Config{Workers: 1})
			began := time.Now()
			for range 2 {
				must(t, pool.Submit(taskpool.Job{Lane: "api", Run: func(ctx context.Context) error {
					_, err := call(ctx, client, "http://"+host)
					return err
				}}))
			}
			if _, err := pool.Drain(t.Context()); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("%s: took %v, want %v", host, took, want)
			}
		}
	})
}

// What every task that calls an API has to decide.
func ExampleCheckResponse() {
	api := httptest.NewServer(http.NotFoundHandler())
	defer api.Close()
	resp, err := http.Get(api.URL + "/users/7")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	err = httppool.CheckResponse(resp) // what a task returns
	_, again := taskpool.Backoff(5, time.Second, time.Minute).Next(1, err)
	var status *httppool.StatusError
	fmt.Println(errors.As(err, &status), status.Code, again)
	// Output: true 404 false
}
