package riverpool

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/riverqueue/river"
)

// Config configures a Queue. The zero value of each field is its default; a Queue
// that is to work stored tasks needs Tasks.
type Config struct {
	Source  taskpool.Source // of the in-memory tasks, for Begin and Done; nil means taskpool.Default(). Not a taskpool.Hold: hold the Queue instead
	Tasks   []Definition    // what this process works; none means that it only stores
	Workers int             // stored tasks of the default queue that run at once in this process; 0 means 20
	Queues  map[string]int  // other queues that this process works, and how many tasks of each run at once in it

	// Timeout of one run of a stored task that has none of its own; 0 means 1 minute.
	// What a crash cut starts again when the longest Timeout of Tasks and 30 s have
	// passed since it began, looked for every 30 s: who works it cannot be asked.
	Timeout time.Duration

	// Hold is when a task that OnSuccess stored starts if the process dies before the
	// outcome of the request is known; 0 means 1 minute. It must be longer than any
	// request takes: a task whose Hold has passed starts before the response.
	Hold time.Duration

	// Sole says that no other process works this database, as with SQLite. Then
	// Start has what a crash left running start again at once, once more at least
	// whatever Options.Attempts says, and a Job of a task that is not in Tasks is
	// refused. With two such processes, tasks run twice.
	Sole bool

	Schema string              // of River's tables in Postgres; it must exist. Empty means the connection's search_path
	Logger *slog.Logger        // a task that ends without success at Error, one that Done cut at Warn, another run at Debug, each with the task's context; River's own from Warn on. nil means slog.Default()
	Hooks  taskpool.Hooks      // Run around every run of a stored task, Retried before another, Ended once when it has no more; Refused and Drained are for pools, which have their own
	Carry  Carrier             // what of a context is stored with a task, such as its trace; nil means nothing
	River  func(*river.Config) // changes what River is configured with, which wins over all of the above
}

// A Carrier takes what is to be stored with a task from the context of the call
// that stores it, and puts it into the context of each run. Extract gets what
// Inject returned; it is not called if that was empty.
type Carrier interface {
	Inject(ctx context.Context) map[string]string
	Extract(ctx context.Context, stored map[string]string) context.Context
}

const (
	defaultWorkers  = 20
	defaultAttempts = river.MaxAttemptsDefault
	defaultTimeout  = time.Minute
	defaultHold     = time.Minute

	// rescueMargin is what a run may take to return after its timeout, before another
	// process takes it for one that a crash cut.
	rescueMargin = 30 * time.Second
)

// sum is a + b, both of which are 0 or more, or as long as there is.
func sum(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// withDefaults replaces the values that mean a default, or says what is wrong.
func (c Config) withDefaults() (Config, error) {
	if c.Source == nil {
		c.Source = taskpool.Default()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Workers = cmp.Or(c.Workers, defaultWorkers)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.Hold = cmp.Or(c.Hold, defaultHold)
	_, held := c.Source.(interface{ Free() })
	fault := ""
	switch {
	case isNil(c.Source):
		fault = "Source is a nil pointer"
	case held:
		fault = "Source is a Hold: give that the Queue, not the Queue that"
	case c.Timeout < 0:
		fault = fmt.Sprintf("a negative Timeout, %v", c.Timeout)
	case c.Hold < 0:
		fault = fmt.Sprintf("a negative Hold, %v", c.Hold)
	case len(c.Tasks) == 0 && (len(c.Queues) > 0 || c.Sole):
		fault = "Queues or Sole without Tasks"
	}
	seen := map[string]bool{}
	for _, t := range c.Tasks {
		if fault != "" {
			break
		}
		if t == nil {
			fault = "a nil Task"
			break
		}
		switch d := t.definition(); {
		case d.fault() != "":
			fault = d.fault()
		case d.call == nil:
			fault = fmt.Sprintf("task %s has no function to run", d.name)
		case seen[d.name]:
			fault = fmt.Sprintf("two tasks have the name %s", d.name)
		default:
			seen[d.name] = true
		}
	}
	if fault != "" {
		return c, fmt.Errorf("%w: %s", ErrConfig, fault)
	}
	return c, nil
}

// river returns what River is configured with, but for the workers.
func (c *Config) river() *river.Config {
	longest := c.Timeout
	for _, t := range c.Tasks {
		longest = max(longest, t.definition().options.Timeout)
	}
	rc := &river.Config{
		Schema: c.Schema, Logger: slog.New(warnings{c.Logger.Handler()}),
		JobTimeout: c.Timeout, RescueStuckJobsAfter: sum(longest, rescueMargin),
		// Processes differ in what they know: while a new version is rolled out, and where
		// some only store.
		FetchOnlyKnownKinds: true, SkipUnknownJobCheck: true,
		FetchCooldown: 20 * time.Millisecond, FetchPollInterval: 250 * time.Millisecond,
	}
	if len(c.Tasks) > 0 {
		rc.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: c.Workers}}
		for name, n := range c.Queues {
			rc.Queues[name] = river.QueueConfig{MaxWorkers: n}
		}
	}
	return rc
}

// warnings is a log handler without what River tells of its ordinary work.
type warnings struct{ slog.Handler }

func (h warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}
func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs)}
}
func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }

// isNil reports whether v is a nil pointer or interface.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}
