package taskpool

import "time"

type RateLimit struct {
	Limit, Remaining int
	Reset            time.Time
}
