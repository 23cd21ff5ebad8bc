package riverpool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// A Task is a named function whose arguments are stored as JSON. The name is
// stored with them: it outlives the process, and the names of Go's functions and
// types. It is safe for concurrent use. Make it with Define.
type Task[T any] struct {
	name    string
	run     func(context.Context, T) error
	options Options
}

// Options of a Task. The zero value of each field is its default. All but Timeout
// and Retry are stored with each call and hold for it whatever later code says.
type Options struct {
	Attempts int            // runs in total, each that a crash cut counted; 0 means 25. With 1, a crash in the middle of the run may end the task
	Retry    taskpool.Retry // how long until the next run, and whether there is one within Attempts; nil means River's policy, attempt⁴ seconds
	Timeout  time.Duration  // of one run; 0 means Config.Timeout; negative is refused: what has no end cannot be told from what a crash cut
	Queue    string         // which of Config.Queues it waits in; empty means River's default queue, which Config.Workers is for
	Unique   bool           // at most one unfinished task of this name and these arguments: what would be a second one is not stored, without an error
}

// Define names a function. Keep the Task in a package variable, and list it in
// Config.Tasks of the processes that work it. A name is two or more characters of
// letters, digits, _ - . : / < > [ ] + ·, begins with a letter, a digit or _, and
// has less than 128 bytes. run may be nil in a process that only stores the task.
//
// A task runs at least once, and may run twice: when the process dies after the
// work and before the database knows. Keep it idempotent: RowOf(ctx).ID is the
// same in each run.
func Define[T any](name string, run func(ctx context.Context, args T) error, o Options) *Task[T] {
	return &Task[T]{name, run, o}
}

// Job returns a call of the task, to be stored. The arguments are encoded now, so
// that they may be changed afterwards; an error of that is returned by the method
// that stores the Job.
func (t *Task[T]) Job(args T) Job {
	if t == nil {
		return Job{}
	}
	raw, err := json.Marshal(args)
	switch {
	case err != nil:
		err = fmt.Errorf("%w: %w", ErrArgs, err)
	case !bytes.HasPrefix(raw, []byte("{")): // SQLite's JSON functions give true back as 1
		err = errNoObject
	case hasNul(raw):
		err = errNul
	}
	return Job{task: t, raw: raw, err: err}
}

// hasNul reports whether a JSON text has an escaped U+0000, the only form that a
// valid one can have.
func hasNul(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return false
		}
		if bytes.HasPrefix(raw[i+1:], []byte("u0000")) {
			return true
		}
		raw = raw[i+2:] // past what the backslash escapes, which may be a backslash
	}
}

// Name returns what Define was given.
func (t *Task[T]) Name() string { return t.definition().name }

func (t *Task[T]) definition() definition {
	if t == nil {
		return definition{}
	}
	d := definition{name: t.name, options: t.options}
	if t.run != nil {
		d.call = t.call
	}
	return d
}

func (t *Task[T]) call(ctx context.Context, raw []byte) error {
	var args T
	if err := json.Unmarshal(raw, &args); err != nil {
		return fmt.Errorf("%w of %s: %w", ErrArgs, t.name, err)
	}
	return t.run(ctx, args)
}

// A Definition is a *Task[T] of any T.
type Definition interface {
	Name() string
	definition() definition
}

// A definition is a Task without the type of its arguments.
type definition struct {
	name    string
	options Options
	call    func(ctx context.Context, raw []byte) error // nil if there is nothing to run
}

// A Job is a call of a Task, with what is decided for this call alone. A Task
// makes it; the zero Job is refused with ErrBadJob.
type Job struct {
	Priority taskpool.Priority // higher first, within a queue; default PriorityNormal
	Delay    time.Duration     // not before this long after it was stored or, with OnSuccess, after the outcome is known; 0 means none, negative is refused. River looks for what is due every 5 s

	task Definition
	raw  []byte
	err  error
}

// What River takes for names (internal/rivercommon and client.go, v0.51.2).
var (
	kinds  = regexp.MustCompile(`\A\w[\w\-\[\]<>/.·:+]+\z`)
	queues = regexp.MustCompile(`\A[a-z0-9]+([_|\-]?[a-z0-9]+)*\z`)
)

// fault says why a task cannot be stored or worked; empty if it can.
func (d *definition) fault() string {
	o := d.options
	switch {
	case len(d.name) >= 128 || !kinds.MatchString(d.name):
		return fmt.Sprintf("a task cannot have the name %q", d.name)
	case o.Attempts < 0 || o.Attempts > math.MaxInt16:
		return fmt.Sprintf("%s: Attempts of %d", d.name, o.Attempts)
	case o.Timeout < 0:
		return fmt.Sprintf("%s: a negative Timeout, %v", d.name, o.Timeout)
	case o.Queue != "" && (len(o.Queue) > 64 || !queues.MatchString(o.Queue)):
		return fmt.Sprintf("%s: a queue cannot have the name %q", d.name, o.Queue)
	}
	return ""
}

// check refuses what could not be stored as it is meant.
func (j *Job) check() error {
	if j.task == nil {
		return fmt.Errorf("%w: no Task made it", ErrBadJob)
	}
	d := j.task.definition()
	fault := d.fault()
	switch {
	case fault != "":
	case j.err != nil:
		return fmt.Errorf("%w, of task %s", j.err, d.name)
	case j.Priority < taskpool.PriorityLow || j.Priority > taskpool.PriorityHigh:
		fault = fmt.Sprintf("%s: unknown Priority %d", d.name, j.Priority)
	case j.Delay < 0:
		fault = fmt.Sprintf("%s: a negative Delay, %v", d.name, j.Delay)
	}
	if fault != "" {
		return fmt.Errorf("%w: %s", ErrBadJob, fault)
	}
	return nil
}
