// Command picture makes the pictures of the page of tasks that the README shows: it serves the page of a pool with work of
// every kind, looks at it with a browser, and writes page-light.png and page-dark.png into a directory.
//
//	go run ./internal/picture ../core/doc
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/chromedp/chromedp"
	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/poolpage"
	"github.com/elite-libs/taskpool/examples/internal/browser"
)

// history is for how long the pool works before it is looked at.
const history = 45 * time.Second

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "picture: give the directory to write to")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string) error {
	path, err := browser.Find()
	if err != nil {
		return err
	}
	pool := taskpool.New(taskpool.Config{
		Workers: 8, Logger: slog.New(slog.DiscardHandler),
		Lanes: map[string]taskpool.Lane{"bank": {Limit: 2}, "mail": {Rate: 7, Per: time.Second}, "geo": {}},
	})
	page := poolpage.New()
	defer page.Close()
	page.Show("orders", pool)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: page, ReadHeaderTimeout: time.Second}
	defer srv.Close()
	go func() { _ = srv.Serve(ln) }()

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go work(ctx, pool)
	time.Sleep(history)

	tab, end := browser.Open(ctx, path, 1100, 900)
	defer end()
	if err := chromedp.Do(tab, chromedp.Navigate("http://"+ln.Addr().String())); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	if err := browser.Until(within, `document.getElementById("state").textContent === "Live"`); err != nil {
		return err
	}
	if _, err := chromedp.Run(tab, chromedp.Evaluate[bool](`source.close(), true`)); err != nil { // both are of one moment, and of its length
		return err
	}
	for _, scheme := range []string{"light", "dark"} {
		png, err := browser.Picture(tab, scheme)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "page-"+scheme+".png"), png, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// work has requests come in, as in a shop.
func work(ctx context.Context, pool *taskpool.Pool) {
	tick := time.NewTicker(130 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		_ = taskpool.Handle(ctx, pool, func(ctx context.Context) error { return order(ctx, n) })
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func order(ctx context.Context, n int) error {
	takes := func(d time.Duration, err error) taskpool.Task {
		return func(context.Context) error {
			time.Sleep(time.Duration(float64(d) * (.5 + rand.Float64())))
			return err
		}
	}
	jobs := []taskpool.Job{
		{Name: "receipt.store", Start: taskpool.StartOnSuccess, Run: takes(40*time.Millisecond, nil)},
		{Name: "bank.charge", Lane: "bank", Priority: taskpool.PriorityHigh, Run: takes(170*time.Millisecond, nil), Retry: taskpool.Backoff(4, 20*time.Second, time.Minute)},
		{Name: "mail.confirm", Lane: "mail", Start: taskpool.StartAfterResponse, Run: takes(80*time.Millisecond, nil)},
	}
	if n%3 == 0 {
		jobs = append(jobs, taskpool.Job{Name: "geo.locate", Lane: "geo", Start: taskpool.StartOnSuccess, Run: locate})
	}
	switch {
	case n%20 == 7:
		jobs[1].Run = takes(300*time.Millisecond, errors.New("the bank answers 503 Service Unavailable"))
	case n%60 == 11:
		jobs = append(jobs, taskpool.Job{Name: "stock.count", Run: takes(20*time.Millisecond, fmt.Errorf("order %d: no such item", n))})
	case n%25 == 3:
		jobs = append(jobs, taskpool.Job{Name: "customer.remind", Delay: 10 * time.Minute, Run: takes(time.Millisecond, nil)})
	case n%30 == 9:
		jobs = append(jobs, taskpool.Job{Name: "report.day", Priority: taskpool.PriorityLow, Run: takes(4*time.Second, nil)})
	}
	return taskpool.FromContext(ctx).Submit(jobs...)
}

// window is that of an API which allows so many calls in it.
var window struct {
	mu   sync.Mutex // protects what follows
	ends time.Time
	left int
}

// locate calls that API, which takes its time and answers what it still allows.
func locate(ctx context.Context) error {
	const limit, per = 20, 8 * time.Second
	time.Sleep(30 * time.Millisecond)
	window.mu.Lock()
	defer window.mu.Unlock()
	if now := time.Now(); now.After(window.ends) {
		window.ends, window.left = now.Add(per), limit
	}
	window.left--
	taskpool.Throttle(ctx, taskpool.RateLimit{Name: "calls", Limit: limit, Remaining: max(window.left, 0), Reset: window.ends, Per: per, Refused: window.left < 0})
	return nil
}
