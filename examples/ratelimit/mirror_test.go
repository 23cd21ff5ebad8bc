package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A direct is a server without a network, so that time is the test's.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	d.ServeHTTP(rec, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := rec.Result()
	resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat)) // a net/http server does that
	return resp, nil
}

// TestLeastNumberOfWindows: no window is left unused, and once the API has told its limit it refuses nothing.
func TestLeastNumberOfWindows(t *testing.T) {
	for _, tt := range []struct{ repos, quota, atOnce, windows, refused int }{
		{repos: 20, quota: 8, atOnce: 12, windows: 3, refused: 4},
		{repos: 300, quota: 60, atOnce: 100, windows: 5, refused: 40},
		{repos: 300, quota: 60, atOnce: 7, windows: 5, refused: 0},
		{repos: 120, quota: 60, atOnce: 1, windows: 2, refused: 0},
		{repos: 10, quota: 1, atOnce: 10, windows: 10, refused: 9},
		{repos: 60, quota: 60, atOnce: 60, windows: 1, refused: 0},
	} {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				github := &api{quota: tt.quota, window: time.Hour, takes: 100 * time.Millisecond}
				var out bytes.Buffer
				m := newMirror("http://api.example", direct{github}, &out)
				began := time.Now()
				if err := m.run(t.Context(), names(tt.repos), tt.atOnce); err != nil {
					t.Fatal(err)
				}
				windows, refused := github.counts()
				if windows != tt.windows || refused != tt.refused {
					t.Errorf("got %d windows and %d refused, want %d and %d", windows, refused, tt.windows, tt.refused)
				}
				if took, most := time.Since(began), time.Duration(tt.windows)*(time.Hour+10*time.Second); took > most {
					t.Errorf("took %v, want %v or less", took, most)
				}
				for _, repo := range names(tt.repos) {
					if got, want := m.copies[repo], "contents of /repos/"+repo+"/tarball\n"; got != want {
						t.Errorf("%s: got %q, want %q", repo, got, want)
					}
				}
				last := fmt.Sprintf("mirrored %2d of %d, window %d: ", tt.repos, tt.repos, tt.windows)
				if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != tt.repos || !strings.HasPrefix(lines[len(lines)-1], last) {
					t.Errorf("got %d lines, the last %q, want %d and %q", len(lines), lines[len(lines)-1], tt.repos, last)
				}
			})
		})
	}
}

// TestForbiddenIsNotTriedAgain: a 403 that says nothing of a limit is an answer.
func TestForbiddenIsNotTriedAgain(t *testing.T) {
	requests := 0
	m := newMirror("http://api.example", direct{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		http.Error(w, "a private repository", http.StatusForbidden)
	})}, io.Discard)
	err := m.run(t.Context(), names(1), 1)
	if err == nil || !strings.Contains(err.Error(), "403") || requests != 1 {
		t.Errorf("got %v after %d requests, want 403 after 1", err, requests)
	}
}

// TestEndsEarlyWithItsContext: what waits for a window to pass does not keep the program, and where the deadline is before
// the next window there is no wait at all.
func TestEndsEarlyWithItsContext(t *testing.T) {
	enough := errors.New("enough")
	for name, tt := range map[string]struct {
		within func(ctx context.Context) (context.Context, context.CancelFunc)
		want   error
		took   time.Duration
	}{
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		}, context.DeadlineExceeded, 0},
		"canceled": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			end := time.AfterFunc(time.Minute, func() { cancel(enough) })
			return ctx, func() { end.Stop(); cancel(nil) }
		}, enough, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := tt.within(t.Context())
				defer cancel()
				m := newMirror("http://api.example", direct{&api{quota: 2, window: time.Hour}}, io.Discard)
				began := time.Now()
				if err := m.run(ctx, names(5), 1); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), "3 tasks canceled") {
					t.Errorf("got %v, want that three were canceled", err)
				}
				if took := time.Since(began); took != tt.took || len(m.copies) != 2 {
					t.Errorf("got %d copies after %v, want 2 after %v", len(m.copies), took, tt.took)
				}
			})
		})
	}
}
