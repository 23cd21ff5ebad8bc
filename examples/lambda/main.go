// Command lambda is an AWS Lambda function that takes orders and leaves the rest to tasks. What to look at:
//
//   - newSource: Lambda freezes the process as soon as an invocation has answered, so a taskpool.Hold has the answer wait
//     for the invocation's tasks. POOL says on what they run: "process" is one pool for all invocations, with one limit
//     for what they add and what earlier ones have left; "request" is a fresh one for each.
//   - invoke: taskpool.Handle is the life of a request for what is not HTTP. The invocation is held until a margin
//     before its deadline (MARGIN, 500ms): a task that is not done by then is left. It is frozen with the process, and
//     goes on with the next invocation, which waits for it too if it has tasks of its own.
//   - finish: Lambda removes an idle process without a word, and what is frozen in it. WithEnableSIGTERM registers an
//     extension, for which Lambda sends SIGTERM and kills 500 ms later. What was left gets most of that time; a task
//     that gives up as its context is canceled then is named in the log.
//
// A panic in the handler ends the process, as the runtime client has it: the tasks of that invocation have had their
// time, but what earlier ones left is lost. Recover in the handler if that must not be.
//
// PARTNER is the URL of what the tasks call; without it they only log.
package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	taskpool "github.com/elite-libs/taskpool/core"
)

func main() {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		fmt.Fprintln(os.Stderr, "lambda: AWS_LAMBDA_RUNTIME_API is missing: this program runs in AWS Lambda, or in its runtime interface emulator.\n"+
			"To see it at work on a runtime that a test plays: cd examples && go test -run TestLambda -v .")
		os.Exit(2)
	}
	source, err := newSource(cmp.Or(os.Getenv("POOL"), "process"))
	if err != nil {
		fail(err)
	}
	margin, err := time.ParseDuration(cmp.Or(os.Getenv("MARGIN"), "500ms"))
	if err != nil {
		fail(fmt.Errorf("MARGIN: %w", err))
	}
	f := &function{source: source, margin: margin, partner: os.Getenv("PARTNER")}
	lambda.StartWithOptions(f.invoke, lambda.WithEnableSIGTERM(func() {
		finish(source)
		os.Exit(0) // Lambda stops a process between its invocations: no answer is under way
	}))
}

func fail(err error) {
	slog.Error("cannot start", "error", err)
	os.Exit(2)
}

// newSource makes what invocations run their tasks on. Last has an invocation wait for what an earlier one has left, too.
func newSource(pool string) (taskpool.Source, error) {
	config := taskpool.Config{Name: "orders", Workers: 8}
	hold := taskpool.HoldOptions{Last: true}
	switch pool {
	case "process":
		return taskpool.Hold(taskpool.New(config), hold), nil
	case "request":
		return taskpool.Hold(taskpool.PerRequest(config), hold), nil
	}
	return nil, fmt.Errorf("POOL is %q, want process or request", pool)
}
