package poolpage

import taskpool "github.com/elite-libs/taskpool/core"

// SetLanes has the lanes of the first pool come from elsewhere.
func (p *Page) SetLanes(of func() []taskpool.LaneStats) { p.pools[0].lanes.of = of }
