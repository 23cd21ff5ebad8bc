package poolpage_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/poolpage"
)

func nop(context.Context) error { return nil }

func get(page http.Handler, url string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	page.ServeHTTP(w, served(url))
	return w
}

// served is a request as a server of net/http hands it on.
func served(url string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, url, nil)
	return r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, new(http.Server)))
}

func submit(t *testing.T, p *taskpool.Pool, jobs ...taskpool.Job) {
	t.Helper()
	if err := p.Submit(jobs...); err != nil {
		t.Fatal(err)
	}
}

var label = regexp.MustCompile(` data-is="[^"]*"`)

// unlabeled is a page without what a narrow one says of each cell.
func unlabeled(body string) string { return label.ReplaceAllString(body, "") }

// busy is a pool with something of everything, and what ends it.
func busy(t *testing.T) (p *taskpool.Pool, end func()) {
	p = taskpool.New(taskpool.Config{Workers: 2, Logger: slog.New(slog.DiscardHandler), Lanes: map[string]taskpool.Lane{"bank": {Limit: 1}, "mail": {Rate: 1, Per: time.Hour}}})
	gate := make(chan struct{})
	submit(t, p,
		taskpool.Job{Name: "<b>bold</b>", Priority: taskpool.PriorityHigh, Lane: "bank", Run: func(context.Context) error { <-gate; return nil }},
		taskpool.Job{Name: "bad", Run: func(context.Context) error { return errors.New("<script>alert(1)</script>") }},
		taskpool.Job{Name: "panics", Run: func(context.Context) error { panic("oh") }},
		taskpool.Job{Name: "again", Retry: hourly, Run: func(context.Context) error { return errors.New("not yet") }},
		taskpool.Job{Name: "a/b.c", Delay: time.Hour, Run: nop},
		taskpool.Job{Delay: time.Hour, Run: nop},
		taskpool.Job{Name: "letter", Lane: "mail", Run: nop},
		taskpool.Job{Name: "letter", Lane: "mail", Run: nop},
		taskpool.Job{Name: "transfer", Lane: "bank", Run: nop},
	)
	return p, func() { close(gate) }
}

func hourly(int, error) (wait time.Duration, again bool) { return time.Hour, true }

func TestPageWithoutJavaScriptIsAPictureThatEscapesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, end := busy(t)
		synctest.Wait()
		page := poolpage.New()
		page.Show("orders & <more>", p)
		w := get(page, "/tasks")
		body := unlabeled(w.Body.String())
		for _, want := range []string{
			"orders &amp; &lt;more&gt;", "&lt;b&gt;bold&lt;/b&gt;</td>", ">poolpage_test.nop</td>", ">a/b.c</td>", "&lt;script&gt;alert(1)", "the task panicked: oh",
			"its next run", "its delay", "held by its lane", "a worker, or room in its lane", "not yet", "<td>bank</td>",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("the page has no %q", want)
			}
		}
		for _, bad := range []string{"<b>bold", "<script>", "style=", "onclick", "http://", "https://"} {
			if strings.Contains(body, bad) {
				t.Errorf("the page has %q", bad)
			}
		}
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self';") || strings.Contains(csp, "unsafe") {
			t.Errorf("got the policy %q", csp)
		}
		end()
		page.Close()
	})
}

func TestJSONHasTheNumbersOfTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, end := busy(t)
		synctest.Wait()
		page := poolpage.New()
		page.Show("orders", p)
		time.Sleep(10 * time.Second)
		var got struct {
			Pools []struct {
				Name  string
				Stats struct {
					Running, Queued, Retrying, Delayed, Retried, Succeeded int
				}
				Running, Waiting []struct {
					Name, State, Lane, Error string
					Attempt                  int
					Ran                      float64
				}
				Lanes    []struct{ Name string }
				Failures []struct {
					Name, Fate, Error string
					Attempts          int
				}
				History []struct{ Running, Waiting int }
			}
		}
		w := get(page, "/tasks?format=json")
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		pool := got.Pools[0]
		want := "{1 2 1 2 1 1} <b>bold</b> running bank 10 [letter transfer] 2 failures, 10 notes, 6 run or wait"
		var queued []string
		for _, w := range pool.Waiting {
			if w.State == "queued" {
				queued = append(queued, w.Name)
			}
		}
		r := pool.Running[0]
		if got := fmt.Sprint(pool.Stats, r.Name, " ", r.State, " ", r.Lane, " ", r.Ran, " ", queued, " ", len(pool.Failures), " failures, ", len(pool.History),
			" notes, ", len(pool.Running)+len(pool.Waiting), " run or wait"); sorted(got) != sorted(strings.Replace(want, "} <", "}<", 1)) {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		end()
		page.Close()
	})
}

