package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/poolpage"
	"github.com/elite-libs/taskpool/core/riverpool"
	"github.com/elite-libs/taskpool/examples/orders"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// Program is what a framework's main serves with.
type Program struct {
	Orders   *orders.Service // the handlers
	Source   taskpool.Source // for the middleware, and for Serve to finish: the pool, or the database's queue in front of it
	Pool     *taskpool.Pool  // where tasks run that are in memory
	Tasks    http.Handler    // the page of what the pool is doing: GET /tasks
	Listener net.Listener    // where to serve; it is listening already
	Limit    time.Duration   // for finishing requests and tasks
}

// Serve answers requests on p.Listener until ctx ends, then stops accepting, finishes requests and tasks within
// p.Limit, and returns what went wrong with that.
type Serve func(ctx context.Context, p Program) error

// Main runs a program with the process's arguments, and ends the process.
func Main(serve Serve) {
	os.Exit(Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr, serve))
}

// Run is Main without the process: it runs until ctx ends, or SIGTERM or an interrupt comes, and all is finished, and
// returns the exit code. That is 0 if every task had the time it needed, 2 if args are wrong, and else 1, with the
// reason as one line on stderr. The log goes to stderr too; stdout gets the command to try and the ledger.
//
// Once the first signal has come, signals have their default effect again: a second one ends the process at once.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, serve Serve) int {
	opts, err := parseFlags(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return complain(stderr, 2, err)
	}
	if err := run(ctx, opts, stdout, stderr, serve); err != nil {
		return complain(stderr, 1, err)
	}
	return 0
}

// complain writes err as one line: joined errors have one each.
func complain(stderr io.Writer, code int, err error) int {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	fmt.Fprintf(stderr, "orders: %s\n", strings.TrimPrefix(text, "orders: "))
	return code
}

func run(ctx context.Context, opts options, stdout, stderr io.Writer, serve Serve) error {
	log := newLogger(stderr)
	ctx, restore := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer restore()
	unlog := context.AfterFunc(ctx, func() {
		restore()
		log.Info("stopping", "limit", opts.limit)
	})
	defer unlog() // before restore, which ends ctx too

	// What tasks use is opened before the pool and closed by these defers, after it is finished.
	receipts, err := orders.OpenReceipts(opts.receipts)
	if err != nil {
		return err
	}
	defer receipts.Close()
	if opts.partner == "" {
		partner, err := startPartner(opts.slow, opts.rate, log)
		if err != nil {
			return err
		}
		defer partner.Close()
		opts.partner = partner.url
	}
	client := newClient(opts.workers)
	defer client.CloseIdleConnections()
	service, err := orders.New(orders.Config{Receipts: receipts, Partner: opts.partner, Client: client, Logger: log})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return fmt.Errorf("%w (-addr, or ADDR in the environment, is where it listens)", err)
	}
	defer ln.Close()

	cuts := new(cut)
	pool := taskpool.New(taskpool.Config{
		Name:       "orders",
		Workers:    opts.workers,
		QueueLimit: opts.queue,
		Lanes:      map[string]taskpool.Lane{orders.PartnerLane: {}}, // its limit is what the partner's answers say
		Logger:     log,
		Hooks:      hooks(log, cuts),
	})
	page := poolpage.New()
	defer page.Close()
	page.Show("orders", pool)
	defer context.AfterFunc(ctx, page.Close)() // its streams must not hold the shutdown up
	var source taskpool.Source = pool
	if opts.durable != "" {
		db, err := service.OpenDatabase(ctx, opts.durable, riverpool.Config{Source: pool, Workers: opts.workers, Logger: log, Hooks: hooks(log, cuts)})
		if err != nil {
			return err
		}
		defer db.Close()
		if err := db.Start(ctx); err != nil {
			return err
		}
		source = db
		page.ShowStored("orders", opts.riverUI, counts(db))
	}
	at := reachable(ln.Addr())
	log.Info("listening", "addr", at)
	fmt.Fprintf(stdout, "\ncurl -i http://%s/orders -d '{\"customer\":\"ada\",\"item\":\"tea\",\"quantity\":2}'\n\nhttp://%s/tasks shows the tasks\n\n", at, at)

	served := serve(ctx, Program{Orders: service, Source: source, Pool: pool, Tasks: page, Listener: ln, Limit: opts.limit})

	// Serve has finished the tasks. If it could not even serve, this finishes it.
	limit, cancel := context.WithTimeout(context.Background(), opts.limit)
	defer cancel()
	_, _ = source.Done(limit) // its error is in served, or says no more than the ledger
	printLedger(stdout, pool.Stats(), cuts)
	if db, ok := source.(orders.Database); ok {
		printStored(stdout, db)
	}
	return served
}

// counts are the stored tasks of a database by state, for the page.
func counts(db orders.Database) func(context.Context) (map[string]int, error) {
	return func(ctx context.Context) (map[string]int, error) {
		by, err := db.Counts(ctx)
		for state, n := range by {
			if n == riverpool.MaxCount {
				delete(by, state)
				by[state+", or more"] = n
			}
		}
		return by, err
	}
}

// newClient is the client for the partner. The default transport would keep two idle connections to it, and open a new
// one for nearly every request of the other workers.
func newClient(workers int) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = workers
	return &http.Client{Transport: &httppool.Transport{Base: transport}} // it paces the lane of the orders' tasks
}

// reachable is an address to connect to: one that listens everywhere is found on localhost.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("localhost:%d", tcp.Port)
	}
	return addr.String()
}

func hooks(log *slog.Logger, cuts *cut) taskpool.Hooks {
	return taskpool.Hooks{
		Ended: func(ctx context.Context, r taskpool.Result) {
			orders.Ended(ctx, r)
			cuts.ended(ctx, r)
			if r.Fate != taskpool.FateFailed && r.Fate != taskpool.FatePanicked { // those the pool logs itself
				log.InfoContext(ctx, "task", "name", r.Name, "fate", r.Fate, "waited", r.Waited, "ran", r.Ran)
			}
		},
		Drained: func(ctx context.Context, r taskpool.Report) {
			log.InfoContext(ctx, "drained", "status", r.Outcome.Status, "succeeded", r.Succeeded, "failed", r.Failed,
				"panicked", r.Panicked, "discarded", r.Discarded, "canceled", r.Canceled, "abandoned", r.Abandoned)
		},
	}
}
