package poolpage

import (
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// SetLanes has the lanes of the first pool come from elsewhere.
func (p *Page) SetLanes(of func() []taskpool.LaneStats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pools[0].lanes.of = of
}

// SlowDown has each look at the first pool take longer.
func (p *Page) SlowDown(by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.pools[0]
	w.snapshot = func(limit int) taskpool.Snapshot {
		time.Sleep(by)
		return w.pool.Snapshot(limit)
	}
	w.stats = func() taskpool.Stats {
		time.Sleep(by)
		return w.pool.Stats()
	}
}