// sorted forgives which of two lanes is listed first.
func sorted(s string) string { return strings.ReplaceAll(s, "[transfer letter]", "[letter transfer]") }

// The pool is looked at once for all who ask: with a pool that is looked at, its lock
// is taken.
func TestPictureIsSharedWhileItIsFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := taskpool.New(taskpool.Config{})
		page := poolpage.New()
		page.Show("orders", p)
		first := get(page, "/?format=json").Body.String()
		p.Pause()
		submit(t, p, taskpool.Job{Name: "new", Run: nop})
		time.Sleep(400 * time.Millisecond)
		if got := get(page, "/?format=json").Body.String(); got != first {
			t.Error("a fresh picture was made anew")
		}
		time.Sleep(100 * time.Millisecond)
		if got := get(page, "/?format=json").Body.String(); !strings.Contains(got, `"new"`) {
			t.Error("a picture of half a second ago was shown")
		}
		page.Close()
	})
}

func TestWithoutReadersNothingButATimerIsLeftAndCloseEndsThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := poolpage.New()
		page.Show("orders", taskpool.New(taskpool.Config{}))
		page.Show("none", nil)
		time.Sleep(10 * time.Minute)
		page.Close()
		page.Close()
		if w := get(page, "/"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<h2>orders</h2>") {
			t.Errorf("once closed: got %d", w.Code)
		}
		if w := get(page, "/?format=events"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("a stream once closed: got %d", w.Code)
		}
	})
}

