// Package sound sees to errors that panic when they are asked, as a nil pointer in an error interface may: their
// panic would come where a hook, a Retry, a logger or the reader of a report asks what they are.
package sound

import (
	"errors"
	"fmt"
)

// Error is err itself if its methods can be called: Error, and Is, As and Unwrap down its tree. Else it is an error with
// the text that package fmt has for it, which says so.
func Error(err error) (is error) {
	if err == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			is = fmt.Errorf("%v (a %T, which panicked when it was asked: %v)", err, err, v) //nolint:errorlint // its As may be what panics
		}
	}()
	_ = err.Error()
	_ = errors.Is(err, errNothing)
	_ = errors.As(err, new(nothing))
	return err
}

type nothing struct{ error } // no error is one

var errNothing = errors.New("nothing")
