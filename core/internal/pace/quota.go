package pace

import "slices"

const (
	// Resets that lie within this of each other are the same: they are told in whole seconds.
	sameReset = 2 * second

	// maxQuotas bounds what an API that tells of ever new limits can make a Pace remember.
	maxQuotas = 8

	// After so many mistakes what is thought of how a quota fills is not believed any more, only its reset.
	maxWrong = 3
)

// A quota is what answers said of one limit.
type quota struct {
	name   string
	limit  int
	left   int     // as told
	told   int64   // when
	budget float64 // how many calls may still start, at told
	reset  int64   // 0 if it was not said
	first  int64   // the first reset of this window
	early  int64   // the earliest
	passed bool    // the window has passed: it holds nothing, and waits for what is told of the next

	// A quota that slides fills little by little.
	slides   bool
	wrong    int     // how often a call was refused that started because it was thought to have filled
	per      int64   // the length of its window, as told
	span     int64   // … as far as it was seen: the latest reset
	refill   float64 // what comes back, in calls a nanosecond, as measured; 0 if it was not
	since    int64   // when that began
	was      int     // left then
	answered int     // calls since
}

// may reports whether the hint may be of the same limit.
func (q *quota) may(h Hint) bool {
	return q.name == h.Name && (q.limit == h.Limit || q.limit == 0 || h.Limit == 0)
}

// find is the quota that a hint is of, or nil: the one that ends as it says, or, as it may slide, the latest before.
func (p *Pace) find(h Hint) (found *quota) {
	for i := range p.quotas {
		q := &p.quotas[i]
		if !q.may(h) {
			continue
		}
		d := h.Reset - q.reset
		if !q.passed && (-sameReset <= d && d <= sameReset || h.Reset == 0 || q.reset == 0) {
			return q
		}
		if (d > 0 || q.slides) && (found == nil || found.reset < q.reset) {
			found = q
		}
	}
	return found
}

// quota takes in what an answer said of one.
func (p *Pace) quota(now int64, h Hint) {
	q := p.find(h)
	if q == nil {
		if len(p.quotas) == maxQuotas {
			p.quotas = slices.Delete(p.quotas, 0, 1)
		}
		p.quotas = append(p.quotas, quota{name: h.Name, left: h.Remaining, slides: h.Reset == 0, passed: true})
		q = &p.quotas[len(p.quotas)-1]
		q.since, q.was = now, h.Remaining
	}
	q.answered++
	if h.Limit > 0 {
		q.limit = h.Limit
	}
	if h.Per > 0 {
		q.per = h.Per
	}
	later := h.Asked > q.told
	switch {
	case h.Reset == 0:
		q.passed = false
	case q.passed:
		q.slides = q.slides || h.Asked > q.reset && p.refilled(q, h)
		q.passed, q.reset, q.first, q.early = false, h.Reset, h.Reset, h.Reset
	case h.Reset <= q.first+sameReset && !q.slides:
		// Whole seconds are rounded, mostly so that they are late: then the earliest is the best. If that turns out to
		// be too early, the latest.
		if q.early = min(q.early, h.Reset); p.early {
			q.reset = max(q.reset, h.Reset)
		} else {
			q.reset = q.early
		}
	case !q.slides && now >= q.reset-sameReset: // the next window, and a little early
		q.slides = later && p.refilled(q, h)
		q.reset, q.first, q.early = h.Reset, h.Reset, h.Reset
	default:
		q.reset, q.slides = h.Reset, true
	}
	q.span = max(q.span, h.Reset-now)
	if later {
		q.left, q.told = h.Remaining, now
		q.measure(now, p.unanswered)
	} else if h.Remaining <= q.left {
		q.left, q.told = h.Remaining, now
	}
	q.budget = float64(q.left - p.unanswered)
}

// refilled reports whether a window that was followed by this one has given back a part only: it slides. Calls that are
// under way may have taken what is missing.
func (p *Pace) refilled(q *quota, h Hint) bool {
	return q.reset > 0 && h.Remaining < q.limit/2 && 4*p.running <= q.limit
}

// mistaken is told that a call was refused: less remained than was thought.
func (q *quota) mistaken(now int64, unanswered int) {
	if q.left == 0 && q.rate() > 0 {
		q.wrong++
	}
	q.refill *= 0.9
	q.left, q.told, q.budget = 0, now, float64(-unanswered)
	q.since, q.was, q.answered = now, 0, 0
}

// measure finds out how fast the quota fills: what remains more than calls would explain, by the time that took. The
// calls that are under way blur it, so it takes many more of them.
func (q *quota) measure(now int64, unanswered int) {
	if !q.slides || q.answered < 8*(unanswered+1) || now-q.since < second/2 {
		return
	}
	back := float64(q.left-q.was+q.answered) / float64(now-q.since)
	full := q.limit > 0 && q.left >= q.limit-1
	switch {
	case back < 0 || full && back < q.refill: // a full one takes no more
	case q.refill == 0:
		q.refill = back
	default:
		q.refill += (back - q.refill) / 2
	}
	q.since, q.was, q.answered = now, q.left, 0
}

// rate is how fast it fills, a little less than is thought; 0 if that is not known. A limit and the time in which all of
// it comes back say it, as well as measuring does.
func (q *quota) rate() float64 {
	const careful = 0.97
	switch {
	case !q.slides || q.wrong > maxWrong:
		return 0
	case q.limit > 0 && q.per > 0 && q.refill == 0:
		return careful * float64(q.limit) / float64(q.per)
	case q.limit > 0 && q.span > 0 && q.refill == 0:
		return careful * float64(q.limit) / float64(q.span)
	}
	return careful * q.refill
}

// next is when a call may start for all that is known of this quota.
func (q *quota) next(now int64) int64 {
	if q.passed || q.budget >= 1 {
		return 0
	}
	rate := q.rate()
	if rate <= 0 {
		return q.reset
	}
	at := q.told + int64(min((1-q.budget)/rate, float64(hour)))
	if q.reset > 0 { // then it has passed, see forget
		at = min(at, max(q.reset, q.told))
	}
	return at
}

// forget lets the quotas go whose windows have passed. If nothing remained of one, a single call asks what the next
// window allows.
func (p *Pace) forget(now int64) {
	for i := range p.quotas {
		q := &p.quotas[i]
		if q.passed || q.reset > now || q.reset == 0 && (q.budget >= 1 || q.rate() > 0) {
			continue
		}
		q.passed = true
		if q.budget < 1 && !p.trial {
			p.trial, p.tried = true, 0
		}
	}
}
