// Command durable stores a task in a SQLite file and works it. Kill it while the task runs, with kill -9; start it
// again, and the same task runs again. Ctrl-C is kinder: it gives the task back, and the next start begins it anew.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/elite-libs/taskpool/core/riverpool"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite"
)

// Report is what is stored: the arguments of a call.
type Report struct {
	Month string `json:"month"`
}

var (
	takes = flag.Duration("takes", 5*time.Second, "how long the task takes")
	file  = flag.String("db", "durable.db", "the SQLite `file`")
	done  = make(chan struct{})
)

var report = riverpool.Define("report", func(ctx context.Context, r Report) error {
	row, _ := riverpool.RowOf(ctx)
	fmt.Printf("task %d, run %d: the report of %s begins\n", row.ID, row.Attempt, r.Month)
	select {
	case <-time.After(*takes):
	case <-ctx.Done():
		fmt.Printf("task %d, run %d: cut\n", row.ID, row.Attempt)
		return context.Cause(ctx)
	}
	fmt.Printf("task %d, run %d: done\n", row.ID, row.Attempt)
	close(done)
	return nil
}, riverpool.Options{Unique: true}) // while one is unfinished, a second is not stored

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "durable:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	db, err := sql.Open("sqlite", "file:"+*file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	q, err := riverpool.New(riversqlite.New(db), riverpool.Config{Tasks: []riverpool.Definition{report}, Sole: true})
	if err != nil {
		return err
	}
	if err := errors.Join(q.Migrate(ctx), q.Submit(ctx, report.Job(Report{"May"})), q.Start(ctx)); err != nil {
		return err
	}
	fmt.Printf("stored in %s; now: kill -9 %d\n", *file, os.Getpid())
	select {
	case <-done:
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
	defer cancel()
	_, err = q.Done(end)
	return err
}
