// Package httppool gives the requests of net/http background tasks: its
// middleware puts a scope of a taskpool into the context of each request and
// starts what the request staged once the response is sent.
//
//	pool := taskpool.New(taskpool.Config{})
//	srv := &http.Server{Addr: ":8080", Handler: httppool.Middleware(pool)(mux)}
//	err := httppool.Serve(ctx, srv, pool, 20*time.Second)
//
// Handlers, and code that knows nothing of HTTP, find the scope with
// taskpool.FromContext(r.Context()).
//
// A task may outlive its request, so it uses the context that it is given, and
// nothing that ends with the handler: not the ResponseWriter, nor the request's
// body or context. Take what it needs of the request before; the analyzer
// core/poolvet finds what was overlooked.
//
// # What is promised
//
// Nothing on the wire changes, no system call is added, and no response waits
// for a task. Handlers get a ResponseWriter with exactly the optional interfaces
// of the server's. When staged tasks start depends on what can be seen:
//
//   - HTTP/1 on a tracked server (Track, Serve): after the last write of the
//     response has returned; Outcome.Exact reports true
//   - HTTP/1 otherwise: when the outermost handler has returned
//   - HTTP/2: when the end of the stream was handed to the frame writer
//   - a hijacked connection: when the handler has returned
//   - no server, as with httptest.ResponseRecorder: when the handler has returned
//   - nothing tells, as when a client withholds its request body: after Config.Grace
//
// A handler that writes through a ResponseWriter which it unwrapped hides its
// status. A recovery middleware inside this one that swallows
// http.ErrAbortHandler makes the request a 200. Nothing can see either.
//
// # Adapters
//
// Begin and Exchange are the lifecycle for frameworks that stand on net/http.
package httppool
