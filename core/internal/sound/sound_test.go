package sound_test

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/elite-libs/taskpool/core/internal/sound"
)

// A bad error panics in the method that it is named for.
type bad string

func (b bad) panics(in string) {
	if string(b) == in {
		panic("in " + in)
	}
}
func (b bad) Error() string   { b.panics("Error"); return "bad" }
func (b bad) Is(error) bool   { b.panics("Is"); return false }
func (b bad) As(any) bool     { b.panics("As"); return false }
func (b bad) Unwrap() []error { b.panics("Unwrap"); return []error{io.EOF} }

func TestAnErrorThatCanBeAskedIsItself(t *testing.T) {
	for _, err := range []error{nil, io.EOF, bad("nothing"), fmt.Errorf("wrapped: %w", io.EOF), &url.Error{Op: "Get", Err: io.EOF}, errors.Join(io.EOF, nil)} {
		if got := sound.Error(err); got != err { //nolint:errorlint // itself
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestAnErrorThatPanicsBecomesItsText(t *testing.T) {
	var none *url.Error
	for _, err := range []error{
		none, bad("Error"), bad("Is"), bad("As"), bad("Unwrap"),
		fmt.Errorf("wrapped: %w", bad("Is")), errors.Join(io.EOF, bad("As")), fmt.Errorf("wrapped: %w", none), &url.Error{Op: "Get", Err: none},
	} {
		got := sound.Error(err)
		if errors.Is(got, io.ErrUnexpectedEOF) || !strings.Contains(got.Error(), "panicked when it was asked") {
			t.Errorf("%T became %v", err, got)
		}
	}
}
