// Command ratelimit mirrors repositories from an API that refuses more than so many requests in a window, as GitHub's
// does: at full speed as long as the API allows, then not at all until the next window. What to look at:
//
//   - mirror.run: the jobs share a lane.
//   - mirror.copy: the client's httppool.Transport tells the lane what each answer says of the limit. No task sleeps,
//     and no worker is held by one that waits.
//   - httppool.CheckResponse: a 403 or 429 all the same, as in the first burst, when nothing is known yet, is a retry
//     that comes when the API says, and uses up no attempt.
//
// The API is inside the program, on a loopback port (api.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/elite-libs/taskpool/examples/internal/loopback"
)

func main() {
	var (
		repos  = flag.Int("repos", 20, "repositories to mirror")
		quota  = flag.Int("quota", 8, "requests that the API allows in a window")
		window = flag.Duration("window", time.Second, "how long a window of the API is")
		takes  = flag.Duration("takes", 100*time.Millisecond, "how long the API takes to answer")
		atOnce = flag.Int("at-once", 12, "requests that run at once")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, *repos, *atOnce, &api{quota: *quota, window: *window, takes: *takes}); err != nil {
		fmt.Fprintln(os.Stderr, "ratelimit:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, repos, atOnce int, github *api) error {
	if repos < 1 || atOnce < 1 || github.quota < 1 || github.window <= 0 {
		return errors.New("-repos, -at-once, -quota and -window must be more than 0")
	}
	srv, url, err := loopback.Serve(github)
	if err != nil {
		return err
	}
	defer srv.Close()
	m := newMirror(url, http.DefaultTransport, os.Stdout)
	began := time.Now()
	err = m.run(ctx, names(repos), atOnce)
	windows, refused := github.counts()
	fmt.Printf("%d of %d repositories in %d windows, %v; the API refused %d requests\n",
		len(m.copies), repos, windows, time.Since(began).Round(time.Millisecond), refused)
	return err
}

func names(n int) []string {
	repos := make([]string, n)
	for i := range repos {
		repos[i] = fmt.Sprintf("gopher/repo-%02d", i+1)
	}
	return repos
}
