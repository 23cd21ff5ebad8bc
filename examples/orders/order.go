package orders

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	MaxBody     = 16 << 10  // bytes of a request body
	MaxText     = 100       // bytes of a name
	MaxQuantity = 1_000_000 // pieces that anyone can mean
	Stock       = 1000      // pieces of any item that can be delivered
)

// Order is what a customer asks for.
type Order struct {
	Customer string `json:"customer"`
	Item     string `json:"item"`
	Quantity int    `json:"quantity"`
}

// Error is a request that cannot be served as it is, for a reason that the client may know.
type Error struct {
	Status int // of the HTTP response
	Reason string
}

func (e *Error) Error() string { return "orders: " + e.Reason }

func badRequest(format string, args ...any) error {
	return &Error{Status: http.StatusBadRequest, Reason: fmt.Sprintf(format, args...)}
}

// Decode reads one order, as JSON, to the end of r. It reads no more than [MaxBody] bytes and one.
// Every error is an [*Error]: 413 for a body that is larger, else 400.
func Decode(r io.Reader) (Order, error) {
	body, err := io.ReadAll(io.LimitReader(r, MaxBody+1))
	switch {
	case err != nil:
		return Order{}, badRequest("the body could not be read: %v", err)
	case len(body) > MaxBody:
		return Order{}, &Error{Status: http.StatusRequestEntityTooLarge, Reason: fmt.Sprintf("the body is larger than %d bytes", MaxBody)}
	case !utf8.Valid(body): // encoding/json would put U+FFFD in place of what the customer wrote
		return Order{}, badRequest("the body is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var o Order
	if err := dec.Decode(&o); err != nil {
		return Order{}, badRequest("the body is not an order: %s", explain(err))
	}
	if _, err := dec.Token(); err != io.EOF {
		return Order{}, badRequest("the body goes on after the order")
	}
	return o, o.validate()
}

// explain says in the client's words what encoding/json says in Go's.
func explain(err error) string {
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return "it is empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	case errors.As(err, &mismatch) && mismatch.Field != "":
		return fmt.Sprintf("%s cannot be a %s", mismatch.Field, mismatch.Value)
	case errors.As(err, &mismatch):
		return fmt.Sprintf("it is a JSON %s", mismatch.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

func (o Order) validate() error {
	if err := validateText("customer", o.Customer); err != nil {
		return err
	}
	if err := validateText("item", o.Item); err != nil {
		return err
	}
	if o.Quantity < 1 || o.Quantity > MaxQuantity {
		return badRequest("quantity must be from 1 to %d", MaxQuantity)
	}
	return nil
}

func validateText(field, s string) error {
	if strings.TrimSpace(s) == "" {
		return badRequest("%s is missing", field)
	}
	if len(s) > MaxText {
		return badRequest("%s is longer than %d bytes", field, MaxText)
	}
	// A line break would let a customer write lines of the receipt.
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return badRequest("%s has a character that cannot be printed", field)
	}
	return nil
}
