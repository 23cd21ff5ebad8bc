package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// A mirror copies repositories from an API that allows so many requests in a window.
type mirror struct {
	api    string       // its URL
	client *http.Client // its Transport is an httppool.Transport
	out    io.Writer    // gets a line for each copy

	mu      sync.Mutex // protects following fields
	copies  map[string]string
	all     int
	reset   int64 // of the window, as the API told it last
	windows int
}

func newMirror(api string, base http.RoundTripper, out io.Writer) *mirror {
	return &mirror{
		api:    api,
		client: &http.Client{Transport: &httppool.Transport{Base: base}},
		out:    out,
		copies: map[string]string{},
	}
}

// run copies the repositories, by at most so many requests at once, and returns when that is done or ctx ends.
func (m *mirror) run(ctx context.Context, repos []string, atOnce int) error {
	pool := taskpool.New(taskpool.Config{
		Name:       "mirror",
		Workers:    atOnce,
		QueueLimit: len(repos),
		Lanes:      map[string]taskpool.Lane{"github": {Limit: atOnce, Queue: -1}}, // a pool that does other things too has more workers
	})
	m.all = len(repos)
	jobs := make([]taskpool.Job, len(repos))
	for i, repo := range repos {
		jobs[i] = taskpool.Job{
			Name:  repo,
			Lane:  "github",
			Retry: taskpool.Backoff(5, time.Second, time.Minute), // of other errors: refusals do not count
			Run:   func(ctx context.Context) error { return m.copy(ctx, repo) },
		}
	}
	if err := pool.Submit(jobs...); err != nil {
		return err
	}
	report, err := pool.Done(ctx)
	if err != nil {
		return err // what waited is canceled, and so is what ran
	}
	return report.Err()
}

// copy is the task: it copies one repository, or says whether it is worth another try.
func (m *mirror) copy(ctx context.Context, repo string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.api+"/repos/"+repo+"/tarball", nil)
	if err != nil {
		return taskpool.Permanent(err)
	}
	resp, err := m.client.Do(req) // by the answer the Transport paces the lane: what else is in it waits
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := httppool.CheckResponse(resp); err != nil {
		return err // for a refusal it says when to come again; a 403 for another reason is an answer
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	m.keep(repo, string(body), resp.Header)
	return nil
}

// keep keeps a copy and prints how far it all is.
func (m *mirror) keep(repo, contents string, h http.Header) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if reset, _ := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); reset > m.reset {
		m.reset = reset
		m.windows++
	}
	m.copies[repo] = contents
	fmt.Fprintf(m.out, "mirrored %2d of %d, window %d: %s\n", len(m.copies), m.all, m.windows, repo)
}
