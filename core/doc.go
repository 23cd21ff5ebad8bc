// Package taskpool runs background tasks for web servers.
//
// A handler hands work to a pool and answers at once. The work outlives the
// request, is bounded, never delays the response, survives a graceful
// shutdown, and is never silently lost.
//
//	pool := taskpool.New(taskpool.Config{Workers: 8})
//
//	func place(w http.ResponseWriter, r *http.Request) {
//		tasks := taskpool.FromContext(r.Context())
//		if err := tasks.OnSuccess(sendReceipt); err != nil {
//			http.Error(w, "busy", http.StatusServiceUnavailable)
//			return
//		}
//		w.WriteHeader(http.StatusCreated)
//	}
//
// # Pool and scope
//
// A [Pool] is the bounded engine: at most Config.Workers tasks run at once, at
// most Config.QueueLimit wait, and what finds no room is refused with
// [ErrOverloaded] instead of blocking the caller. An idle pool has no
// goroutine; a pool that nobody refers to any more leaks nothing.
//
// A [Scope] is one request's ledger on a pool. A middleware begins it and puts
// it into the request's context, where [FromContext] finds it. [Scope.Add]
// starts a task beside the handler. [Scope.AfterResponse], [Scope.OnSuccess]
// and [Scope.OnFailure] stage it: accepted now, started once the response has
// been sent and the outcome of the request is known. [Handle] gives the same
// lifecycle to work that is not HTTP.
//
// What begins scopes is a [Source]: a pool, which all requests share, or
// [PerRequest], which makes a pool for each. [Hold] wraps either for platforms
// that freeze a process between requests. The middleware that takes a Source is
// in the modules beside this one: nethttp, for every router that is net/http,
// gin, echo and fiber.
//
// # Jobs
//
// A [Job] is a task with options, for [Pool.Submit] and [Scope.Submit]: a name,
// a priority, a delay, a timeout, a [Retry] such as [Backoff], a [Lane] that it
// shares with others, as those do that call one API. What waits for a time, for
// its lane or for another run holds no worker. [Throttle] paces a lane by what an
// API has answered, and [ParseRateLimit] reads that. [Pool.Lanes] shows what holds
// lanes. [Async] adds a task that has
// a value, and returns the [Promise] of it.
//
// # Contexts
//
// The context of a task has the values of the context that its scope was taken
// from, and is not canceled when the request ends. It is canceled by the task's
// timeout and by a [Pool.Done] that ran out of time, and it ends when the task has;
// [context.Cause] says which.
// Nothing stops a task that does not heed its context: it keeps its worker until
// it returns.
//
// # Waiting
//
// [Pool.Drain] waits until the pool has nothing to do and leaves it open;
// a later call takes over from an earlier one. [Scope.Drain] waits for one
// request's tasks. [Pool.Done] ends the pool. In each the error speaks only of
// the waiting: what the tasks returned is in the [Report]. A task that waits for
// another scope, with the context it was given, lends its worker meanwhile, so
// nested waits cannot deadlock even with one worker.
//
// # The ledger
//
// Every accepted task gets exactly one [Fate], and at every moment
//
//	Accepted = Running + Queued + Staged + Delayed + Retrying + the sum of all fates
//
// as [Pool.Stats] shows. Panics and runtime.Goexit in a task are that task's
// fate: they harm no worker, no waiter and no other task. The ledger lives in
// memory: a crash of the process loses what had not run. Work that must survive
// a crash is for package riverpool, beside this one, which stores it.
//
// A task that failed or panicked is logged once, to Config.Logger, and so is one that
// a Done cut short or gave up. A [Report] and [Hooks] tell the program.
//
// # Tests
//
// The [tasktest] package has a Recorder for the tests of handlers: a pool that waits
// for tasks and tells what became of them by name. A pool that is made inside a bubble
// of testing/synctest works there, with delays, retries and timeouts in the bubble's
// time.
//
// [tasktest]: https://pkg.go.dev/github.com/elite-libs/taskpool/core/tasktest
package taskpool
