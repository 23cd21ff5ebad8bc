package riverpool

import (
	"errors"
	"fmt"
	"strings"
)

// The errors of making a Queue and of storing. Compare with errors.Is: they come
// wrapped in a text that says more. Whichever it is, nothing was stored.
//
// Other errors are those of package taskpool: ErrNoScope, ErrScopeClosed,
// ErrOverloaded and ErrDone from OnSuccess, ErrDone from Start, ErrNilTask.
var (
	// ErrConfig is New's error for a Config that cannot work.
	ErrConfig = errors.New("riverpool: bad Config")

	// ErrBadJob refuses a Job that no Task made, or whose Priority, Delay, queue or
	// task name cannot be stored.
	ErrBadJob = errors.New("riverpool: bad Job")

	// ErrArgs refuses arguments that cannot be stored: they must encode to a JSON
	// object, without the character U+0000.
	ErrArgs = errors.New("riverpool: bad arguments")

	// ErrUnknownTask refuses a Job of a Task that is not in Config.Tasks, where
	// Config.Sole says that no other process would work it.
	ErrUnknownTask = errors.New("riverpool: unknown task")

	// ErrUnique refuses a unique task in OnSuccess: another request would rely on a
	// task that the failure of this one deletes. Submit and SubmitTx take it.
	ErrUnique = errors.New("riverpool: a unique task cannot wait for an outcome: use Submit or SubmitTx")

	// ErrNotMigrated means that River's tables are not there, or are those of an
	// older version: call Migrate.
	ErrNotMigrated = errors.New("riverpool: the database is not migrated: call Migrate")

	// ErrDatabase means that the database did not take it: it is away, closed, or
	// refuses. A server answers 503 to it. If the connection broke at the moment of
	// the commit, nobody can know: then a task that was not promised may run.
	ErrDatabase = errors.New("riverpool: the database did not take it")
)

var (
	errNoQueue  = fmt.Errorf("%w: not a Queue: make one with New", ErrConfig)
	errNoTx     = fmt.Errorf("%w: nil transaction", ErrBadJob)
	errNoObject = fmt.Errorf("%w: they must be a struct or a map, which are stored as a JSON object", ErrArgs)
	errNul      = fmt.Errorf("%w: the character U+0000 cannot be stored in Postgres", ErrArgs)
)

// databaseError says what an error of the database means. SQLSTATEs are those of
// Postgres (appendix A of its manual), whose drivers have the method SQLState;
// SQLite has only the text.
func databaseError(err error) error {
	var state interface{ SQLState() string }
	switch text := err.Error(); {
	case errors.As(err, &state):
		switch code := state.SQLState(); {
		case code == "42P01", code == "42703", code == "3F000": // undefined table, column, schema
			return fmt.Errorf("%w: %w", ErrNotMigrated, err)
		case strings.HasPrefix(code, "22"): // data exception, such as half of a surrogate pair in JSON
			return fmt.Errorf("%w: %w", ErrArgs, err)
		}
	case strings.Contains(text, "no such table: "), strings.Contains(text, "has no column named "), strings.Contains(text, "no such column: "):
		return fmt.Errorf("%w: %w", ErrNotMigrated, err)
	}
	return fmt.Errorf("%w: %w", ErrDatabase, err)
}
