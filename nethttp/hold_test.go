package httppool_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// held serves a request that is held for task, and returns the body of its
// response, whose end is still to come.
func held(t *testing.T, src taskpool.Source, limit time.Duration, task taskpool.Job) (body io.Reader, stop func(), served <-chan error) {
	t.Helper()
	hold := taskpool.Hold(src, taskpool.HoldOptions{})
	srv := &http.Server{Handler: httppool.Middleware(hold)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		must(t, taskpool.FromContext(r.Context()).Submit(task))
	}))}
	ln := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- httppool.ServeListener(ctx, srv, ln, hold, limit) }()
	resp, err := http.Get("http://" + ln.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp.Body, cancel, result
}

func TestServeLetsAHeldRequestGoAndFinishesItsTask(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	inTask, finish := make(chan struct{}), make(chan struct{})
	body, stop, served := held(t, p, time.Minute, taskpool.Job{Start: taskpool.StartOnSuccess, Run: func(context.Context) error {
		close(inTask)
		<-finish
		return nil
	}})
	<-inTask
	stop() // while the request is held
	if _, err := io.ReadAll(body); err != nil {
		t.Errorf("the response was cut: %v", err)
	}
	select {
	case err := <-served:
		t.Fatalf("Serve returned %v while a task ran", err)
	default:
	}
	close(finish)
	must(t, <-served)
	if s := p.Stats(); s.Succeeded != 1 {
		t.Errorf("got %+v, want the one task succeeded", s)
	}
}

// A request that is held for a stuck task takes nothing of the limit.
func TestServeCutsTheTaskOfAHeldRequest(t *testing.T) {
	for name, src := range map[string]taskpool.Source{
		"shared":      taskpool.New(taskpool.Config{}),
		"per request": taskpool.PerRequest(taskpool.Config{}),
	} {
		t.Run(name, func(t *testing.T) {
			release, inTask := make(chan struct{}), make(chan struct{})
			defer close(release)
			body, stop, served := held(t, src, 20*time.Millisecond, taskpool.Job{Name: "stuck", Start: taskpool.StartAfterResponse,
				Run: func(context.Context) error { close(inTask); <-release; return nil }})
			<-inTask
			stop()
			err := <-served
			if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "requests were still open") ||
				!strings.Contains(err.Error(), "1 task abandoned (stuck)") {
				t.Errorf("got %v, want an error that tells of the task alone", err)
			}
			if _, err := io.ReadAll(body); err != nil {
				t.Errorf("the response was cut: %v", err)
			}
			report, _ := src.Done(t.Context())
			if len(report.Results) != 1 || report.Results[0].Name != "stuck" || report.Abandoned != 1 {
				t.Errorf("got %+v, want the stuck task named", report)
			}
		})
	}
}

// A refusing writer says only when it is asked that it cannot flush.
type refusing struct{ http.ResponseWriter }

func (refusing) Flush()            {}
func (refusing) FlushError() error { return http.ErrNotSupported }

func TestRequestThatCannotBeFlushedIsNotHeld(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	finish, release := make(chan struct{}), make(chan taskpool.Release, 1)
	next := httppool.Middleware(taskpool.Hold(p, taskpool.HoldOptions{}))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		must(t, taskpool.FromContext(r.Context()).AfterResponse(func(ctx context.Context) error {
			o, _ := taskpool.FromContext(ctx).Outcome()
			release <- o.Release
			<-finish
			return nil
		}))
	}))
	url := start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(refusing{w}, r)
	})})
	get(t, http.DefaultClient, url) // to the end, while the task is blocked
	if got := <-release; got != taskpool.ReleaseHandlerReturned {
		t.Errorf("got %v, want %v", got, taskpool.ReleaseHandlerReturned)
	}
	close(finish)
	_, err := p.Done(t.Context())
	must(t, err)
}
