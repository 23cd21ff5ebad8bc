package program

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type options struct {
	addr     string
	receipts string
	partner  string
	durable  string
	riverUI  string
	workers  int
	queue    int
	limit    time.Duration
	slow     time.Duration
	rate     int
}

// parseFlags writes nothing but the help that was asked for; then its error is [flag.ErrHelp].
func parseFlags(args []string, stdout io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("orders", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // it would write the usage below each error
	fs.StringVar(&o.addr, "addr", cmp.Or(os.Getenv("ADDR"), "127.0.0.1:8080"), "`address` to listen on; the environment variable ADDR sets the default")
	fs.StringVar(&o.receipts, "receipts", "receipts", "`directory` where receipts go")
	fs.StringVar(&o.partner, "partner", "", "`URL` that is told of each order; empty means a partner inside this program")
	fs.StringVar(&o.durable, "durable", os.Getenv("DURABLE"), "where orders and what they promise survive a crash: `sqlite`, a file in the directory of the receipts, or a postgres:// URL; empty means nowhere, the environment variable DURABLE sets the default")
	fs.StringVar(&o.riverUI, "river-ui", os.Getenv("RIVER_UI"), "`URL` of River's own page of stored tasks, which is a program of its own (riverqueue.com/docs/river-ui); with -durable the page of tasks links to it. The environment variable RIVER_UI sets the default")
	fs.IntVar(&o.workers, "workers", 8, "tasks that run at once")
	fs.IntVar(&o.queue, "queue", 10_000, "tasks that wait; beyond that an order is answered with 503")
	fs.DurationVar(&o.limit, "limit", 25*time.Second, "time to finish requests and tasks after SIGTERM or Ctrl-C")
	fs.DurationVar(&o.slow, "slow", 300*time.Millisecond, "how long the partner inside this program takes to answer")
	fs.IntVar(&o.rate, "partner-limit", 0, "orders in a second that the partner inside this program hears of; what comes beyond is refused, and waits in its lane. 0 means no limit")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fs.SetOutput(stdout)
			fmt.Fprintln(stdout, "A service that takes orders and leaves the rest to background tasks. Flags:")
			fs.PrintDefaults()
		}
		return options{}, err
	}
	switch {
	case fs.NArg() > 0:
		return options{}, fmt.Errorf("%q is not a flag: there are no other arguments", fs.Arg(0))
	case o.workers < 1:
		return options{}, errors.New("-workers must be 1 or more")
	case o.queue < 1:
		return options{}, errors.New("-queue must be 1 or more")
	case o.limit <= 0:
		return options{}, errors.New("-limit must be more than 0")
	case o.rate < 0:
		return options{}, errors.New("-partner-limit cannot be negative")
	case o.slow < 0:
		return options{}, errors.New("-slow cannot be negative")
	case o.riverUI != "" && !strings.HasPrefix(o.riverUI, "http://") && !strings.HasPrefix(o.riverUI, "https://"):
		return options{}, errors.New("-river-ui must be an http:// or https:// URL")
	case o.durable == "sqlite":
		o.durable = filepath.Join(o.receipts, "orders.db")
	case o.durable != "" && !strings.HasPrefix(o.durable, "postgres://") && !strings.HasPrefix(o.durable, "postgresql://"):
		return options{}, errors.New("-durable must be sqlite or a postgres:// URL")
	}
	return o, nil
}
