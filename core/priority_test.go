package taskpool_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/elite-libs/taskpool/core"
)

var priorities = []taskpool.Priority{taskpool.PriorityLow, taskpool.PriorityNormal, taskpool.PriorityHigh}

func TestHigherPriorityGoesFirst(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	p.Pause()
	_, s := begin(p, context.Background())
	var order trail
	for i := range 2 {
		for _, pr := range priorities {
			name := fmt.Sprint(strings.ToUpper(pr.String())[:1], i)
			must(t, s.Submit(taskpool.Job{Priority: pr, Run: order.task(name)}))
		}
	}
	must(t, s.Submit(taskpool.Job{Priority: taskpool.PriorityHigh, Start: taskpool.StartAfterResponse, Run: order.task("staged")}))
	must(t, s.Add(order.task("plain")))
	finish(s, taskpool.Outcome{}, taskpool.ReleaseFlushed)
	pending := s.Pending()
	equal(t, "pending", len(pending), 8)
	equal(t, "priority of one that waits", pending[2].Priority, taskpool.PriorityHigh)
	p.Resume()
	drain(t, p)
	equal(t, "order", order.String(), "H0 H1 staged N0 N1 plain L0 L1")
}

func TestNothingStarves(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1, QueueLimit: -1})
	p.Pause()
	var order trail
	names := map[taskpool.Priority]string{taskpool.PriorityLow: "L", taskpool.PriorityNormal: "N", taskpool.PriorityHigh: "H"}
	for range 256 {
		for _, pr := range priorities {
			must(t, p.Submit(taskpool.Job{Priority: pr, Run: order.task(names[pr])}))
		}
	}
	p.Resume()
	drain(t, p)
	got := order.all()
	for i, step := range got[:256] { // while there are some of each
		want := "H"
		switch turn := i + 1; {
		case turn%64 == 0:
			want = "L"
		case turn%16 == 0:
			want = "N"
		}
		if step != want {
			t.Fatalf("turn %d: got %s, want %s", i+1, step, want)
		}
	}
	for name, n := range map[string]int{"H": 256, "N": 256, "L": 256} {
		equal(t, name, strings.Count(order.String(), name), n)
	}
	equal(t, "the end", strings.Join(got[len(got)-200:], ""), strings.Repeat("L", 200))
}

func TestScopesTakeTurnsWithinAPriority(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1})
	p.Pause()
	var order trail
	for _, name := range []string{"a", "b"} {
		_, s := begin(p, context.Background())
		for i := range 2 {
			must(t, s.Submit(taskpool.Job{Run: order.task(fmt.Sprint(name, "-n", i))},
				taskpool.Job{Priority: taskpool.PriorityHigh, Run: order.task(fmt.Sprint(name, "-h", i))}))
		}
	}
	p.Resume()
	drain(t, p)
	equal(t, "order", order.String(), "a-h0 b-h0 a-h1 b-h1 a-n0 b-n0 a-n1 b-n1")
}

func TestFirstInFirstOutWithinEachPriority(t *testing.T) {
	p := newPool(taskpool.Config{Workers: 1, QueueLimit: -1})
	p.Pause()
	_, s := begin(p, context.Background())
	var orders [3]trail
	var want [3][]string
	for i := range 600 {
		of := i * 7 % 3
		name := fmt.Sprint(i)
		want[of] = append(want[of], name)
		must(t, s.Submit(taskpool.Job{Priority: priorities[of], Run: orders[of].task(name)}))
	}
	p.Resume()
	drain(t, p)
	for i := range orders {
		equal(t, priorities[i].String(), orders[i].String(), strings.Join(want[i], " "))
	}
}

func TestUnknownPriorityIsRefused(t *testing.T) {
	p := newPool(taskpool.Config{})
	_, s := begin(p, context.Background())
	for _, pr := range []taskpool.Priority{-128, -2, 2, 127} {
		for _, to := range []taskpool.Adder{p, s.Scope} {
			err := to.Submit(taskpool.Job{Run: nop}, taskpool.Job{Run: nop, Priority: pr})
			if err == nil || !strings.Contains(err.Error(), "unknown Priority") {
				t.Errorf("Submit with %v: %v", pr, err)
			}
		}
	}
	equal(t, "accepted", balanced(t, p).Accepted, 0)
}
