package riverpool_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/poolpage"
	"github.com/elite-libs/taskpool/core/riverpool"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"
	_ "modernc.org/sqlite"
)

// Receipt is what is stored of a call.
type Receipt struct {
	Order string `json:"order"`
}

var sent = make(chan string, 10)

var receipt = riverpool.Define("receipt", func(ctx context.Context, r Receipt) error {
	row, _ := riverpool.RowOf(ctx)
	sent <- fmt.Sprintf("receipt %d for order %s, run %d", row.ID, r.Order, row.Attempt)
	return nil
}, riverpool.Options{Retry: taskpool.Backoff(10, time.Second, time.Hour)})

// openExample opens a database, and says how to remove it.
func openExample() (db *sql.DB, remove func()) {
	dir, err := os.MkdirTemp("", "riverpool")
	if err != nil {
		log.Fatal(err)
	}
	db, err = sql.Open("sqlite", "file:"+filepath.Join(dir, "tasks.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db, func() { db.Close(); os.RemoveAll(dir) }
}

// A handler that stores tasks. One request succeeds, one fails.
func Example() {
	db, remove := openExample()
	defer remove()
	ctx := context.Background()
	q, err := riverpool.New(riversqlite.New(db), riverpool.Config{Tasks: []riverpool.Definition{receipt}, Source: taskpool.New(taskpool.Config{}), Sole: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(q.Migrate(ctx), q.Start(ctx)); err != nil {
		log.Fatal(err)
	}
	handler := httppool.Middleware(q)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := q.OnSuccess(r.Context(), receipt.Job(Receipt{r.FormValue("order")})); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable) // nothing was stored
			return
		}
		if r.FormValue("order") == "1" {
			http.Error(w, "out of stock", http.StatusConflict) // and nothing stays stored
			return
		}
		w.WriteHeader(http.StatusCreated)
	}))
	for _, order := range []string{"1", "2"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/?order="+order, nil))
	}
	fmt.Println(<-sent)
	if _, err := q.Done(ctx); err != nil { // Serve does it in a server
		log.Fatal(err)
	}
	// Output: receipt 2 for order 2, run 1
}

// The order and its receipt are in one transaction: both are there, or neither.
func ExampleQueue_SubmitTx() {
	db, remove := openExample()
	defer remove()
	ctx := context.Background()
	q, err := riverpool.New(riversqlite.New(db), riverpool.Config{Tasks: []riverpool.Definition{receipt}, Source: taskpool.New(taskpool.Config{}), Sole: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := q.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE orders (id text)"); err != nil {
		log.Fatal(err)
	}
	place := func(id string) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // after a commit it does nothing
		if _, err := tx.ExecContext(ctx, "INSERT INTO orders VALUES (?)", id); err != nil {
			return err
		}
		if err := q.SubmitTx(ctx, tx, receipt.Job(Receipt{id})); err != nil {
			return err
		}
		return tx.Commit()
	}
	if err := place("3"); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		fmt.Println(<-sent)
		cancel()
	}()
	if err := q.Run(ctx, 20*time.Second); err != nil { // this could be another process
		log.Fatal(err)
	}
	// Output: receipt 1 for order 3, run 1
}

// A stored task that keeps to a lane of its process: one call at a time, here, and
// as httppool.Transport paces the lane.
func ExampleOptions_lane() {
	charge := riverpool.Define("charge", func(ctx context.Context, r Receipt) error {
		answer, err := taskpool.AsyncJob(taskpool.FromContext(ctx), taskpool.Job{Name: "charge", Lane: "bank"}, func(context.Context) (string, error) {
			return "charged order " + r.Order, nil // the call
		})
		if err != nil {
			return err
		}
		text, err := answer.Await(ctx)
		sent <- text
		return err
	}, riverpool.Options{Queue: "bank"}) // so that it keeps no other task waiting

	db, remove := openExample()
	defer remove()
	ctx := context.Background()
	q, err := riverpool.New(riversqlite.New(db), riverpool.Config{
		Source: taskpool.New(taskpool.Config{Lanes: map[string]taskpool.Lane{"bank": {Limit: 1}}}),
		Tasks:  []riverpool.Definition{charge}, Queues: map[string]int{"bank": 2}, Sole: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(q.Migrate(ctx), q.Submit(ctx, charge.Job(Receipt{"4"})), q.Start(ctx)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-sent)
	if _, err := q.Done(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: charged order 4
}

// What an operator asks is River's to answer: here, what waits of one task.
func ExampleQueue_Client() {
	db, remove := openExample()
	defer remove()
	ctx := context.Background()
	q, err := riverpool.New(riversqlite.New(db), riverpool.Config{Source: taskpool.New(taskpool.Config{})}) // it only stores
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(q.Migrate(ctx), q.Submit(ctx, receipt.Job(Receipt{"5"}), receipt.Job(Receipt{"6"}))); err != nil {
		log.Fatal(err)
	}
	waiting, err := q.Client().JobList(ctx, river.NewJobListParams().Kinds(receipt.Name()).States(rivertype.JobStateAvailable))
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range waiting.Jobs {
		fmt.Println(row.Kind, string(row.EncodedArgs))
	}
	// Output:
	// receipt {"order":"5"}
	// receipt {"order":"6"}
}

// The row's ID is the same in each run, so that the work can be idempotent.
func ExampleRowOf() {
	charged := make(chan string)
	charge := riverpool.Define("charge", func(ctx context.Context, r Receipt) error {
		row, stored := riverpool.RowOf(ctx)
		charged <- fmt.Sprintf("Idempotency-Key: charge-%d, %t", row.ID, stored) // for the bank
		return nil
	}, riverpool.Options{})

	db, remove := openExample()
	defer remove()
	ctx := context.Background()
	q, err := riverpool.New(riversqlite.New(db), riverpool.Config{Tasks: []riverpool.Definition{charge}, Source: taskpool.New(taskpool.Config{}), Sole: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(q.Migrate(ctx), q.Submit(ctx, charge.Job(Receipt{"7"})), q.Start(ctx)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-charged)
	if _, err := q.Done(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: Idempotency-Key: charge-1, true
}

// What is stored, by state, on the page of tasks. The link is to River UI, a program of its own.
func ExampleQueue_Counts() {
	db, remove := openExample()
	defer remove()
	ctx := context.Background()
	q, err := riverpool.New(riversqlite.New(db), riverpool.Config{}) // it only stores
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(q.Migrate(ctx), q.Submit(ctx, receipt.Job(Receipt{"1"}), receipt.Job(Receipt{"2"}))); err != nil {
		log.Fatal(err)
	}
	page := poolpage.New()
	page.ShowStored("orders", "https://river.example.com", q.Counts)

	counts, err := q.Counts(ctx)
	fmt.Println(counts["available"], counts["running"], err)
	// Output: 2 0 <nil>
}
