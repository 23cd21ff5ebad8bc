// Package riverpool stores background tasks in a database, so that they survive a
// crash and may run on other machines. The engine is River
// (github.com/riverqueue/river), on SQLite inside the process or on Postgres with
// as many processes as there are; this package puts it where the pool of package
// taskpool was.
//
//	var receipt = riverpool.Define("receipt", sendReceipt, riverpool.Options{
//		Retry: taskpool.Backoff(10, time.Second, time.Hour)})
//
//	func sendReceipt(ctx context.Context, r Receipt) error { … } // at least once: keep it idempotent
//
//	q, err := riverpool.New(riverpgxv5.New(db), riverpool.Config{Source: pool, Tasks: []riverpool.Definition{receipt}})
//	err = q.Migrate(ctx)
//	err = q.Start(ctx)
//	srv := &http.Server{Handler: httppool.Middleware(q)(mux)}
//	err = httppool.Serve(ctx, srv, q, 20*time.Second)
//
// # What is guaranteed
//
//   - [Queue.SubmitTx]: the tasks exist if and only if the transaction commits, and
//     then each runs at least once.
//   - [Queue.Submit]: once it has returned nil the tasks are in the database and
//     each runs at least once, whatever becomes of the request.
//   - [Queue.OnSuccess]: once it has returned nil they are in the database; they
//     start after a response that succeeded, are deleted after one that failed, and
//     if the process dies before it has settled which, they run: no success is ever
//     lost, and only a crash in that moment (or a Done that ran out of time, or a
//     database that stayed away for Config.Hold) lets a failed request's task run.
//   - [Queue.Done]: a stored task that it cuts goes back to the database, uses up no
//     attempt, and runs again in another process or after the next start.
//
// At least once is not once: River writes behind that a task is completed, so a
// process that is killed leaves some that are done to be done again. [RowOf] gives
// an ID that is the same in each run, for a service that knows idempotency keys.
// Each run counts within Options.Attempts; a task that has no more stays in
// River's table as discarded, for 7 days, or as cancelled, for one, and is then
// deleted.
//
// There is no durable AfterResponse, which is Submit, and no durable OnFailure: the
// rule for crashes would run a compensation for a request that had succeeded.
//
// # Stored tasks and those in memory
//
// A [Queue] is a taskpool.Source. The middleware and Serve take it for the pool,
// and [taskpool.FromContext] finds the same in-memory scope as before. A stored task has
// a scope of its own, as under [taskpool.Handle]: what it adds in memory with
// OnSuccess starts if this run succeeds, and what it stores with
// Queue.OnSuccess stays if it does. What is in memory dies with the process.
//
// Stored tasks have no lanes. Options.Queue and Config.Queues limit how many run at
// once in a process. Where a part of one has to keep to a lane of the process, its
// Rate or its pace, the task hands that part to the pool with taskpool.AsyncJob
// and awaits it, as the example of Options shows. A task that waits so keeps its
// place: give it a queue of its own.
//
// # SQLite
//
// For one process, which says Config.Sole. Open the database with one connection
// (db.SetMaxOpenConns(1)) and, for modernc.org/sqlite, with
//
//	file:tasks.db?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate
//
// A connection of the handler's own transaction is the only one: SubmitTx is for
// there, and Submit would wait until its context ends.
//
// # Postgres
//
// A process that lists no Config.Tasks only stores; others work with [Queue.Run].
// One of them leads: it starts what is due and rescues what a crash cut, of all
// processes, and discards that if it does not know the task (River's rescuer). So
// start workers that know a new task before what stores it, and give those that
// list only a part of the tasks LeaderElectionDisabled, through Config.River.
// Where more than one process is, their Source, Config.Timeout and Hold should be
// alike.
//
// This package imports no database driver. It calls River's driver for two
// statements on the table river_job, and so wants the version of River that its
// go.mod has, or one whose columns id, state, attempt and scheduled_at mean the
// same.
package riverpool
