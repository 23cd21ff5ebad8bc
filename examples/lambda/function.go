package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	taskpool "github.com/elite-libs/taskpool/core"
)

type function struct {
	source  taskpool.Source
	margin  time.Duration
	partner string
}

// An order is the event of an invocation, and placed is its answer.
type order struct {
	ID       string `json:"id"`
	Quantity int    `json:"quantity"`
}

type placed struct {
	ID string `json:"id"`
}

// invoke is the handler. It answers once the tasks of the invocation have ended, and in any case before its deadline.
func (f *function) invoke(ctx context.Context, o order) (answer placed, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		early, cancel := context.WithDeadline(ctx, deadline.Add(-f.margin))
		defer cancel()
		ctx = early
	}
	err = taskpool.Handle(ctx, f.source, func(ctx context.Context) error {
		answer, err = f.place(ctx, o)
		return err
	})
	return answer, err
}

// place is the business code: it knows of neither Lambda nor a pool.
func (f *function) place(ctx context.Context, o order) (placed, error) {
	tasks := taskpool.FromContext(ctx)
	err := tasks.Submit(
		f.tell("audit", o, taskpool.StartNow),
		f.tell("receipt", o, taskpool.StartOnSuccess),
		f.tell("alert", o, taskpool.StartOnFailure),
	)
	if err != nil {
		return placed{}, err // too busy: the invocation fails, and Lambda or the caller tries again
	}
	if o.Quantity < 1 {
		return placed{}, fmt.Errorf("order %s: quantity %d", o.ID, o.Quantity)
	}
	return placed{ID: o.ID}, nil
}

// tell is a job that tells the partner of an order. Its task has the values of the invocation's context but not its
// deadline, so it has a Timeout of its own, and a Retry: a connection may not survive being frozen.
func (f *function) tell(what string, o order, start taskpool.Start) taskpool.Job {
	return taskpool.Job{
		Name:    what + " of " + o.ID,
		Start:   start,
		Timeout: time.Minute,
		Retry:   taskpool.Backoff(3, 100*time.Millisecond, time.Second),
		Run: func(ctx context.Context) error {
			if f.partner != "" {
				if err := post(ctx, f.partner+"/"+what+"/"+o.ID); err != nil {
					return err
				}
			}
			invocation := "unknown"
			if lc, ok := lambdacontext.FromContext(ctx); ok {
				invocation = lc.AwsRequestID
			}
			slog.InfoContext(ctx, "told the partner", "what", what, "order", o.ID, "invocation", invocation)
			return nil
		},
	}
}

func post(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return taskpool.Permanent(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

// spindown is what Lambda gives a function between SIGTERM and SIGKILL, less what it takes to say what was cut. Done
// would give a task that does not heed its context a second more, which it does not have here.
const spindown = 400 * time.Millisecond

// finish ends what the tasks run on, and says what became of them.
func finish(source taskpool.Source) {
	ctx, cancel := context.WithTimeout(context.Background(), spindown)
	defer cancel()
	r, err := source.Done(ctx)
	if err != nil {
		slog.Error("out of time", "error", err)
	}
	fmt.Printf("ledger: %d succeeded, %d failed, %d panicked, %d discarded, %d canceled, %d abandoned\n",
		r.Succeeded, r.Failed, r.Panicked, r.Discarded, r.Canceled, r.Abandoned)
	for _, task := range r.Results {
		fmt.Printf("%v: %s: %v\n", task.Fate, task.Name, task.Err)
	}
}
