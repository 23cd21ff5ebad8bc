package examples_test

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var lambdaLedger = regexp.MustCompile(`(?m)^ledger: (\d+) succeeded, (\d+) failed, (\d+) panicked, (\d+) discarded, (\d+) canceled, (\d+) abandoned$`)

// TestLambda runs the function as a process, with the real runtime client, on a runtime that the test plays.
func TestLambda(t *testing.T) {
	binary := build(t, "lambda")
	for _, pool := range []string{"process", "request"} {
		for _, tt := range []struct {
			name string
			test func(t *testing.T, binary string)
		}{
			{"AnswerComesAfterTheTasks", lambdaAnswerComesAfterTheTasks},
			{"FailureRaisesAnAlert", lambdaFailureRaisesAnAlert},
			{"TaskPastTheMarginGoesOnInTheNextInvocation", lambdaTaskPastTheMarginGoesOn},
			{"SIGTERMNamesWhatItCutsShort", lambdaSIGTERMNamesWhatItCutsShort},
		} {
			t.Run(pool+"/"+tt.name, func(t *testing.T) {
				t.Setenv("POOL", pool)
				tt.test(t, binary)
			})
		}
	}
}

func lambdaAnswerComesAfterTheTasks(t *testing.T, binary string) {
	const n = 20
	l := newLambdaRuntime(t)
	p := newLambdaPartner(t, l, "receipt 1")
	c := launch(t, binary)
	for i := range n {
		id := fmt.Sprint(i + 1)
		l.invoke(t, id, 1, time.Now().Add(2*patience))
		if i == 0 {
			p.await(t, "audit 1", "receipt 1")
			if l.happened("response 1") {
				t.Error("there is an answer while a task runs")
			}
			close(p.hold["receipt 1"])
		}
		l.answered(t, id, lambdaAnswer{"response", fmt.Sprintf(`{"id":"%s"}`, id)})
		l.checkOrder(t, "receipt "+id, "response "+id)
		l.checkOrder(t, "audit "+id, "response "+id)
	}
	endLambda(t, c, 2*n, n)
}

func lambdaFailureRaisesAnAlert(t *testing.T, binary string) {
	l := newLambdaRuntime(t)
	newLambdaPartner(t, l)
	c := launch(t, binary)
	l.invoke(t, "1", 0, time.Now().Add(2*patience))
	l.answered(t, "1", lambdaAnswer{"error", "order 1: quantity 0"})
	l.checkOrder(t, "alert 1", "error 1")
	if l.happened("receipt 1") {
		t.Error("there is a receipt for an order that failed")
	}
	endLambda(t, c, 2, 1)
}

// heldFor is how long an invocation is held whose task does not end. A handler that a slow machine keeps for longer has
// failed, and has an alert instead of a receipt: the tests below do not ask which.
const heldFor = 200 * time.Millisecond

func lambdaTaskPastTheMarginGoesOn(t *testing.T, binary string) {
	l := newLambdaRuntime(t)
	p := newLambdaPartner(t, l, "audit 1")
	t.Setenv("MARGIN", patience.String())
	c := launch(t, binary)

	deadline := time.Now().Add(patience + heldFor)
	l.invoke(t, "1", 1, deadline)
	p.await(t, "audit 1")
	l.answered(t, "1", lambdaAnswer{"response", `{"id":"1"}`})
	if !time.Now().Before(deadline) || l.happened("audit 1") {
		t.Error("the answer has waited for the task, not for the margin")
	}

	l.invoke(t, "2", 1, time.Now().Add(3*patience))
	for _, own := range []string{"audit", "receipt"} {
		c.stderr.find(t, regexp.MustCompile("what="+own+" order=2 invocation=2\n"), c.exited)
	}
	close(p.hold["audit 1"])
	l.answered(t, "2", lambdaAnswer{"response", `{"id":"2"}`})
	l.checkOrder(t, "response 1", "audit 1", "response 2")
	c.stderr.find(t, regexp.MustCompile(`what=audit order=1 invocation=1\n`), c.exited)
	endLambda(t, c, 4, 2)
}

func lambdaSIGTERMNamesWhatItCutsShort(t *testing.T, binary string) {
	l := newLambdaRuntime(t)
	p := newLambdaPartner(t, l, "audit 1")
	t.Setenv("MARGIN", patience.String())
	c := launch(t, binary)
	l.invoke(t, "1", 1, time.Now().Add(patience+heldFor))
	p.await(t, "audit 1")
	l.answered(t, "1", lambdaAnswer{"response", ""})
	c.stderr.find(t, regexp.MustCompile(`what=(receipt|alert) order=1 `), c.exited)
	c.signal(t, syscall.SIGTERM)
	if code := c.wait(t).ExitCode(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	out := c.stdout.String()
	if !strings.Contains(out, "ledger: 1 succeeded, 0 failed, 0 panicked, 1 discarded, 1 canceled, 0 abandoned\ncanceled: audit of 1: ") {
		t.Errorf("the task is not named in %q", out)
	}
}

// endLambda has Lambda stop the process, and checks that every task had the time it needed.
func endLambda(t *testing.T, c *child, succeeded, discarded int) {
	t.Helper()
	c.signal(t, syscall.SIGTERM)
	if code := c.wait(t).ExitCode(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	got := lambdaLedger.FindString(c.stdout.String())
	if want := fmt.Sprintf("ledger: %d succeeded, 0 failed, 0 panicked, %d discarded, 0 canceled, 0 abandoned", succeeded, discarded); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLambdaSaysWhatItNeeds(t *testing.T) {
	t.Setenv("AWS_LAMBDA_RUNTIME_API", "")
	c := launch(t, build(t, "lambda"))
	if code := c.wait(t).ExitCode(); code != 2 || !strings.Contains(c.stderr.String(), "AWS_LAMBDA_RUNTIME_API is missing") {
		t.Errorf("got exit code %d, %q, want 2 and what is missing", code, c.stderr)
	}
}
