package examples_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A lambdaRuntime is the part of AWS Lambda that a function's process talks to: the Runtime API, and as much of the
// Extensions API as it takes to be told of SIGTERM.
type lambdaRuntime struct {
	*httptest.Server
	queue chan lambdaEvent

	mu      sync.Mutex // protects following fields
	answers map[string]chan lambdaAnswer
	journal []string // what has happened, the partner's part too
}

type lambdaEvent struct {
	id, payload string
	deadline    time.Time
}

type lambdaAnswer struct {
	kind string // response or error
	body string
}

func newLambdaRuntime(t *testing.T) *lambdaRuntime {
	l := &lambdaRuntime{queue: make(chan lambdaEvent), answers: map[string]chan lambdaAnswer{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case e := <-l.queue:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", e.id)
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(e.deadline.UnixMilli(), 10))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:orders")
			_, _ = io.WriteString(w, e.payload)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{kind}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("an answer that breaks off: %v", err)
		}
		id, kind := r.PathValue("id"), r.PathValue("kind")
		l.note(kind + " " + id)
		l.answer(id) <- lambdaAnswer{kind, string(body)}
		w.WriteHeader(http.StatusAccepted)
	})
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "extension")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // it has asked for no events
	})
	l.Server = httptest.NewServer(mux)
	t.Cleanup(l.Close)
	t.Setenv("AWS_LAMBDA_RUNTIME_API", strings.TrimPrefix(l.URL, "http://"))
	return l
}

func (l *lambdaRuntime) answer(id string) chan lambdaAnswer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answers[id] == nil {
		l.answers[id] = make(chan lambdaAnswer, 1)
	}
	return l.answers[id]
}

// invoke gives the function an order. It returns when the function has taken it.
func (l *lambdaRuntime) invoke(t *testing.T, id string, quantity int, deadline time.Time) {
	t.Helper()
	payload := fmt.Sprintf(`{"id":%q,"quantity":%d}`, id, quantity)
	select {
	case l.queue <- lambdaEvent{id, payload, deadline}:
	case <-time.After(patience):
		t.Fatal("the function does not ask for an invocation")
	}
}

// answered waits for the answer to an invocation.
func (l *lambdaRuntime) answered(t *testing.T, id string, want lambdaAnswer) {
	t.Helper()
	select {
	case got := <-l.answer(id):
		if got.kind != want.kind || !strings.Contains(got.body, want.body) {
			t.Errorf("invocation %s: got %+v, want %+v", id, got, want)
		}
	case <-time.After(patience):
		t.Fatalf("invocation %s is not answered", id)
	}
}

func (l *lambdaRuntime) note(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.journal = append(l.journal, what)
}

// checkOrder checks that all of these have happened, once each and in this order.
func (l *lambdaRuntime) checkOrder(t *testing.T, events ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	got := slices.DeleteFunc(slices.Clone(l.journal), func(e string) bool { return !slices.Contains(events, e) })
	if !slices.Equal(got, events) {
		t.Errorf("got %q, want %q", got, events)
	}
}

// happened says whether something has.
func (l *lambdaRuntime) happened(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.journal, what)
}

// A lambdaPartner is what the function's tasks call, as "audit 1" for the audit of order 1.
type lambdaPartner struct {
	called chan string              // receives each call
	hold   map[string]chan struct{} // calls that are not answered before this is closed
}

// newLambdaPartner starts a partner that holds these calls back.
func newLambdaPartner(t *testing.T, l *lambdaRuntime, held ...string) *lambdaPartner {
	p := &lambdaPartner{called: make(chan string, 1000), hold: map[string]chan struct{}{}}
	for _, call := range held {
		p.hold[call] = make(chan struct{})
	}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		call := strings.ReplaceAll(strings.Trim(r.URL.Path, "/"), "/", " ")
		p.called <- call
		if hold := p.hold[call]; hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done(): // the task was canceled
				return
			}
		}
		l.note(call)
	}))
	t.Cleanup(srv.Close)
	t.Setenv("PARTNER", srv.URL)
	return p
}

// await waits until all of these calls have come.
func (p *lambdaPartner) await(t *testing.T, calls ...string) {
	t.Helper()
	late := time.After(patience)
	for len(calls) > 0 {
		select {
		case call := <-p.called:
			calls = slices.DeleteFunc(calls, func(c string) bool { return c == call })
		case <-late:
			t.Fatalf("not called: %q", calls)
		}
	}
}
