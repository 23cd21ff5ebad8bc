package program

import (
	"context"
	"io"
	"log/slog"

	"github.com/elite-libs/taskpool/examples/orders"
)

// newLogger logs as text, and names the order in every line that is logged with a task's context, so that the lines of
// the pool itself have it too.
func newLogger(w io.Writer) *slog.Logger {
	return slog.New(orderHandler{slog.NewTextHandler(w, nil)})
}

type orderHandler struct{ slog.Handler }

func (h orderHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := orders.ID(ctx); id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("order", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h orderHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return orderHandler{h.Handler.WithAttrs(attrs)}
}

func (h orderHandler) WithGroup(name string) slog.Handler {
	return orderHandler{h.Handler.WithGroup(name)}
}