func TestPageIsReadOnly(t *testing.T) {
	page := poolpage.New()
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest(method, "/", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: got %d", method, w.Code)
		}
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?format=events", nil))
	if w.Code != http.StatusNotImplemented {
		t.Errorf("a stream of another kind of server: got %d", w.Code)
	}
	if w := get(page, "/?format=xml"); w.Code != http.StatusBadRequest {
		t.Errorf("got %d", w.Code)
	}
	for _, file := range []string{"style.css", "script.js", "icon.svg"} {
		w := get(page, "/tasks?format="+file)
		if w.Code != http.StatusOK || w.Body.Len() == 0 || strings.Contains(w.Header().Get("Content-Type"), "html") {
			t.Errorf("%s: got %d, %s", file, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

// events gives the text of each event of a stream.
func events(t *testing.T, body io.Reader) func() (string, bool) {
	lines := bufio.NewScanner(body)
	return func() (string, bool) {
		var text strings.Builder
		for lines.Scan() {
			if lines.Text() == "" {
				return text.String(), true
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				text.WriteString(data + "\n")
			}
		}
		return "", false
	}
}

func TestStreamFollowsOutlivesTheWriteTimeoutAndEndsWithClose(t *testing.T) {
	p := taskpool.New(taskpool.Config{})
	page := poolpage.New()
	page.Show("orders", p)
	srv := httptest.NewUnstartedServer(page)
	srv.Config.WriteTimeout = 600 * time.Millisecond
	srv.Config.RegisterOnShutdown(page.Close)
	srv.Start()
	answer, err := http.Get(srv.URL + "/?format=events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	next := events(t, answer.Body)
	if text, ok := next(); !ok || !strings.Contains(text, "<h2>orders</h2>") {
		t.Fatalf("got %q", text)
	}
	gate := make(chan struct{})
	submit(t, p, taskpool.Job{Name: "begun", Run: func(context.Context) error { <-gate; return nil }})
	begun := time.Now()
	for text := ""; !strings.Contains(text, "begun"); {
		var ok bool
		if text, ok = next(); !ok {
			t.Fatal("the stream has ended")
		}
	}
	if took := time.Since(begun); took > 5*time.Second { // half a second on an idle machine
		t.Errorf("shown after %v", took)
	}
	for range 4 { // two seconds
		if _, ok := next(); !ok {
			t.Fatal("the stream has ended")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := srv.Config.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	close(gate)
}

// Readers that never read must neither hold the pool nor each other up.
func TestReadersThatDoNotReadHarmNobody(t *testing.T) {
	p := taskpool.New(taskpool.Config{QueueLimit: -1})
	page := poolpage.New()
	page.Show("orders", p)
	defer page.Close()
	var readers sync.WaitGroup
	refused := make(chan int, 300)
	blocked := make(chan struct{})
	for range 300 {
		readers.Go(func() {
			w := &stuck{ResponseRecorder: httptest.NewRecorder(), blocked: blocked}
			page.ServeHTTP(w, served("/?format=events"))
			refused <- w.Code
		})
	}
	over := 0
	for range 300 - 256 { // the rest is stuck
		if code := <-refused; code == http.StatusServiceUnavailable {
			over++
		}
	}
	if over != 300-256 {
		t.Errorf("%d were refused, want 44", over)
	}
	for range 1000 {
		if err := p.Add(nop); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := p.Drain(t.Context()); err != nil || r.Succeeded != 1000 {
		t.Errorf("got %+v, %v", r, err)
	}
	if w := get(page, "/"); w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
	close(blocked)
	readers.Wait()
}

// stuck is a reader that reads nothing: a write does not return.
type stuck struct {
	*httptest.ResponseRecorder
	blocked chan struct{}
}

func (s *stuck) Write(b []byte) (int, error) {
	if s.Code == http.StatusServiceUnavailable {
		return s.ResponseRecorder.Write(b)
	}
	<-s.blocked
	return 0, errors.New("gone")
}

func TestStoredTasksAreShownWithoutWaitingForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := poolpage.New()
		var asked int
		page.ShowStored("river", "https://example.com/riverui", func(ctx context.Context) (map[string]int, error) {
			asked++
			time.Sleep(time.Second)
			if asked > 1 {
				return nil, errors.New("the database is away")
			}
			return map[string]int{"available": 3, "retryable": 1}, ctx.Err()
		})
		first := time.Now().UTC()
		if body := get(page, "/?format=json").Body.String(); !strings.Contains(body, `"states":[]`) || strings.Contains(body, "states_at") {
			t.Errorf("before they are counted: got %s", body)
		}
		time.Sleep(2 * time.Second)
		if body, want := get(page, "/?format=json").Body.String(), `"states_at":"`+first.Format(time.RFC3339Nano)+`"`; !strings.Contains(body, want) {
			t.Errorf("got %s, want %s", body, want)
		}
		body := get(page, "/").Body.String()
		if !strings.Contains(body, "<dt>available</dt><dd>3</dd>") || !strings.Contains(body, `href="https://example.com/riverui"`) {
			t.Errorf("got %s", body)
		}
		time.Sleep(5 * time.Second)
		get(page, "/")
		time.Sleep(2 * time.Second)
		body = get(page, "/").Body.String()
		if !strings.Contains(body, "the database is away") || !strings.Contains(body, "<dt>available</dt><dd>3</dd>") {
			t.Errorf("got %s", body)
		}
		if asked != 2 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestCountingOfStoredTasksThatMisbehavesHarmsNobody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		counts func(context.Context) (map[string]int, error)
		want   string
	}{
		{"panic", func(context.Context) (map[string]int, error) { panic("oh") }, "the counting panicked: oh"},
		{"goexit", func(context.Context) (map[string]int, error) { runtime.Goexit(); return nil, nil }, "the counting called runtime.Goexit"},
		{"nil", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				page, asked := poolpage.New(), 0
				counts := tt.counts
				if counts != nil {
					counts = func(ctx context.Context) (map[string]int, error) { asked++; return tt.counts(ctx) }
				}
				page.ShowStored("river", "", counts)
				for range 3 { // and it is asked again
					get(page, "/")
					time.Sleep(6 * time.Second)
				}
				if body := get(page, "/").Body.String(); !strings.Contains(body, tt.want) || strings.Contains(body, "river") != (tt.want != "") {
					t.Errorf("got %s, want %q", body, tt.want)
				}
				synctest.Wait()
				if want := 4; tt.counts != nil && asked != want {
					t.Errorf("asked %d times, want %d", asked, want)
				}
			})
		})
	}
}

func TestALongErrorIsCutBetweenCharacters(t *testing.T) {
	p, page := taskpool.New(taskpool.Config{Logger: slog.New(slog.DiscardHandler)}), poolpage.New()
	defer page.Close()
	page.Show("pool", p)
	if err := p.Add(func(context.Context) error { return errors.New("x" + strings.Repeat("é", 500)) }); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"/", "/?format=json"} {
		if body := get(page, format).Body.String(); !utf8.ValidString(body) || strings.ContainsRune(body, utf8.RuneError) || strings.Contains(body, `\ufffd`) || !strings.Contains(body, "é…") {
			t.Errorf("%s: got %s", format, body)
		}
	}
}
