package poolpage_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/poolpage"
)

// The page is a handler like any other. It has no authentication of its own: requireAdmin stands for what the
// service has.
func Example() {
	pool := taskpool.New(taskpool.Config{})
	page := poolpage.New()
	page.Show("orders", pool)

	requireAdmin := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, password, _ := r.BasicAuth(); password != "secret" {
				w.Header().Set("WWW-Authenticate", "Basic")
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	mux := http.NewServeMux()
	mux.Handle("GET /tasks", requireAdmin(page))
	srv := &http.Server{Handler: mux}
	srv.RegisterOnShutdown(page.Close) // or its streams would hold the shutdown up

	_ = pool.Submit(taskpool.Job{Name: "receipt", Run: func(context.Context) error { return nil }})
	_, _ = pool.Drain(context.Background())
	r := httptest.NewRequest("GET", "/tasks", nil)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code)
	r.SetBasicAuth("admin", "secret")
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.Contains(w.Body.String(), "<dt>succeeded</dt><dd>1</dd>"))
	// Output:
	// 401
	// 200 true
}

// What a database holds is shown beside the pools, with a link to its own page. Of a riverpool.Queue it is q.Counts.
func ExamplePage_ShowStored() {
	page := poolpage.New()
	page.ShowStored("river", "/riverui", func(context.Context) (map[string]int, error) {
		return map[string]int{"available": 12, "running": 3}, nil // of the database
	})
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(strings.Contains(w.Body.String(), `<a href="/riverui"`))
	// Output: true
}
