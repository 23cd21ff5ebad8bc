// Package taskpool runs background tasks for web servers.
//
// A handler hands work to a pool and answers at once. The work starts when the
// response is sent, goes on after the request is over, and is finished before the
// process stops.
//
//	pool := taskpool.New(taskpool.Config{Workers: 8})
//
//	func place(w http.ResponseWriter, r *http.Request) {
//		tasks := taskpool.FromContext(r.Context())
//		if err := tasks.OnSuccess(sendReceipt); err != nil { // nothing was accepted
//			http.Error(w, "busy", http.StatusServiceUnavailable)
//			return
//		}
//		w.WriteHeader(http.StatusCreated)
//	}
//
// The middleware is in a module for each framework beside this one: nethttp, for
// every router that is net/http, gin, echo and fiber. Their Serve, given the same
// pool, finishes requests and tasks when the process is told to stop.
//
// # Adding tasks
//
// A [Pool] runs at most Config.Workers tasks at once, and at most Config.QueueLimit
// wait. Adding never blocks: what finds no room is refused, with [ErrOverloaded], while
// the handler can still answer 503. An error means that nothing of that call will run.
//
// A request has a [Scope], which [FromContext] finds. [Scope.Add] starts a task at
// once, beside the handler. [Scope.AfterResponse], [Scope.OnSuccess] and
// [Scope.OnFailure] stage it: it is accepted now and starts once the response is sent,
// in any case or as the request has ended. [Pool.Add] is for tasks of no request, and
// [Handle] treats a function as a request: a message of a queue, a cron job.
//
// A task takes its data with it: it may run when the handler has long returned, so it
// must use nothing that ends with the request, such as its body.
//
// # Jobs
//
// A [Job] is a task with options, for [Pool.Submit] and [Scope.Submit]: a name, by
// which logs and tests speak of it, a priority, a delay, a timeout, a [Retry] such as
// [Backoff], a [Lane]. What waits for a time, for its lane or for another run holds no
// worker.
//
// A lane is for tasks that share a limit, such as those that call one API or those of
// one tenant. Config.Lanes and Config.NewLane say what it allows. [Throttle] paces it
// by what an API has answered, which [ParseRateLimit] reads; [Pool.Lanes] shows what
// holds it.
//
// [Async] adds a task that has a value, and returns the [Promise] of it.
//
// # What becomes of a task
//
// A task has failed if it returns an error or panics. That harms no worker, no waiter
// and no other task, and is logged once, to Config.Logger, with the number of
// attempts. Every accepted task ends in exactly one way, its [Fate], and none is lost
// from the books: at every moment
//
//	Accepted = Running + Queued + Staged + Delayed + Retrying + the sum of all fates
//
// as [Pool.Stats] shows. A [Report] and [Hooks] tell the program.
//
// Tasks wait in memory: a crash of the process loses what had not run. Work that must
// survive one is for package riverpool, beside this one, which stores it.
//
// # Contexts
//
// The context of a task has the values of the context that its scope was taken from,
// and is not canceled when the request ends. It is canceled by the task's timeout and
// by a [Pool.Done] that ran out of time, and it ends when the task has; [context.Cause]
// says which. A task that [Pool.Add] took has the pool's own, without values, which ends
// with the pool. Nothing stops a task that does not heed its context: it keeps its worker
// until it returns.
//
// # Waiting
//
// [Scope.Drain] waits for one request's tasks. [Pool.Drain] waits until the pool has
// nothing to do, and leaves it open; a later call takes over from an earlier one.
// [Pool.Done] ends the pool. In each the error speaks only of the waiting: what the
// tasks returned is in the Report. While a task waits for another scope, with the
// context it was given, its worker runs other tasks, so nested waits cannot deadlock
// even with one worker.
//
// # Sources
//
// What a middleware takes is a [Source]: a pool, which all requests share, or
// [PerRequest], which makes a pool for each. [Hold] wraps either for platforms that
// freeze a process between requests.
//
// An idle pool has no goroutine; a pool that nobody refers to any more leaks nothing.
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
