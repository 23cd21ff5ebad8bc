package otelpool_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/otelpool"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

func TestObserveReportsLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTelescope()
		p := taskpool.New(taskpool.Config{Lanes: map[string]taskpool.Lane{"bank": {Limit: 1}, "mail": {Rate: 1, Per: time.Minute}}})
		registration, err := otelpool.Observe(p, s.Options)
		if err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		wait := func(context.Context) error { <-gate; return nil }
		for _, j := range []taskpool.Job{{Lane: "bank", Run: wait}, {Lane: "bank", Run: wait}, {Lane: "bank", Run: wait}, {Lane: "mail", Run: nop}, {Lane: "mail", Run: nop}} {
			if err := p.Submit(j); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		time.Sleep(20 * time.Second)
		same(t, "tasks", s.points(t, "taskpool.lane.tasks"), map[string]string{
			"messaging.system=taskpool taskpool.lane=bank taskpool.state=running": "1", "messaging.system=taskpool taskpool.lane=bank taskpool.state=queued": "2",
			"messaging.system=taskpool taskpool.lane=mail taskpool.state=running": "0", "messaging.system=taskpool taskpool.lane=mail taskpool.state=queued": "1",
		})
		same(t, "held", s.points(t, "taskpool.lane.held"), map[string]string{
			"messaging.system=taskpool taskpool.lane=bank": "0", "messaging.system=taskpool taskpool.lane=mail": "40",
		})
		close(gate)
		drain(t, p)
		if err := registration.Unregister(); err != nil {
			t.Error(err)
		}
		equal(t, "once it is unregistered", len(s.points(t, "taskpool.lane.tasks")), 0)
	})
}

// A lane that is not configured is forgotten with its last task, and with it what it has counted.
func TestRefusedCallsOfALaneThatWasForgottenStayCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTelescope()
		p := taskpool.New(taskpool.Config{})
		if _, err := otelpool.Observe(p, s.Options); err != nil {
			t.Fatal(err)
		}
		const of = "messaging.system=taskpool taskpool.lane=api"
		for total, calls := range []int{2, 1} {
			for range calls {
				if err := p.Submit(taskpool.Job{Lane: "api", Run: func(ctx context.Context) error {
					taskpool.Throttle(ctx, taskpool.RateLimit{Refused: true, Reset: time.Now().Add(time.Second)})
					return nil
				}}); err != nil {
					t.Fatal(err)
				}
				drain(t, p)
			}
			same(t, "refused", s.points(t, "taskpool.lane.refused"), map[string]string{of: fmt.Sprint(total + 2)})
			time.Sleep(24 * time.Hour)
			equal(t, "lanes a day later", len(p.Lanes()), 0)
			equal(t, "what is reported of them", len(s.points(t, "taskpool.lane.refused")), 0)
		}
	})
}

func TestLanesThatAreEndlessShareOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTelescope()
		s.reader = sdkmetric.NewManualReader()
		s.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.reader), sdkmetric.WithCardinalityLimit(5000))
		now, reads := time.Now(), 0
		takes := time.Duration(0)
		_, err := otelpool.ObserveOf(func() taskpool.Stats { return taskpool.Stats{} }, func() (all []taskpool.LaneStats) {
			reads++
			time.Sleep(takes)
			for i := range 1000 {
				all = append(all, taskpool.LaneStats{Name: fmt.Sprintf("tenant %03d", i), Waiting: 2, Running: 1, Refused: 1, Until: now.Add(time.Duration(1000-i) * time.Second)})
			}
			return all
		}, s.Options)
		if err != nil {
			t.Fatal(err)
		}
		tasks := s.points(t, "taskpool.lane.tasks")
		equal(t, "points", len(tasks), 2*101)
		equal(t, "the others", tasks["messaging.system=taskpool taskpool.lane=_OTHER taskpool.state=queued"], "1800")
		equal(t, "one of them", tasks["messaging.system=taskpool taskpool.lane=tenant 099 taskpool.state=running"], "1")
		equal(t, "how long the others are held", s.points(t, "taskpool.lane.held")["messaging.system=taskpool taskpool.lane=_OTHER"], "900")
		for name := range s.points(t, "taskpool.lane.refused") {
			if strings.Contains(name, "_OTHER") {
				t.Error("the refused calls of others are counted, whose sum falls")
			}
		}

		reads, takes = 0, time.Second
		for range 60 { // collected each second, they are read at 0, 21 and 42 s
			before := time.Now()
			tasks := s.points(t, "taskpool.lane.tasks")
			equal(t, "the others, again", tasks["messaging.system=taskpool taskpool.lane=_OTHER taskpool.state=queued"], "1800")
			time.Sleep(time.Second - time.Since(before))
		}
		equal(t, "reads in a minute", reads, 3)
	})
}

// The hooks of two calls may write to one provider.
func TestWhatTwoHooksCountAddsUp(t *testing.T) {
	s := newTelescope()
	for range 2 {
		p := s.pool(t, taskpool.Config{})
		if err := p.Submit(taskpool.Job{Name: "x", Run: nop}); err != nil {
			t.Fatal(err)
		}
		drain(t, p)
	}
	for range 2 { // a second time nothing has been added
		same(t, "ended", s.points(t, "taskpool.task.ended"), map[string]string{"messaging.destination.name=x messaging.system=taskpool taskpool.fate=succeeded": "2"})
	}
}
