package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/tasktest"
)

func startMail(t *testing.T, busy int) *fakeSMTP {
	t.Helper()
	f, err := startFake(busy)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.ln.Close() })
	return f
}

// start serves the program as main does. stop is what SIGTERM does there; it returns what serve returned.
func start(t *testing.T, s *service, src taskpool.Source) (url string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, ln, src) }()
	return "http://" + ln.Addr().String(), func() error { cancel(); return <-ended }
}

func signup(t *testing.T, url, body string, want int) {
	t.Helper()
	resp, err := http.Post(url+"/signup", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		t.Errorf("%s: got %d, want %d", body, resp.StatusCode, want)
	}
}

func TestMailIsSentOnceTheServerTakesIt(t *testing.T) {
	mail := startMail(t, 2)
	tasks := tasktest.NewRecorder(t, config())
	url, stop := start(t, &service{send: smtpSender(mail.addr())}, tasks)
	signup(t, url, `{"email":"ada@example.com"}`, http.StatusCreated)
	if r := tasks.WaitFor("welcome"); r.Fate != taskpool.FateSucceeded || r.Attempts != 3 {
		t.Errorf("got %+v, want that the third try succeeded", r)
	}
	if got, want := mail.mails(), "ada@example.com"; got != want {
		t.Errorf("mails: got %q, want %q", got, want)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestMailThatIsRefusedForGoodIsTriedOnce(t *testing.T) {
	mail := startMail(t, 0)
	tasks := tasktest.NewRecorder(t, config())
	url, stop := start(t, &service{send: smtpSender(mail.addr())}, tasks)
	signup(t, url, `{"email":"ada@nowhere.example"}`, http.StatusCreated)
	if r := tasks.WaitFor("welcome"); r.Fate != taskpool.FateFailed || r.Attempts != 1 || !strings.Contains(r.Err.Error(), "no such mailbox") {
		t.Errorf("got %+v, want that the only try failed", r)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestMailsOnTheirWayAreFinishedAtTheEnd(t *testing.T) {
	mail := startMail(t, 1)
	arrived, goOn := make(chan struct{}, 1), make(chan struct{})
	mail.hold = func() { arrived <- struct{}{}; <-goOn }
	pool := taskpool.New(config())
	url, stop := start(t, &service{send: smtpSender(mail.addr())}, pool)
	signup(t, url, `{"email":"ada@example.com"}`, http.StatusCreated)
	signup(t, url, `{"email":"bob@example.com"}`, http.StatusCreated)
	<-arrived
	ended := make(chan error)
	go func() { ended <- stop() }()
	<-arrived // the other one, maybe in another try
	close(goOn)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := mail.mails(); !strings.Contains(got, "ada@example.com") || !strings.Contains(got, "bob@example.com") {
		t.Errorf("mails: got %q, want both", got)
	}
}

func TestOnlyWhoIsSignedUpGetsMail(t *testing.T) {
	tasks := tasktest.NewRecorder(t, config())
	sent := 0
	s := &service{send: func(context.Context, string) error { sent++; return nil }}
	for _, tt := range []struct {
		body string
		want int
	}{
		{`{"email":"ada@example.com"}`, http.StatusCreated},
		{`{"email":"ada@example.com"}`, http.StatusConflict},
		{`{"email":"ada"}`, http.StatusBadRequest},
		{`{`, http.StatusBadRequest},
	} {
		w := httptest.NewRecorder()
		s.handler(tasks).ServeHTTP(w, httptest.NewRequest("POST", "/signup", strings.NewReader(tt.body)))
		if w.Code != tt.want {
			t.Errorf("%s: got %d, want %d", tt.body, w.Code, tt.want)
		}
		tasks.Wait()
	}
	if report := tasks.Wait(); sent != 1 || report.Discarded != 1 {
		t.Errorf("got %d mails and %+v, want one mail, and one discarded", sent, report)
	}
}

func TestFullPoolIsAnswered503AndSignsNobodyUp(t *testing.T) {
	tasks := tasktest.NewRecorder(t, config())
	if _, err := tasks.Done(t.Context()); err != nil { // from now on all is refused
		t.Fatal(err)
	}
	s := &service{}
	w := httptest.NewRecorder()
	s.handler(tasks).ServeHTTP(w, httptest.NewRequest("POST", "/signup", strings.NewReader(`{"email":"ada@example.com"}`)))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || len(s.users) != 0 {
		t.Errorf("got %d, %v and %d users, want 503 with Retry-After and none", w.Code, w.Header(), len(s.users))
	}
}

func TestMailIsGivenUpAfterSixTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where the waits between them take no time
		tasks := tasktest.NewRecorder(t, config())
		s := &service{send: func(context.Context, string) error { return errors.New("connection refused") }}
		w := httptest.NewRecorder()
		s.handler(tasks).ServeHTTP(w, httptest.NewRequest("POST", "/signup", strings.NewReader(`{"email":"ada@example.com"}`)))
		if r := tasks.WaitFor("welcome"); r.Fate != taskpool.FateFailed || r.Attempts != 6 {
			t.Errorf("got %+v, want that six tries failed", r)
		}
	})
}
