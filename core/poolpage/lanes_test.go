package poolpage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/poolpage"
)

func TestLanesShowWhatLimitsThemAndWhyTheyHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := taskpool.New(taskpool.Config{Workers: 8, Lanes: map[string]taskpool.Lane{
			"bank": {Limit: 1, Queue: 7}, "mail": {Rate: 1, Per: time.Hour}, "<u>api</u>": {}, "sms": {}, "idle": {Limit: 3},
		}})
		gate := make(chan struct{})
		tells := func(r taskpool.RateLimit) taskpool.Task {
			return func(ctx context.Context) error { taskpool.Throttle(ctx, r); return nil }
		}
		submit(t, p,
			taskpool.Job{Lane: "bank", Run: func(context.Context) error { <-gate; return nil }}, taskpool.Job{Lane: "bank", Run: nop}, taskpool.Job{Lane: "bank", Run: nop},
			taskpool.Job{Lane: "mail", Run: nop}, taskpool.Job{Lane: "mail", Run: nop},
			taskpool.Job{Lane: "<u>api</u>", Run: tells(taskpool.RateLimit{Name: "<i>search</i>", Limit: 10, Reset: time.Now().Add(90 * time.Second), Per: 2 * time.Minute})},
			taskpool.Job{Lane: "sms", Run: tells(taskpool.RateLimit{Refused: true, Reset: time.Now().Add(30 * time.Second)})},
		)
		synctest.Wait()
		submit(t, p, taskpool.Job{Lane: "<u>api</u>", Run: nop}, taskpool.Job{Lane: "sms", Run: nop})
		page := poolpage.New()
		page.Show("orders", p)

		_, body, _ := strings.Cut(unlabeled(get(page, "/").Body.String()), "<h3>Lanes <small>5</small></h3>")
		rows := strings.Split(body, "<tr>")
		for _, want := range []string{
			`>bank</td><td>1</td><td>2</td><td class="text">one that runs: its limit</td><td></td><td class="text"><span>1 at once</span><span>7 may wait</span></td><td class="text"></td><td>0</td>`,
			`>&lt;u&gt;api&lt;/u&gt;</td><td>0</td><td>1</td><td class="text">the API: nothing remains</td><td><time datetime="2000-01-01T00:01:30Z">in 1 min 30 s</time></td>` +
				`<td class="text"><span>5000 may wait</span></td><td class="text"><span>&lt;i&gt;search&lt;/i&gt;: 0 of 10 in 2 min 0 s left until <time datetime="2000-01-01T00:01:30Z">`,
			`>sms</td><td>0</td><td>1</td><td class="text">the API: it has refused a call</td><td><time datetime="2000-01-01T00:00:30Z">in 30 s</time></td>`,
			`>mail</td><td>0</td><td>1</td><td class="text">its rate</td><td><time datetime="2000-01-01T01:00:00Z">in 1 h 0 min</time></td><td class="text"><span>1 in 1 h 0 min</span>`,
			`>idle</td><td>0</td><td>0</td><td class="text"></td><td></td><td class="text"><span>3 at once</span>`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("no row has\n%s\nin\n%s", want, strings.Join(rows, "\n"))
			}
		}
		if !strings.Contains(body, `<td class="bad">1</td>`) {
			t.Error("the refused call is not there")
		}

		var got struct {
			Pools []struct{ Lanes []map[string]any }
		}
		if err := json.Unmarshal(get(page, "/?format=json").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"map[block:limit limit:1 name:bank queue:7 refused:0 running:1 waiting:2]",
			"map[block:refusal name:sms queue:5000 refused:1 running:0 until:2000-01-01T00:00:30Z waiting:1]",
			"map[block:hint name:<u>api</u> queue:5000 refused:0 running:0 said:[map[limit:10 name:<i>search</i> per:120 remaining:0 reset:2000-01-01T00:01:30Z]] until:2000-01-01T00:01:30Z waiting:1]",
			"map[block:rate name:mail per:3600 queue:5000 rate:1 refused:0 running:0 until:2000-01-01T01:00:00Z waiting:1]",
			"map[block:none limit:3 name:idle queue:5000 refused:0 running:0 waiting:0]",
		}
		for i, of := range got.Pools[0].Lanes {
			if i >= len(want) || fmt.Sprint(of) != want[i] {
				t.Errorf("lane %d of %d: got %v", i, len(want), of)
			}
		}
		close(gate)
		page.Close()
	})
}

func TestLanesSayWhatWasLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := poolpage.New()
		page.Show("orders", taskpool.New(taskpool.Config{}))
		defer page.Close()
		page.SetLanes(func() []taskpool.LaneStats {
			return []taskpool.LaneStats{
				{Name: "a", AtOnce: 3, PerSec: 12.345, Block: taskpool.BlockLearned}, {Name: "b", Block: taskpool.BlockParallel}, {Name: "c", Block: taskpool.BlockProbe}, {Name: "d", Block: 99},
			}
		})
		body := get(page, "/").Body.String()
		for _, want := range []string{
			"<span>learned: 3 at once</span><span>learned: 12.3 in 1 s</span>", "the pace that refusals taught", "as many do as refusals taught",
			"the answer to a call that goes first", "Block(99)",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("the page has no %q", want)
			}
		}
	})
}

// A pool with a lane for each of 200 000 tenants takes a second or two to tell of them all.
func TestVeryManyLanesAreBoundedAndReadNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, takes = 200_000, 1400 * time.Millisecond
		page := poolpage.New()
		page.Show("orders", taskpool.New(taskpool.Config{}))
		defer page.Close()
		var reads atomic.Int64
		page.SetLanes(func() []taskpool.LaneStats {
			reads.Add(1)
			time.Sleep(takes)
			all := make([]taskpool.LaneStats, many)
			for i := range all {
				all[i] = taskpool.LaneStats{Name: fmt.Sprint("tenant ", i), Waiting: i}
			}
			return all
		})
		begun := time.Now()
		if body := get(page, "/").Body.String(); !strings.Contains(body, "they are being read") {
			t.Error("the first picture does not say that the lanes are being read")
		}
		if took := time.Since(begun); took != 100*time.Millisecond {
			t.Errorf("the first picture took %v, want 100 ms", took)
		}
		time.Sleep(takes)
		body := get(page, "/").Body.String()
		for _, want := range []string{"<small>200000</small>", ">tenant 199999</td>", ">tenant 199950</td>", "and 199950 more"} {
			if !strings.Contains(body, want) {
				t.Errorf("the page has no %q", want)
			}
		}
		if strings.Contains(body, ">tenant 199949<") || strings.Contains(body, " ago: reading") || len(body) > 100_000 {
			t.Errorf("got %d bytes", len(body))
		}
		for time.Since(begun) < time.Minute { // somebody looks
			get(page, "/")
			time.Sleep(500 * time.Millisecond)
		}
		if reads := reads.Load(); reads != 3 { // at 0 s, 1.4 s + 28 s later, and so on
			t.Errorf("in a minute they were read %d times, want 3", reads)
		}
		if body := get(page, "/").Body.String(); !strings.Contains(body, "as they were ") {
			t.Error("the page does not say how old its lanes are")
		}
		time.Sleep(10 * time.Minute) // nobody does
		if reads := reads.Load(); reads != 3 {
			t.Errorf("while nobody looked they were read %d times", reads-3)
		}
	})
}

// A look at a pool holds its lock.
func TestLookThatTakesLongIsFollowedByALongRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := taskpool.New(taskpool.Config{})
		page := poolpage.New()
		page.Show("orders", p)
		defer page.Close()
		page.SlowDown(100 * time.Millisecond)
		get(page, "/") // until 0.1 s
		p.Pause()
		submit(t, p, taskpool.Job{Name: "new", Run: nop})
		time.Sleep(1850 * time.Millisecond)
		if strings.Contains(get(page, "/").Body.String(), "new") {
			t.Error("there was another look before two seconds had passed")
		}
		time.Sleep(200 * time.Millisecond)
		if !strings.Contains(get(page, "/").Body.String(), "new") {
			t.Error("there was no other look after two seconds")
		}
	})
}

func TestNumbersThatTakeLongToNoteAreNotedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := poolpage.New()
		page.Show("orders", taskpool.New(taskpool.Config{}))
		page.SlowDown(100 * time.Millisecond)
		time.Sleep(time.Minute) // at 1 s, and each 5.1 s after that
		page.Close()
		var got struct{ Pools []struct{ History []any } }
		if err := json.Unmarshal(get(page, "/?format=json").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if n := len(got.Pools[0].History); n != 13 { // and now
			t.Errorf("the numbers were noted %d times in a minute, want 13", n)
		}
	})
}
