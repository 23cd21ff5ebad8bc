package orders_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/elite-libs/taskpool/examples/orders"
)

func TestDecode(t *testing.T) {
	got, err := orders.Decode(strings.NewReader(` {"quantity":3, "item":"thé vert", "customer":"Ada L."} ` + "\n"))
	if want := (orders.Order{Customer: "Ada L.", Item: "thé vert", Quantity: 3}); got != want || err != nil {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	order := func(customer, item, quantity string) string {
		return `{"customer":` + customer + `,"item":` + item + `,"quantity":` + quantity + `}`
	}
	fine := order(`"ada"`, `"tea"`, `1`)
	if _, err := orders.Decode(strings.NewReader(fine)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, body, want string
		status           int
	}{
		{"empty", "", "it is empty", 400},
		{"blank", " \n", "it is empty", 400},
		{"cut", fine[:20], "it ends too early", 400},
		{"no JSON", "customer=ada", "invalid character 'c'", 400},
		{"null", "null", "customer is missing", 400},
		{"array", "[]", "it is a JSON array", 400},
		{"string", `"tea"`, "it is a JSON string", 400},
		{"unknown field", `{"colour":"red"}`, `unknown field "colour"`, 400},
		{"two orders", fine + fine, "goes on after the order", 400},
		{"garbage after", fine + "}", "goes on after the order", 400},
		{"no customer", `{"item":"tea","quantity":1}`, "customer is missing", 400},
		{"blank customer", order(`" "`, `"tea"`, `1`), "customer is missing", 400},
		{"no item", `{"customer":"ada","quantity":1}`, "item is missing", 400},
		{"long item", order(`"ada"`, `"`+strings.Repeat("x", orders.MaxText+1)+`"`, `1`), "item is longer than 100 bytes", 400},
		{"line break", order(`"ada\nQuantity 0"`, `"tea"`, `1`), "customer has a character that cannot be printed", 400},
		{"not UTF-8", order("\"\xff\"", `"tea"`, `1`), "not UTF-8", 400},
		{"no quantity", `{"customer":"ada","item":"tea"}`, "quantity must be from 1 to 1000000", 400},
		{"zero", order(`"ada"`, `"tea"`, `0`), "quantity must be from 1", 400},
		{"negative", order(`"ada"`, `"tea"`, `-1`), "quantity must be from 1", 400},
		{"absurd", order(`"ada"`, `"tea"`, `1000001`), "quantity must be from 1", 400},
		{"beyond int", order(`"ada"`, `"tea"`, `1e999`), "quantity cannot be a number 1e999", 400},
		{"half", order(`"ada"`, `"tea"`, `0.5`), "quantity cannot be a number 0.5", 400},
		{"text for a number", order(`"ada"`, `"tea"`, `"1"`), "quantity cannot be a string", 400},
		{"oversized", fine + strings.Repeat(" ", orders.MaxBody), "larger than 16384 bytes", 413},
		{"oversized garbage", strings.Repeat("x", orders.MaxBody+1), "larger than 16384 bytes", 413},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := orders.Decode(strings.NewReader(tt.body))
			var bad *orders.Error
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want an *orders.Error", err)
			}
			if bad.Status != tt.status || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "orders: ") {
				t.Errorf("got %d %q, want %d and %q", bad.Status, err, tt.status, tt.want)
			}
		})
	}
}

func TestDecodeTakesTheLargestBody(t *testing.T) {
	fine := `{"customer":"ada","item":"tea","quantity":1}`
	body := fine + strings.Repeat(" ", orders.MaxBody-len(fine))
	if _, err := orders.Decode(strings.NewReader(body)); err != nil {
		t.Error(err)
	}
}

func TestDecodeReportsAFailedRead(t *testing.T) {
	gone := errors.New("the client has gone")
	_, err := orders.Decode(io.MultiReader(strings.NewReader(`{"cust`), iotest.ErrReader(gone)))
	var bad *orders.Error
	if !errors.As(err, &bad) || bad.Status != http.StatusBadRequest || !strings.Contains(err.Error(), gone.Error()) {
		t.Errorf("got %v, want a 400 that names %q", err, gone)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"customer":"ada","item":"tea","quantity":1}`)
	f.Add(`{"customer":"a\u0000da","item":"tea","quantity":1e3}`)
	f.Add(`[{"customer":null}]`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := orders.Decode(strings.NewReader(body))
		var bad *orders.Error
		switch {
		case errors.As(err, &bad):
			if bad.Status != 400 && bad.Status != 413 {
				t.Errorf("status %d", bad.Status)
			}
		case err != nil:
			t.Errorf("got %v, want an *orders.Error", err)
		case o.Customer == "" || o.Item == "" || o.Quantity < 1 || o.Quantity > orders.MaxQuantity:
			t.Errorf("accepted %+v", o)
		}
	})
}
