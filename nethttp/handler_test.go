package httppool_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/tasktest"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// place is a handler to be tested.
func place(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nothing := func(context.Context) error { return nil }
		err := taskpool.FromContext(r.Context()).Submit(
			taskpool.Job{Name: "receipt", Start: taskpool.StartOnSuccess, Run: nothing},
			taskpool.Job{Name: "alert", Start: taskpool.StartOnFailure, Run: nothing})
		if err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/none" {
			http.NotFound(w, r)
		}
	})
}

// What a user writes to test a handler, without a server.
func TestHandlerIsTestedWithARecorder(t *testing.T) {
	for path, want := range map[string]string{"/": "receipt", "/none": "alert"} {
		tasks := tasktest.NewRecorder(t, taskpool.Config{})
		tasks.Pause()
		w := httptest.NewRecorder()
		httppool.Middleware(tasks)(place(t)).ServeHTTP(w, httptest.NewRequest("POST", path, nil))
		if waits := tasks.Waiting(); len(waits) != 1 || waits[0].Name != want {
			t.Errorf("%s: got %v after %d, want that %s waits", path, waits, w.Code, want)
		}
		if r := tasks.Wait(); r.Succeeded != 1 || r.Discarded != 1 || r.Err() != nil {
			t.Errorf("%s: got %+v, want one task that ran and one that was discarded", path, r)
		}
	}
}

// With a server the client has its response before the server says that it is sent.
func TestRecorderWaitsForWhatAServerHasNotReleased(t *testing.T) {
	for _, tracked := range []bool{true, false} {
		tasks := tasktest.NewRecorder(t, taskpool.Config{})
		srv := httptest.NewUnstartedServer(httppool.Middleware(tasks)(place(t)))
		if tracked {
			httppool.Track(srv.Config)
		}
		srv.Start()
		defer srv.Close()
		for n := 1; n <= 1000; n++ {
			resp, err := srv.Client().Post(srv.URL, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if r := tasks.Wait(); r.Succeeded != n || r.Discarded != n {
				t.Fatalf("tracked %v: got %d that ran and %d that were discarded of %d requests", tracked, r.Succeeded, r.Discarded, n)
			}
		}
	}
}

// Within a bubble of synctest a test of a handler waits for no clock.
func TestHandlerIsTestedInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tasks := tasktest.NewRecorder(t, taskpool.Config{})
		remind := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			err := taskpool.FromContext(r.Context()).Submit(taskpool.Job{
				Name:  "reminder",
				Start: taskpool.StartOnSuccess,
				Delay: 24 * time.Hour,
				Run:   func(context.Context) error { return nil },
			})
			if err != nil {
				t.Error(err)
			}
		})
		began := time.Now()
		httppool.Middleware(tasks)(remind).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil))
		if got := time.Since(began); got != 0 {
			t.Errorf("the answer took %v", got)
		}
		if r := tasks.WaitFor("reminder"); r.Fate != taskpool.FateSucceeded || time.Since(began) != 24*time.Hour {
			t.Errorf("got %+v after %v, want that it ran after a day", r, time.Since(began))
		}
	})
}
