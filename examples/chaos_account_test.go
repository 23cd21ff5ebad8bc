package examples_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func storedIn(t *testing.T, dir string) map[string]int {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]int{}
	for _, file := range files {
		stored[strings.TrimSuffix(filepath.Base(file), ".txt")]++
	}
	return stored
}

// A taskKey is one task of one order.
type taskKey struct{ order, name string }

// An account is what a process that has ended says of itself: in its log as it went, and in the ledger at the end.
type account struct {
	answered map[string]int       // order to status, as the handler logged it
	tasks    map[taskKey][]string // fates, as the pool's hook logged them
	named    map[taskKey][]string // fates, as the ledger names what was cut short
	balance  map[string]int       // the numbers of the ledger
	gaveUp   bool                 // requests were open at half of the limit
	reason   string               // the last line
}

var (
	answeredLine = regexp.MustCompile(`(?m)^time=\S+ level=INFO msg="order (?:accepted|rejected)" status=(201|409) order=(\S+)$`)
	taskLine     = regexp.MustCompile(`(?m)^time=\S+ level=INFO msg=task name=(\S+) fate=(\S+) .* order=(\S+)$`)
	balanceLine  = regexp.MustCompile(`(?m)^ledger: .*$`)
	balanceItem  = regexp.MustCompile(`(\d+) (tasks accepted|[a-z]+)`)
	namedLine    = regexp.MustCompile(`^(canceled|abandoned): (\d+) × (\S+)$`)
	reasonLine   = regexp.MustCompile(`(?m)^orders: .*$`)
)

func readAccount(t *testing.T, c *child) account {
	t.Helper()
	a := account{answered: map[string]int{}, tasks: map[taskKey][]string{}, named: map[taskKey][]string{}, balance: map[string]int{}}
	log, out := c.stderr.String(), c.stdout.String()
	for _, m := range answeredLine.FindAllStringSubmatch(log, -1) {
		a.answered[m[2]], _ = strconv.Atoi(m[1])
	}
	for _, m := range taskLine.FindAllStringSubmatch(log, -1) {
		key := taskKey{m[3], m[1]}
		a.tasks[key] = append(a.tasks[key], m[2])
	}
	a.reason = reasonLine.FindString(log)
	a.gaveUp = strings.Contains(a.reason, "requests were still open")

	line := balanceLine.FindString(out)
	if line == "" {
		t.Fatal("no ledger is printed")
	}
	for _, m := range balanceItem.FindAllStringSubmatch(line, -1) {
		a.balance[m[2]], _ = strconv.Atoi(m[1])
	}
	var fate, name string
	var left int
	for line := range strings.Lines(out[strings.Index(out, "ledger:")+1:]) {
		line = strings.TrimSuffix(line, "\n")
		if m := namedLine.FindStringSubmatch(line); m != nil {
			if left != 0 {
				t.Errorf("the ledger names %d too few of %s %s", left, fate, name)
			}
			fate, name = m[1], m[3]
			left, _ = strconv.Atoi(m[2])
		} else if id, ok := strings.CutPrefix(line, "  order "); ok {
			key := taskKey{id, name}
			a.named[key] = append(a.named[key], fate)
			left--
		}
	}
	if left != 0 || strings.Contains(out, " more\n") {
		t.Errorf("the ledger names too few:\n%s", out)
	}
	return a
}

// lost counts the orders that clients know were placed, and of which something is undone and stands nowhere.
func (a *account) lost(t *testing.T, placed, stored, heard map[string]int) (lost int) {
	t.Helper()
	for id := range placed {
		receipt, notify := a.named[taskKey{id, "receipt"}] != nil, a.named[taskKey{id, "notify"}] != nil
		if stored[id] == 1 || receipt {
			if heard[id] == 1 || receipt || notify {
				continue
			}
		}
		lost++
		t.Errorf("order %s was answered with 201, and has %d receipts, %d notices, and no place in the ledger; its tasks: %v",
			id, stored[id], heard[id], a.fates(id))
	}
	return lost
}

