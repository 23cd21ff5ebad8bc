// Package poolvet has an analyzer that finds background work which uses what
// ends with its request, and refusals that nobody looks at.
//
//	go install github.com/elite-libs/taskpool/core/poolvet/cmd/poolvet@latest
//	go vet -vettool=$(which poolvet) ./...
//
// Asked for a fixed version instead of latest, the Go command may answer that core
// does not contain this package: where GOPRIVATE or GONOPROXY is set, it looks for
// it in the core that is in its cache (go.dev/issue/58116). Unset both for it.
//
// It reports three things:
//
//   - A go statement in a handler that uses the request's context, the request
//     itself, or the context of Gin, Echo or Fiber.
//   - A task that captures the response writer, the context of Gin, Echo or
//     Fiber, what they use again (Gin's Params, Echo's ParamValues), an uploaded
//     file, or a string that Fiber gave out; and what it uses of a captured
//     *http.Request that ends with the handler: the body, what reads the body,
//     the context, chi's route.
//   - The error of Add, AfterResponse, OnSuccess, OnFailure, Submit or AsyncJob
//     that is dropped. Assigning it to _ is a decision, and is not reported.
//
// # What a handler is
//
// A function that has a parameter of type *http.Request, *gin.Context,
// echo.Context or *fiber.Ctx, of any major version. What is assigned from such a
// parameter is followed through local variables: a variable counts if
// everything that is assigned to it does. Where there is no http.ResponseWriter the
// request may be a client's, so passing it on is not reported, nor anything if the
// function returns an *http.Response, or gives a request to something that does.
//
// # What a task is
//
// A function literal that is given to Add, AfterResponse, OnSuccess, OnFailure,
// Async or AsyncJob, that is the Run of a Job, or that is converted to, stored or
// returned as a taskpool.Task; directly, or by way of a local variable.
//
// # Waiting
//
// Work that the handler waits for may use the request. A go statement, or a task
// that is not staged, is not reported if, after it, or in a deferred call, the
// handler
//
//   - receives from a channel, or calls a method named Wait, if that has to do
//     with what the work mentions: the same variable, or one made of the same;
//   - mentions a channel or a sync.WaitGroup that the work mentions too;
//   - waits for a task with Await, Drain or Done;
//   - or is in, or enters, a loop that has no condition.
//
// Nor is work that has one half of an [io.Pipe], or a goroutine that first of all
// receives from the Done of the request's context, alone or in a select: it is
// meant to end with the request. Handing that context on is reported there too.
//
// What keeps the values of a context without its end, context.WithoutCancel, may
// be used, and so may what only reads those values: Value, context.Cause, log/slog,
// and functions whose name ends in FromContext.
//
// # chi's route
//
// chi uses its RouteContext again for other requests. From the context that it is
// given a task may read it, with chi.URLParamFromCtx: httppool.Middleware has a copy
// put there. A task that has captured it, or reads it from the request or a
// context of the handler's, is reported.
//
// # Fiber's strings
//
// A string, byte slice, or list or map of strings that a method of Fiber's context
// returns is reported where a task captures it, unless the package makes its app
// with Immutable. Where another package does, the flag -poolvet.immutable says so.
//
// The same goes for a local variable that BodyParser, CookieParser, ParamsParser,
// QueryParser or ReqHeaderParser fills, where a task uses a part of it that is, or
// holds, a string; and for one that the binders of Fiber 3 (c.Bind().Query and the
// others) fill, with Immutable too, which they do not heed. JSON and XML are copied, but
// BodyParser and Body take a form as well, if the client sends one.
//
// # What it does not find
//
// It looks at one function at a time: what a called function does with a request,
// a method value, a field of a struct, and a named function that is given as a
// task are not followed. Neither are contexts that other packages derive, types
// that embed a framework's context, writers and bodies that are wrapped in types
// of one's own, and pools behind interfaces of one's own. A go statement that
// uses only the body or the writer is not reported.
package poolvet
