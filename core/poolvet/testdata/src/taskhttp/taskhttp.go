// Package taskhttp has tasks that capture what ends with a request of net/http.
package taskhttp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	taskpool "github.com/elite-libs/taskpool/core"
)

var pool = taskpool.New()

func use(v ...any) error                                       { return nil }
func send(ctx context.Context) error                           { return nil }
func later(fn func(context.Context) error)                     {}
func number(context.Context, *http.Request) (int, error)       { return 0, nil }
func wrap(next taskpool.Task, again ...taskpool.Task) []string { return nil }

func everyCall(w http.ResponseWriter, r *http.Request) {
	scope := taskpool.FromContext(r.Context())
	_ = pool.Add(func(ctx context.Context) error { return use(r.Body) })              // want `task uses r.Body, which is closed when the handler has returned: read it in the handler`
	_ = scope.Add(func(ctx context.Context) error { return use(r.Body) })             // want `uses r.Body`
	_ = scope.AfterResponse(func(ctx context.Context) error { return use(r.Body) })   // want `uses r.Body`
	_ = scope.OnSuccess(send, func(ctx context.Context) error { return use(r.Body) }) // want `uses r.Body`
	_ = scope.OnFailure(func(ctx context.Context) error { return use(r.Body) })       // want `uses r.Body`
	_ = scope.Submit(taskpool.Job{
		Name: "audit",
		Run:  func(ctx context.Context) error { return use(r.Body) }, // want `uses r.Body`
	})
	_ = taskpool.Async(scope, func(ctx context.Context) (int, error) { return number(ctx, r) })                      // want `uses r, whose body is closed`
	_, _ = taskpool.AsyncJob(pool, taskpool.Job{}, func(ctx context.Context) (int, error) { return number(ctx, r) }) // want `uses r, whose body`
}

func everyUse(w http.ResponseWriter, r *http.Request) {
	_ = taskpool.FromContext(r.Context()).OnSuccess(func(ctx context.Context) error {
		fmt.Fprintln(w, "too late") // want `task uses w \(http.ResponseWriter\), which must not be used once the handler has returned: answer in the handler`
		w.WriteHeader(200)
		_ = r.FormValue("id")                   // want `uses r.FormValue, which needs the body`
		_ = r.ParseForm()                       // want `uses r.ParseForm, which needs the body`
		_ = r.PostFormValue("id")               // want `uses r.PostFormValue`
		_, _, _ = r.FormFile("f")               // want `uses r.FormFile`
		_ = r.MultipartForm                     // want `uses r.MultipartForm`
		_ = json.NewDecoder(r.Body)             // want `uses r.Body, which is closed`
		_, _ = number(ctx, r)                   // want `uses r, whose body is closed and whose context is canceled when the handler returns: take what the task needs in the handler`
		_ = use(r.URL.Path, r.WithContext(ctx)) // want `uses r.WithContext\(ctx\), whose body is closed`
		return send(r.Context())                // want `uses r.Context\(\), which is canceled when the handler returns: use the context that the task is given`
	})
}

func uploads(w http.ResponseWriter, r *http.Request) {
	_, photo, err := r.FormFile("photo")
	_ = taskpool.FromContext(r.Context()).OnSuccess(func(context.Context) error {
		_ = use(photo.Filename, photo.Size, err)
		_, err := photo.Open() // want `uses photo, whose file the server may remove when the request ends: read it in the handler`
		return err
	})
}

func throughVariables(w http.ResponseWriter, r *http.Request) {
	scope := taskpool.FromContext(r.Context())
	ctx := r.Context()
	b, req, out := r.Body, r, w
	flusher := w.(http.Flusher)
	limited := http.MaxBytesReader(w, r.Body, 10)
	decoder, control := json.NewDecoder(r.Body), http.NewResponseController(w)
	task := func(context.Context) error {
		use(b)           // want `uses b, which is closed`
		use(req)         // want `uses req, whose body`
		use(out)         // want `uses out \(http.ResponseWriter\)`
		flusher.Flush()  // want `uses flusher \(http.Flusher\)`
		use(limited)     // want `uses limited, which is closed`
		use(decoder)     // want `uses decoder, which is closed`
		use(control)     // want `uses control \(\*http.ResponseController\)`
		return send(ctx) // want `uses ctx, which is canceled`
	}
	if err := scope.OnSuccess(task); err != nil {
		return
	}
}

func limited(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 10)
	_ = pool.Add(func(context.Context) error {
		_, err := io.ReadAll(r.Body) // want `uses r.Body`
		return err
	})
}

func everyPlace(w http.ResponseWriter, r *http.Request) {
	tasks := []taskpool.Task{
		func(context.Context) error { return use(w) }, // want `uses w`
	}
	tasks = append(tasks, func(context.Context) error { return use(r.Body) })             // want `uses r.Body`
	named := map[string]taskpool.Task{"w": func(context.Context) error { return use(w) }} // want `uses w`
	var task taskpool.Task = func(context.Context) error { return use(w) }                // want `uses w`
	task = func(context.Context) error { return use(w) }                                  // want `uses w`
	job := taskpool.Job{}
	job.Run = func(context.Context) error { return use(w) }                                    // want `uses w`
	use(tasks, named, task, job, taskpool.Task(func(context.Context) error { return use(w) })) // want `uses w`
}

func returned(r *http.Request) taskpool.Task {
	return func(context.Context) error { return use(r.Body) } // want `uses r.Body`
}

// Who gets the request may send it on, but its body is closed.
func alone(r *http.Request) error {
	return pool.Add(func(context.Context) error {
		return use(r, r.FormValue("id")) // want `uses r.FormValue`
	})
}

// A fault is told once, however deep it is.
func nested(w http.ResponseWriter, r *http.Request) {
	_ = pool.Add(func(context.Context) error {
		go send(r.Context())                                           // want `task uses r.Context\(\)`
		go func() { use(r.Body) }()                                    // want `uses r.Body`
		return pool.Add(func(context.Context) error { return use(w) }) // want `uses w`
	})
	go func() {
		_ = pool.Add(func(context.Context) error { return send(r.Context()) }) // want `task uses r.Context\(\)`
	}()
}

// Nobody can wait in the handler for what starts after the response.
func staged(w http.ResponseWriter, r *http.Request) {
	scope := taskpool.FromContext(r.Context())
	_ = scope.AfterResponse(func(context.Context) error { return use(r.Body) }) // want `uses r.Body`
	_ = scope.Submit(taskpool.Job{
		Start: taskpool.StartOnFailure,
		Run:   func(context.Context) error { return use(r.Body) }, // want `uses r.Body`
	})
	_, _ = taskpool.AsyncJob(scope, taskpool.Job{Start: taskpool.StartOnSuccess}, func(ctx context.Context) (int, error) {
		return number(ctx, r) // want `uses r, whose body`
	})
	_, _ = scope.Drain(r.Context())
}

// What is awaited is another.
func awaited(w http.ResponseWriter, r *http.Request) error {
	_ = pool.Add(func(context.Context) error { return use(r.Body) }) // want `uses r.Body`
	p := taskpool.Async(pool, func(ctx context.Context) (int, error) { return number(ctx, r) })
	n, err := p.Await(r.Context())
	done := make(chan int)
	go use(done)
	<-done
	return use(n, err)
}
