package riverpool_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core/riverpool"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// The test binary is a worker process if this names the schema that it works.
const workerEnv = "RIVERPOOL_WORKER"

func TestMain(m *testing.M) {
	if schema := os.Getenv(workerEnv); schema != "" {
		if err := work(schema); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// step is what worker processes do: 20 ms of waiting for somebody else. A run that the end cuts is not done.
var step = riverpool.Define("step", func(ctx context.Context, n note) error {
	fmt.Println("begin", n.Text)
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	fmt.Println("done", n.Text)
	return nil
}, riverpool.Options{Timeout: time.Second})

func work(schema string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, err := pgxpool.ParseConfig(os.Getenv("RIVERPOOL_PG"))
	if err != nil {
		return err
	}
	db, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	q, err := riverpool.New(riverpgxv5.New(db), riverpool.Config{Tasks: tasks(step), Workers: 10, Timeout: time.Second, Schema: schema})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return q.Run(ctx, 10*time.Second)
}

// A crew is worker processes, and what they have done.
type crew struct {
	t      *testing.T
	schema string
	wg     sync.WaitGroup // of the readers

	mu      sync.Mutex // protects what follows
	begun   map[string]int
	done    map[string]int
	byChild []int
	changed chan struct{} // closed at the next change
}

func (c *crew) hire() *exec.Cmd {
	self, err := os.Executable()
	must(c.t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerEnv+"="+c.schema)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(c.t, err)
	must(c.t, cmd.Start())
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		c.t.Fatalf("got %q, %v from a worker", line, err)
	}
	c.mu.Lock()
	n := len(c.byChild)
	c.byChild = append(c.byChild, 0)
	c.mu.Unlock()
	c.wg.Go(func() { c.read(lines, n) })
	return cmd
}

func (c *crew) read(from io.Reader, child int) {
	for lines := bufio.NewScanner(from); lines.Scan(); {
		what, text, _ := strings.Cut(lines.Text(), " ")
		c.mu.Lock()
		if what == "begin" {
			c.begun[text]++
		} else {
			c.done[text]++
			c.byChild[child]++
		}
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
	}
}

// until waits until so many tasks are done.
func (c *crew) until(n int) {
	late := time.After(2 * patience)
	for {
		c.mu.Lock()
		got, changed := len(c.done), c.changed
		c.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-changed:
		case <-late:
			c.t.Fatalf("%d of %d are done", got, n)
		}
	}
}

func end(t *testing.T, workers ...*exec.Cmd) {
	for _, w := range workers {
		must(t, w.Process.Signal(syscall.SIGTERM))
	}
	for _, w := range workers {
		if err := w.Wait(); err != nil {
			t.Errorf("a worker ended with %v", err)
		}
	}
}

// One process stores; two others work.
func TestWorkersShareTheTasks(t *testing.T) {
	postgresURL(t)
	const many = 400
	rate := func(workers int) float64 {
		db := openPostgres(t, 0)
		schema, err := db.query("SELECT current_schema()")
		must(t, err)
		q := made(t, db, riverpool.Config{})
		c := &crew{t: t, schema: schema[0], begun: map[string]int{}, done: map[string]int{}, changed: make(chan struct{})}
		var crew []*exec.Cmd
		for range workers {
			crew = append(crew, c.hire())
		}
		jobs := make([]riverpool.Job, many)
		for i := range jobs {
			jobs[i] = step.Job(note{fmt.Sprint(i)})
		}
		must(t, q.Submit(t.Context(), step.Job(note{"first"})))
		c.until(1) // they are at work
		began := time.Now()
		must(t, q.Submit(t.Context(), jobs...))
		c.until(many + 1)
		took := time.Since(began)
		end(t, crew...)
		c.wg.Wait()
		if len(c.done) != many+1 {
			t.Errorf("%d tasks are done, want %d", len(c.done), many+1)
		}
		for text, n := range c.begun {
			if n != 1 {
				t.Errorf("task %s began %d times", text, n)
			}
		}
		for child, n := range c.byChild {
			if n < many/10 {
				t.Errorf("worker %d did %d of %v", child, n, c.byChild)
			}
		}
		t.Logf("%d workers: %.0f a second, %v", workers, many/took.Seconds(), c.byChild)
		return many / took.Seconds()
	}
	if one, two := rate(1), rate(2); two < 1.3*one { // about twice; this machine may be doing other things
		t.Errorf("two workers did %.0f tasks a second, one %.0f", two, one)
	}
}

// What a worker that is killed had begun goes back when its time is over, and another process does it.
func TestChaosAKilledWorkerLosesNothing(t *testing.T) {
	if os.Getenv("CHAOS") == "" {
		t.Skip("takes a minute: with CHAOS=1")
	}
	t.Parallel()
	postgresURL(t)
	const many = 400
	db := openPostgres(t, 0)
	schema, err := db.query("SELECT current_schema()")
	must(t, err)
	q := made(t, db, riverpool.Config{})
	c := &crew{t: t, schema: schema[0], begun: map[string]int{}, done: map[string]int{}, changed: make(chan struct{})}
	first, second := c.hire(), c.hire()
	for i := range many {
		must(t, q.Submit(t.Context(), step.Job(note{fmt.Sprint(i)})))
		if i == many/2 {
			must(t, first.Process.Kill())
		}
	}
	_ = first.Wait()
	c.until(many)
	end(t, second)
	c.wg.Wait()
	twice := 0
	for _, n := range c.done {
		if n > 1 {
			twice++
		}
	}
	t.Logf("%d done, %d twice, %v", len(c.done), twice, c.byChild)
	if len(c.done) != many {
		t.Errorf("%d tasks are done, want %d", len(c.done), many)
	}
}
