package orders

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/riverpool"
)

// Config is what a [Service] needs.
type Config struct {
	Receipts *os.Root     // the directory where receipts go; required, and closed by the caller after the last task
	Partner  string       // URL that is told of each order with a POST; required
	Client   *http.Client // for the partner. nil means http.DefaultClient
	Keep     int          // orders held in memory; a newer one takes the place of the oldest. 0 or less means 10 000
	Logger   *slog.Logger // nil means slog.Default()
}

// Service takes orders. It is safe for concurrent use. Make it with [New].
type Service struct {
	cfg    Config
	orders *store
	db     Database // nil without OpenDatabase
}

// New returns a Service, or says what is wrong with cfg.
func New(cfg Config) (*Service, error) {
	if cfg.Receipts == nil {
		return nil, errors.New("orders: a directory for receipts is needed")
	}
	u, err := url.Parse(cfg.Partner)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("orders: partner %q is not an http:// or https:// URL", cfg.Partner)
	}
	if cfg.Client == nil {
		cfg.Client = http.DefaultClient
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 10_000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Service{cfg: cfg, orders: newStore(cfg.Keep)}, nil
}

// Response is what a handler answers, in no framework's terms: a status, headers beside Content-Type, and a value that
// is sent as JSON.
type Response struct {
	Status int
	Header map[string]string
	Body   any
}

// Placed is the body of the answer to an order that was accepted, or rejected for lack of stock.
type Placed struct {
	ID    string `json:"id"`
	Error string `json:"error,omitempty"`
}

// Failure is the body of every other answer that is not a success.
type Failure struct {
	Error string `json:"error"`
}

// Place takes an order: POST /orders. It answers 201 at once, with the order's Location, and leaves the rest to the
// scope in ctx. It answers 400 or 413 to what [Decode] refuses, 409 to more than [Stock], which is an order too and has
// a Location, and 503 if the pool has no room or is being finalized, or the database is away; nothing is stored then.
func (s *Service) Place(ctx context.Context, body io.Reader) Response {
	o, err := Decode(body)
	if err != nil {
		return s.refuse(ctx, err)
	}
	rec := newRecord(o)
	ctx = context.WithValue(ctx, recordKey{}, rec)

	// The tasks are handed over before anything is stored: an overloaded pool says so while nothing needs undoing.
	// Which of the staged ones run is decided by the outcome of the request, not here.
	accept := func() error { return rec.submit(taskpool.FromContext(ctx), s.jobs(rec)...) }
	if s.db == nil {
		err = accept()
	} else {
		err = s.db.put(ctx, rec.stored(), accept)
	}
	if err != nil {
		return s.refuse(ctx, err)
	}
	s.orders.put(rec)

	resp := Response{
		Status: http.StatusCreated,
		Header: map[string]string{"Location": "/orders/" + rec.id},
		Body:   Placed{ID: rec.id},
	}
	if rec.rejected {
		resp.Status = http.StatusConflict
		resp.Body = Placed{ID: rec.id, Error: fmt.Sprintf("orders: no more than %d pieces can be delivered", Stock)}
	}
	// The framework writes the answer next; the task "outcome" says when it has been sent.
	s.cfg.Logger.InfoContext(ctx, "order "+rec.state(), "status", resp.Status)
	return resp
}

// Show answers with one order and the fates of its tasks: GET /orders/{id}.
func (s *Service) Show(ctx context.Context, id string) Response {
	rec := s.orders.get(id)
	if s.db != nil {
		return s.showStored(ctx, id, rec)
	}
	if rec == nil {
		return Response{Status: http.StatusNotFound, Body: Failure{"orders: there is no such order"}}
	}
	return Response{Status: http.StatusOK, Body: rec.view()}
}

// showStored is Show from the database: rec, of what is in memory, is nil for an order of another process.
func (s *Service) showStored(ctx context.Context, id string, rec *record) Response {
	o, delivered, err := s.db.get(ctx, id)
	if err != nil {
		return s.refuse(ctx, err)
	}
	if o.ID == "" {
		return Response{Status: http.StatusNotFound, Body: Failure{"orders: there is no such order"}}
	}
	if rec == nil {
		rec = o.record()
	}
	v := rec.view()
	if !o.Rejected {
		task := TaskView{Name: deliver, Fate: pending}
		if delivered {
			task.Fate = taskpool.FateSucceeded.String()
		}
		v.Tasks = append(v.Tasks, task)
		v.Settled = v.Settled && delivered
	}
	return Response{Status: http.StatusOK, Body: v}
}

// Health answers that the service is up: GET /healthz.
func (s *Service) Health(context.Context) Response {
	return Response{Status: http.StatusOK, Body: map[string]string{"status": "ok"}}
}

// refuse answers for an order of which nothing is kept.
func (s *Service) refuse(ctx context.Context, err error) Response {
	var bad *Error
	resp := Response{Status: http.StatusInternalServerError, Body: Failure{"orders: this cannot be done"}}
	switch {
	case errors.As(err, &bad):
		resp.Status, resp.Body = bad.Status, Failure{bad.Error()}
	case errors.Is(err, taskpool.ErrOverloaded):
		resp.Status, resp.Body = http.StatusServiceUnavailable, Failure{"orders: too much to do"}
		resp.Header = map[string]string{"Retry-After": "1"}
	case errors.Is(err, riverpool.ErrDatabase):
		resp.Status, resp.Body = http.StatusServiceUnavailable, Failure{"orders: the database is away"}
		resp.Header = map[string]string{"Retry-After": "1"}
	case errors.Is(err, taskpool.ErrDone), errors.Is(err, taskpool.ErrScopeClosed):
		resp.Status, resp.Body = http.StatusServiceUnavailable, Failure{"orders: the service is about to stop"}
	}
	level := slog.LevelInfo // the client's fault
	switch resp.Status {
	case http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case http.StatusInternalServerError:
		level = slog.LevelError
	}
	s.cfg.Logger.Log(ctx, level, "order refused", "status", resp.Status, "err", err)
	return resp
}
