package taskpool

import (
	"context"
	"log/slog"
	"time"
)

// callRefused tells Hooks.Refused, if there is one, of what was not accepted.
func (s *scope) callRefused(slots []slot, err error) {
	p := s.pool
	if p.config.Hooks.Refused == nil || len(slots) == 0 {
		return
	}
	j := &job{scope: s} // for the context of a hook that is called for no task
	defer j.endLife()
	jobs := make([]Job, 0, len(slots))
	for _, slot := range slots {
		of, _ := asJob(slot)
		of.Name = nameOf(slot)
		jobs = append(jobs, of)
		if _, of, _ := unpack(slot); of != nil {
			j.inner = of.values()
		}
	}
	defer p.recoverHook(j.ctx(), "Refused")
	p.config.Hooks.Refused(j.ctx(), jobs, err)
}

// callRefusedTasks is callRefused for plain tasks that were to start at once.
func (s *scope) callRefusedTasks(tasks []Task, err error) {
	if s.pool.config.Hooks.Refused == nil {
		return
	}
	slots := make([]slot, len(tasks))
	for i, t := range tasks {
		slots[i] = t
	}
	s.callRefused(slots, err)
}

// callRetried calls Hooks.Retried, if there is one.
func (p *Pool) callRetried(ctx context.Context, j *job, err error, wait time.Duration) {
	if p.config.Hooks.Retried == nil {
		return
	}
	defer p.recoverHook(ctx, "Retried")
	p.config.Hooks.Retried(ctx, nameOf(j), err, wait)
}

// logUnawaited logs a refusal that nobody sees who does not await the promise.
func logUnawaited(to Adder, work any, err error) {
	p, ctx := new(Pool), context.Background()
	switch to := to.(type) {
	case *Pool:
		if to.made() {
			p = to
		}
	case Scope:
		if s := to.scope; s != nil {
			p, ctx = s.pool, s.ctx()
			if inner := to.inner(); inner != nil {
				ctx = inner
			}
		}
	}
	p.log(ctx, slog.LevelWarn, "task refused", slog.String("task", funcName(work)), slog.Any("error", err))
}
