package httppool_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/pooltest"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// What a user writes to test a handler, without a server.
func TestHandlerIsTestedWithARecorder(t *testing.T) {
	place := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	for path, want := range map[string]string{"/": "receipt", "/none": "alert"} {
		tasks := pooltest.NewRecorder(t)
		tasks.Pause()
		w := httptest.NewRecorder()
		httppool.Middleware(tasks)(place).ServeHTTP(w, httptest.NewRequest("POST", path, nil))
		if waits := tasks.Pending(); len(waits) != 1 || waits[0].Name != want {
			t.Errorf("%s: got %v after %d, want that %s waits", path, waits, w.Code, want)
		}
		if r := tasks.Run(); r.Succeeded != 1 || r.Discarded != 1 || r.Err() != nil {
			t.Errorf("%s: got %+v, want one task that ran and one that was discarded", path, r)
		}
	}
}

// Within a bubble of synctest a test of a handler waits for no clock.
func TestHandlerIsTestedInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tasks := pooltest.NewRecorder(t)
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
		if r := tasks.Run(); r.Succeeded != 1 || time.Since(began) != 24*time.Hour {
			t.Errorf("got %+v after %v, want one task after a day", r, time.Since(began))
		}
	})
}