// fates are those of the tasks of one order.
func (a *account) fates(id string) map[string]string {
	fates := map[string]string{}
	for _, name := range []string{"audit", "outcome", "receipt", "alert", "notify"} {
		if f := a.tasks[taskKey{id, name}]; f != nil {
			fates[name] = strings.Join(f, " and ")
		}
	}
	return fates
}

// check compares what the process says with what it has done, for every order, be it that a client saw the answer or not.
func (a *account) check(t *testing.T, stored, heard map[string]int) {
	t.Helper()
	for id, status := range a.answered {
		want := map[string]string{"audit": "succeeded", "outcome": "succeeded", "receipt": "succeeded", "alert": "discarded"}
		if status != 201 {
			want["receipt"], want["alert"] = "discarded", "succeeded"
		}
		got := a.fates(id)
		receipt := got["receipt"] == "succeeded"
		switch {
		case receipt && got["notify"] != "": // else there was no room for it, and the receipt's worker did it
			want["notify"] = "succeeded"
		case heard[id] > 0 && !receipt && a.named[taskKey{id, "receipt"}] == nil:
			t.Errorf("order %s: the partner has heard of it without a receipt", id)
		}
		for name := range want {
			if a.named[taskKey{id, name}] != nil {
				want[name] = a.named[taskKey{id, name}][0]
			}
		}
		checkFates(t, got, want)
		if receipt && stored[id] != 1 {
			t.Errorf("order %s: the receipt succeeded and is not there", id)
		}
		if (got["notify"] == "succeeded" || receipt && got["notify"] == "") && heard[id] != 1 {
			t.Errorf("order %s: the partner has heard %d times of it, want once", id, heard[id])
		}
	}
	for id := range stored {
		if a.answered[id] != 201 {
			t.Errorf("order %s has a receipt, and was not placed", id)
		}
	}
	for id, n := range heard {
		if n != 1 || stored[id] != 1 {
			t.Errorf("order %s: the partner has heard %d times of it, and there are %d receipts", id, n, stored[id])
		}
	}
}

// checkEnd compares the ledger and the exit code with the log.
func (a *account) checkEnd(t *testing.T, how ending, code int) {
	t.Helper()
	want := map[string]int{"succeeded": 0, "failed": 0, "panicked": 0, "discarded": 0, "canceled": 0, "abandoned": 0, "left": 0, "refused": a.balance["refused"]}
	cutShort := map[taskKey][]string{}
	for key, fates := range a.tasks {
		if len(fates) != 1 {
			t.Errorf("task %s of order %s has %d fates: %v", key.name, key.order, len(fates), fates)
		}
		for _, fate := range fates {
			want["tasks accepted"]++
			want[fate]++
			if fate == "canceled" || fate == "abandoned" {
				cutShort[key] = append(cutShort[key], fate)
			}
		}
		if _, ok := a.answered[key.order]; !ok {
			t.Errorf("task %s is of order %s, which was not accepted", key.name, key.order)
		}
	}
	if !maps.Equal(a.balance, want) {
		t.Errorf("the ledger says %v, the log %v", a.balance, want)
	}
	if !maps.EqualFunc(a.named, cutShort, slices.Equal) {
		t.Errorf("the ledger names %v, the log %v", a.named, cutShort)
	}
	if want["failed"]+want["panicked"] != 0 {
		t.Errorf("tasks failed: %v", want)
	}
	wantCode := 0
	if len(cutShort) > 0 || a.gaveUp {
		wantCode = 1
	}
	// Not the program's own Done is what cuts, but the one in Serve, whose error is the reason.
	for _, fate := range []string{"canceled", "abandoned"} {
		n := want[fate]
		if says := fmt.Sprintf("%d task%s %s", n, map[bool]string{false: "s"}[n == 1], fate); n > 0 && !strings.Contains(a.reason, says) {
			t.Errorf("the reason is %q, want %q in it", a.reason, says)
		}
	}
	if code != wantCode || (code == 0) != (a.reason == "") {
		t.Errorf("got exit code %d, %q, want %d: %d tasks were cut short, requests were open: %v", code, a.reason, wantCode, len(cutShort), a.gaveUp)
	}
	if how == finished && code != 0 {
		t.Errorf("got exit code %d, %q, want 0: everything had its time", code, a.reason)
	}
}
