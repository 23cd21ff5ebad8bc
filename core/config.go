package taskpool

import (
	"context"
	"log/slog"
	"time"
)

// Config configures a pool. Every value is valid; the zero Config is a usable
// default. A pool takes a copy: what is changed later has no effect on it.
type Config struct {
	Name       string          // in logs; default empty
	Workers    int             // tasks that run at once; 0 or less means 4
	QueueLimit int             // tasks that wait: queued, staged, delayed, for a retry; 0 means 10 000, negative means no limit
	Timeout    time.Duration   // of one run of one task, unless its Job says otherwise; 0 or less means none
	Lanes      map[string]Lane // limits of named lanes; New takes a copy

	// NewLane gives the limits of a lane that is not in Lanes, such as one for each
	// tenant or host. It is called as a job is submitted to a lane that is not there,
	// by several goroutines at once and without a lock, and is to give the same for a
	// name each time: a lane of which nothing is left is forgotten. nil means that
	// such a lane has no limit of its own; if Lanes has any, the first is logged.
	NewLane func(name string) Lane

	Results     Results       // which results a Report keeps; default KeepErrors
	ResultLimit int           // how many results a Report keeps; counts are exact; 0 means 100, negative none
	Grace       time.Duration // how long after the handler's return the end of the response is waited for before staged tasks start all the same; for what a task stages later, when nothing was staged before, it counts from then; 0 or less means 5 s
	Logger      *slog.Logger  // a task's failure at Error, and that Done cut it short, up to a hundred; a task that overran its timeout at Warn, another run at Debug, each with the task's context; nil means slog.Default()
	Hooks       Hooks         // what is called as tasks run and end; default none
}

// Hooks let a caller observe tasks. A nil func costs nothing. Hooks are called
// by several goroutines at once, never under the pool's lock and never on the
// goroutine that releases a scope, which is a connection's. A hook that panics
// harms nobody: the panic is logged. A hook that blocks keeps a worker busy. A
// hook that waits for the pool or the scope it was called for waits for itself.
type Hooks struct {
	// Run is called around every run of every task: a tracing span fits in. It
	// is to call next once, with its ctx or one derived from it, and to return
	// next's error, or another that is to count instead. A second call of next
	// gives the first one's error. If Run panics before it calls next, the task
	// is run all the same; if it panics afterwards, next's error stands; if it
	// never calls next, the task does not run and Run's error counts. Where the task
	// panics next returns a *PanicError: that stays the task's fate whatever Run
	// returns. A runtime.Goexit passes through Run, and stays it too. next may be called on
	// a goroutine of the hook's, which then is what a Goexit ends, and is waited for
	// if Run returns before it. When Run has returned, a first call of next runs
	// nothing and gives an error.
	Run func(ctx context.Context, name string, next Task) error

	// Retried is called after a run that failed and is to be followed by another,
	// wait after its end, with the context that Ended would get; RunOf tells more of
	// the run. A Done meanwhile may end the task without that other run.
	Retried func(ctx context.Context, name string, err error, wait time.Duration)

	// Refused is called when tasks were not accepted (ErrOverloaded, ErrDone,
	// ErrScopeClosed), with all of one call's, on the goroutine of that call and
	// before it returns. The context has the values that the tasks would have had.
	Refused func(ctx context.Context, jobs []Job, err error)

	// Ended is called once for each accepted task, before any Drain or Done that
	// counts the task returns. The context has the values of the one that Run gave to
	// next, in the task's last run, so that what is logged with it belongs to that
	// run's span; without a Run it is the task's.
	Ended func(ctx context.Context, r Result)

	// Drained is called once for each scope that had tasks, when the response
	// has been sent and the last task has ended. The context has the values of
	// the one that the request began with. What inner middleware and the handler
	// have put into theirs it has not: the tasks of one scope may come from
	// several such contexts, and a request has none that is the handler's.
	Drained func(ctx context.Context, r Report)
}

const (
	defaultWorkers     = 4
	defaultQueueLimit  = 10_000
	defaultResultLimit = 100
	defaultGrace       = 5 * time.Second

	// More than these is as good as no limit, and so much that sums of them, and of
	// what there is, are numbers still. The counts of a scope have 32 bits.
	maxWorkers = 1 << 30
	maxQueue   = 1 << 30
)

// withDefaults replaces the values that mean a default.
func (c Config) withDefaults() Config {
	if c.Workers <= 0 {
		c.Workers = defaultWorkers
	}
	if c.QueueLimit == 0 {
		c.QueueLimit = defaultQueueLimit
	}
	c.Workers, c.QueueLimit = min(c.Workers, maxWorkers), min(c.QueueLimit, maxQueue)
	if c.ResultLimit == 0 {
		c.ResultLimit = defaultResultLimit
	}
	c.ResultLimit = max(c.ResultLimit, 0)
	if c.Grace <= 0 {
		c.Grace = defaultGrace
	}
	return c
}
