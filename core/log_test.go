package taskpool_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// Names, errors and panics may come from outside, a header's value say: they are
// attributes of a record, so that nothing in them makes a line of the log.
func TestNothingOfATaskForgesALineOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const forged = "x\nlevel=ERROR msg=forged\r\x1b[2K"
		var text bytes.Buffer
		p := taskpool.New(taskpool.Config{Name: forged, Logger: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		fails := errors.New(forged)
		must(t, p.Submit(taskpool.Job{Name: forged, Run: func(context.Context) error { return fails }, Retry: taskpool.Backoff(2, time.Second, time.Second)}))
		drain(t, p)
		must(t, p.Submit(taskpool.Job{Name: forged, Run: func(context.Context) error { panic(forged) }}))
		drain(t, p)
		must(t, p.Submit(taskpool.Job{Name: forged, Timeout: time.Second, Run: sleeping(time.Minute)}))
		drain(t, p)
		synctest.Wait() // the overrun is logged by a goroutine of its own
		lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
		equal(t, "lines: a retry, a failure, a panic, an overrun", len(lines), 4)
		for _, line := range lines {
			if !strings.HasPrefix(line, "time=") || strings.ContainsAny(line, "\r\x1b") {
				t.Errorf("got the line %q", line)
			}
		}
	})
}
