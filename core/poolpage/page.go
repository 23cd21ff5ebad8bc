package poolpage

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

const (
	fresh       = 450 * time.Millisecond // a picture that is younger is shown to the next who asks
	rest        = 20                     // looking takes one part of so many of the time at most
	unseen      = 50                     // … and noting numbers one part of so many
	pause       = 500 * time.Millisecond // between two events of a stream
	maxStreams  = 256
	writeWithin = 10 * time.Second // a reader that takes longer for an event is let go
)

// A Page shows pools. It is an http.Handler, and safe for use by several goroutines at once. Make it with New.
type Page struct {
	closed  chan struct{}
	close   sync.Once
	streams atomic.Int32

	mu     sync.Mutex // protects what follows
	pools  []*watched
	stored []storedTasks
	timer  *time.Timer
	at     time.Time     // of the latest picture
	took   time.Duration // to look at the pools for it
	data   *data
	main   []byte // the part of the page that changes, made of data
}

// watched is a pool that is shown.
type watched struct {
	name    string
	pool    *taskpool.Pool
	history history
	lanes   lanes

	// The pool's.
	snapshot func(limit int) taskpool.Snapshot
	stats    func() taskpool.Stats
}

// New makes a page that shows nothing yet. It has no goroutine.
func New() *Page { return &Page{closed: make(chan struct{})} }

// Show adds a pool to the page, under a name. From now on the pool's numbers are noted once a second, for the
// pictures of the last minutes, until Close: until then the page keeps the pool alive. A nil pool is ignored.
func (p *Page) Show(name string, pool *taskpool.Pool) {
	if pool == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isClosed() {
		return
	}
	w := &watched{name: name, pool: pool, snapshot: pool.Snapshot, stats: pool.Stats, lanes: lanes{of: pool.Lanes, busiest: []lane{}}}
	w.history.note(time.Now(), pool.Stats())
	p.pools = append(p.pools, w)
	p.at = time.Time{}
	if p.timer == nil {
		p.timer = time.AfterFunc(second, p.note)
	}
}

// ShowStored adds counts of tasks that are kept elsewhere, such as by state in a database, for which riverpool's
// Queue.Counts is made, and the address of a page that tells more of them, such as River UI, which is a program of its own;
// empty if there is none. counts is called while somebody looks, at most once in
// five seconds, on a goroutine of its own and with a context of five seconds; its error is shown, and
// that it panicked. Nobody waits for it: the first look shows none, and one after a pause those of the look before, with
// the time at which they were counted (states_at in JSON). A nil counts is ignored.
func (p *Page) ShowStored(name, link string, counts func(context.Context) (map[string]int, error)) {
	if counts == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stored = append(p.stored, storedTasks{name: name, link: link, counts: counts, latest: &latestCounts{}})
	p.at = time.Time{}
}

// Close ends all streams and the noting of numbers. Give it to http.Server.RegisterOnShutdown: Shutdown waits for open
// responses, and a stream would be one. It does not block, and may be called again. The page can still be asked for.
func (p *Page) Close() {
	p.close.Do(func() { close(p.closed) })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
}

func (p *Page) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// note notes the numbers of all pools, once a second unless that takes long.
func (p *Page) note() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isClosed() {
		return
	}
	now := time.Now()
	for _, w := range p.pools {
		w.history.note(now, w.stats())
	}
	p.timer.Reset(max(second, unseen*time.Since(now)))
}

//go:embed page.html main.html style.css script.js icon.svg
var files embed.FS

var templates = template.Must(template.New("").Funcs(funcs).ParseFS(files, "*.html"))

// picture is what the pools are doing: the latest one, if it is fresh. It is made once for all who ask meanwhile.
func (p *Page) picture() (*data, []byte) {
	p.refreshLanes()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); !p.isFresh(now) {
		d := &data{Time: now.UTC()}
		for _, w := range p.pools {
			d.Pools = append(d.Pools, w.view(now))
		}
		took := time.Since(now)
		for _, s := range p.stored {
			d.Stored = append(d.Stored, s.view(now))
		}
		var b bytes.Buffer
		if err := templates.ExecuteTemplate(&b, "main.html", d); err != nil {
			panic(err) // of the template, not of what it shows: no test would pass
		}
		p.data, p.main, p.at, p.took = d, b.Bytes(), now, took
	}
	return p.data, p.main
}

// isFresh reports whether the latest picture can be shown again. A look holds a pool's lock, and for long if it has very many
// lanes: the longer it took, the longer none follows.
func (p *Page) isFresh(now time.Time) bool {
	return !p.at.IsZero() && now.Sub(p.at) < max(fresh, rest*p.took)
}

// refreshLanes has the lanes read for a picture that is to be made. It does so without the lock: reading them may take long.
func (p *Page) refreshLanes() {
	p.mu.Lock()
	now, pools := time.Now(), p.pools
	if p.isFresh(now) {
		pools = nil
	}
	p.mu.Unlock()
	for _, w := range pools {
		w.lanes.refresh(now)
	}
}

// ServeHTTP serves the page; with ?format=json its numbers, with ?format=events the stream of them.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the page is read only", http.StatusMethodNotAllowed)
		return
	}
	switch format := r.URL.Query().Get("format"); format {
	case "":
		_, main := p.picture()
		h.Set("Content-Type", "text/html; charset=utf-8")
		_ = templates.ExecuteTemplate(w, "page.html", template.HTML(main)) //nolint:gosec // escaped when it was made
	case "main":
		_, main := p.picture()
		h.Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(main)
	case "json":
		d, _ := p.picture()
		h.Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(d) // fails if the client has gone: there is nobody to tell
	case "events":
		p.stream(w, r)
	case "style.css", "script.js", "icon.svg":
		http.ServeFileFS(w, r, files, format)
	default:
		http.Error(w, "format is json, or nothing", http.StatusBadRequest)
	}
}

// stream sends the changing part of the page as server-sent events, until the reader has gone or reads too slowly.
// A reader that misses some is sent the newest: nothing waits for it.
func (p *Page) stream(w http.ResponseWriter, r *http.Request) {
	// An adapter that makes a response of this handler's for another kind of server keeps all of it until the handler
	// has returned, and its Flush does nothing and says so to nobody (fasthttpadaptor/adaptor.go, fasthttp v1.51): the
	// script asks now and then instead.
	if r.Context().Value(http.ServerContextKey) == nil {
		http.Error(w, "no stream but of a net/http server", http.StatusNotImplemented)
		return
	}
	defer p.streams.Add(-1)
	if p.streams.Add(1) > maxStreams || p.isClosed() {
		http.Error(w, "there are too many who follow the page; it can still be loaded", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep it
	if r.Method == http.MethodHead {
		return
	}
	c := http.NewResponseController(w)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		_, main := p.picture()
		_ = c.SetWriteDeadline(time.Now().Add(writeWithin)) // also instead of the server's WriteTimeout, which would end the stream
		if _, err := w.Write(event(main)); err != nil || c.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-p.closed:
			return
		case <-tick.C:
		}
	}
}

// event is text as one server-sent event: each line is a field.
func event(text []byte) []byte {
	b := []byte("retry: 1000\n")
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		b = append(append(append(b, "data: "...), bytes.TrimRight(line, "\r")...), '\n')
	}
	return append(b, '\n')
}
