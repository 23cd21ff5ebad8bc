package examples_test

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/elite-libs/taskpool/examples/orders"
)

// The business code is one, so a client cannot tell the frameworks apart by what it is answered.
func TestProgramsAnswerAlike(t *testing.T) {
	t.Parallel()
	requests := []struct{ name, method, path, body string }{
		{"order", http.MethodPost, "/orders", fine},
		{"its view", http.MethodGet, "/orders/{id}", ""},
		{"too many", http.MethodPost, "/orders", `{"customer":"ada","item":"tea","quantity":1001}`},
		{"malformed", http.MethodPost, "/orders", `{"customer":`},
		{"nothing", http.MethodPost, "/orders", ``},
		{"no quantity", http.MethodPost, "/orders", `{"customer":"ada","item":"tea"}`},
		{"oversized", http.MethodPost, "/orders", fine + strings.Repeat(" ", orders.MaxBody)},
		{"unknown order", http.MethodGet, "/orders/none", ""},
		{"health", http.MethodGet, "/healthz", ""},
	}
	want := map[string]string{} // as the first program answers
	for i, name := range programs {
		c := serve(t, build(t, name), "-receipts", t.TempDir(), "-slow", "0")
		var id string
		for _, r := range requests {
			if strings.Contains(r.path, "{id}") {
				c.settled(t, id)
			}
			got, newID := c.answer(t, r.method, strings.ReplaceAll(r.path, "{id}", id), r.body)
			if newID != "" {
				id = newID
			}
			if i == 0 {
				want[r.name] = got
			} else if got != want[r.name] {
				t.Errorf("%s, %s: got %s, want what %s answers: %s", name, r.name, got, programs[0], want[r.name])
			}
		}
	}
}

// answer sends a request and renders what the client sees, with the id taken out.
func (c *child) answer(t *testing.T, method, path, body string) (seen, id string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var value map[string]any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatalf("%s %s: %q is not JSON: %v", method, path, raw, err)
	}
	id, _ = value["id"].(string)
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	seen = fmt.Sprintf("%d %s %q %s", resp.StatusCode, media, resp.Header.Get("Location"), text)
	if id != "" {
		seen = strings.ReplaceAll(seen, id, "{id}")
	}
	return seen, id
}
