package orders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

const (
	receiptTimeout = 30 * time.Second
	partnerTimeout = 10 * time.Second
)

// PartnerLane is the lane of the tasks that call the partner. If the client's Transport is an httppool.Transport, it is
// paced by what the partner answers.
const PartnerLane = "partner"

// untilItHears has the partner told again if it was away for a moment or had too much to do. What it refuses for good is
// not tried again: httppool.CheckResponse makes that a taskpool.Permanent error.
var untilItHears = taskpool.Backoff(6, 200*time.Millisecond, 10*time.Second)

// jobs is what an order leaves to the background.
func (s *Service) jobs(rec *record) []taskpool.Job {
	with := func(run func(context.Context, *record) error) taskpool.Task {
		return func(ctx context.Context) error { return run(ctx, rec) }
	}
	jobs := []taskpool.Job{
		{Name: "audit", Run: with(s.audit)},
		{Name: "outcome", Run: s.outcome, Start: taskpool.StartAfterResponse},
		{Name: "alert", Run: with(s.alert), Start: taskpool.StartOnFailure},
	}
	if s.db != nil { // it has the rest
		return jobs
	}
	return slices.Insert(jobs, 2, taskpool.Job{Name: "receipt", Run: with(s.receipt), Start: taskpool.StartOnSuccess, Timeout: receiptTimeout})
}

func (s *Service) audit(ctx context.Context, rec *record) error {
	s.cfg.Logger.InfoContext(ctx, "audit", "customer", rec.order.Customer, "item", rec.order.Item, "quantity", rec.order.Quantity)
	return nil
}

// outcome logs what became of the request: its status, and by which event its response was known to be sent.
func (s *Service) outcome(ctx context.Context) error {
	o, known := taskpool.FromContext(ctx).Outcome()
	if !known {
		return errors.New("orders: started before the response was sent")
	}
	s.cfg.Logger.InfoContext(ctx, "response sent", "status", o.Status, "release", o.Release, "exact", o.Exact())
	return nil
}

func (s *Service) alert(ctx context.Context, rec *record) error {
	s.cfg.Logger.WarnContext(ctx, "alert: an order was lost", "item", rec.order.Item, "quantity", rec.order.Quantity)
	return nil
}

// receipt stores the receipt, then hands over the notification. Staged side by side they would start in this order,
// but on two workers the partner could still hear of a receipt that is not there yet.
func (s *Service) receipt(ctx context.Context, rec *record) error {
	if err := s.storeReceipt(ctx, rec); err != nil {
		return err
	}
	notify := func(ctx context.Context) error { return s.notify(ctx, rec) }
	err := rec.submit(taskpool.FromContext(ctx), taskpool.Job{Name: "notify", Run: notify, Timeout: partnerTimeout, Lane: PartnerLane, Retry: untilItHears})
	if errors.Is(err, taskpool.ErrOverloaded) {
		// No room for a job of its own, and the partner must hear of it: this worker goes on.
		return notify(ctx)
	}
	if err != nil {
		return fmt.Errorf("orders: partner not notified: %w", err)
	}
	return nil
}

func (s *Service) storeReceipt(ctx context.Context, rec *record) error {
	if err := writeReceipt(s.cfg.Receipts, rec.id, rec.receipt()); err != nil {
		return fmt.Errorf("orders: receipt not stored: %w", err)
	}
	return nil
}

// Notice is what the partner is told of an order, as JSON.
type Notice struct {
	ID string `json:"id"`
	Order
	Receipt string `json:"receipt"` // its file's name
}

// notify tells the partner. The request lives as long as the task's context: past the customer's request, not past the
// job's timeout or the end of the pool.
func (s *Service) notify(ctx context.Context, rec *record) error {
	body, err := json.Marshal(Notice{ID: rec.id, Order: rec.order, Receipt: ReceiptFile(rec.id)})
	if err != nil {
		return fmt.Errorf("orders: partner not notified: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.Partner, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("orders: partner not notified: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", rec.id) // it may have heard of it in a try whose answer was lost
	resp, err := s.cfg.Client.Do(req)
	if err != nil {
		return fmt.Errorf("orders: partner not notified: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10)) // so that the connection can be used again; its error changes nothing
	if err := httppool.CheckResponse(resp); err != nil {
		return fmt.Errorf("orders: partner not notified: it answered %s: %w", resp.Status, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("orders: partner not notified: it answered %s", resp.Status)
	}
	return nil
}
