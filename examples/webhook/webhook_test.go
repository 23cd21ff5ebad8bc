package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/tasktest"
)

// start serves the program as main does, with APIs of those limits. stop is what SIGTERM does there; it returns what
// serve returned.
func start(t *testing.T, src taskpool.Source, limits map[string]int) (s *service, apis map[string]*api, url string, stop func() error) {
	t.Helper()
	apis = map[string]*api{}
	s = &service{secret: []byte("secret"), client: newClient(), apis: map[string]string{}}
	for name, limit := range limits {
		a, err := startAPI(limit)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.ln.Close() })
		apis[name], s.apis[name] = a, a.url()
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, ln, src) }()
	return s, apis, "http://" + ln.Addr().String(), func() error { cancel(); return <-ended }
}

// send sends a webhook with a signature, and returns the status.
func send(t *testing.T, url, body string, signature []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/hook", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Signature", hex.EncodeToString(signature))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestEachAPIHearsOfEachWebhookOnce(t *testing.T) {
	t.Parallel() // it waits for the windows of a real clock
	const webhooks = 12
	tasks := tasktest.NewRecorder(t, config())
	s, apis, url, stop := start(t, tasks, map[string]int{"crm": 0, "search": 0, "partner": 5})
	var want []string
	for i := range webhooks {
		body := fmt.Sprintf("event %02d", i)
		if got := send(t, url, body, s.sign([]byte(body))); got != http.StatusAccepted {
			t.Fatalf("got %d, want 202", got)
		}
		want = append(want, body)
	}
	if err := tasks.Wait().Err(); err != nil {
		t.Error(err)
	}
	for name, a := range apis {
		heard, refused := a.counts()
		if slices.Sort(heard); !slices.Equal(heard, want) {
			t.Errorf("%s heard %q, want %q", name, heard, want)
		}
		// What the lane knows nothing of yet may be too much: as many as can be on their way at once.
		if most := tasks.Stats().Workers; refused > most || name != "partner" && refused > 0 {
			t.Errorf("%s has refused %d calls, want %d at most", name, refused, most)
		}
	}
	// Nobody waits for the partner but what goes there.
	all := tasks.Ended()
	for _, r := range all[len(all)-2:] {
		if r.Name != "partner" {
			t.Errorf("among the last two was %s", r.Name)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestTheLimitIsKeptWhileTheServiceStops(t *testing.T) {
	t.Parallel() // it waits for the windows of a real clock
	pool := taskpool.New(config())
	s, apis, url, stop := start(t, pool, map[string]int{"partner": 4})
	for i := range 10 {
		body := fmt.Sprint("event ", i)
		if got := send(t, url, body, s.sign([]byte(body))); got != http.StatusAccepted {
			t.Fatalf("got %d, want 202", got)
		}
	}
	if err := stop(); err != nil { // at once, with two windows still to come
		t.Error(err)
	}
	if heard, _ := apis["partner"].counts(); len(heard) != 10 {
		t.Errorf("the partner heard %q, want ten", heard)
	}
}

func TestAPIThatIsAwayForAMomentHearsOfItAllTheSame(t *testing.T) {
	tasks := tasktest.NewRecorder(t, config())
	s, apis, url, stop := start(t, tasks, map[string]int{"crm": 0})
	apis["crm"].mu.Lock()
	apis["crm"].away = 2
	apis["crm"].mu.Unlock()
	if got := send(t, url, "event", s.sign([]byte("event"))); got != http.StatusAccepted {
		t.Errorf("got %d, want 202", got)
	}
	if r := tasks.WaitFor("crm"); r.Fate != taskpool.FateSucceeded || r.Attempts != 3 {
		t.Errorf("got %+v, want that the third try succeeded", r)
	}
	if heard, _ := apis["crm"].counts(); len(heard) != 1 {
		t.Errorf("it heard %q, want one", heard)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotSignedIsPassedOnToNobody(t *testing.T) {
	tasks := tasktest.NewRecorder(t, config())
	_, _, url, stop := start(t, tasks, map[string]int{"crm": 0})
	if got := send(t, url, "event", []byte("guessed")); got != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := tasks.Wait().Results; len(got) != 0 {
		t.Errorf("got %v, want no task", got)
	}
}

func TestSenderComesAgainIfNotAllIsAccepted(t *testing.T) {
	tasks := tasktest.NewRecorder(t, taskpool.Config{QueueLimit: 1}) // and one worker: room for two
	s, apis, url, stop := start(t, tasks, map[string]int{"crm": 0, "search": 0, "partner": 0})
	if got := send(t, url, "event", s.sign([]byte("event"))); got != http.StatusServiceUnavailable {
		t.Errorf("got %d, want 503", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	for name, a := range apis {
		if heard, _ := a.counts(); len(heard) != 0 {
			t.Errorf("%s heard %q, want nothing", name, heard)
		}
	}
}
