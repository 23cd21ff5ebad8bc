// Package pace is the arithmetic of how fast calls may start, by what is told of an API's limits and by what it accepts
// and refuses. It knows nothing of pools, and has no clock: every method is given the time, in nanoseconds of a clock
// that never goes back.
//
// A Pace keeps three things apart, and a call may start when none of them objects:
//
//   - Quotas are what answers said of windows: so many calls remain until then. A quota whose end moves on with each
//     answer is one that fills again little by little: a sliding window or a bucket. Of such a one the refill is measured.
//   - A hold is what a refusal asks for, or, if it asks for nothing, a wait that grows. When it ends one call goes first.
//   - What was learned: how many calls may run at once, or how many a second, where refusals came that no quota had
//     announced. It grows as calls are accepted, and so finds the limit of an API that says nothing.
package pace

import "math"

// Never is later than any time.
const Never = math.MaxInt64

// A Hint is what one answer said. The zero Hint is an answer that was no refusal and said nothing.
type Hint struct {
	Name             string
	Limit, Remaining int
	Told             bool  // it said what remains
	Reset            int64 // 0: not said
	Per              int64 // 0: not said
	Refused          bool
	Asked            int64 // when the call was made
}

// other reports whether the hint is surely of another limit than the one that is named.
func (h Hint) other(name string) bool { return name != "" && h.Name != "" && name != h.Name }

// Why says what keeps a call from starting.
type Why uint8

// What keeps a call from starting.
const (
	Nothing Why = iota
	Quota       // nothing remains of what an answer told
	Refused     // a refusal
	Probe       // a call that has to be answered before others start
	Learned     // a pace that was learned
	AtOnce      // as many run as were learned to be allowed
)

// A Pace is that of one API. The zero Pace holds nothing back.
type Pace struct {
	running    int // calls
	unanswered int // of them, those of which nothing was told
	quotas     []quota
	early      bool // a reset that was told has once been too early
	limit      int  // of a window, as last told; 0 if it never was
	spoken     bool // it has said of a limit what it is, or that something remains

	hold      int64  // nothing starts before
	holder    string // the limit whose refusal asked for it; empty if it was not named
	several   bool   // … and those of others did, too
	asked     int64  // calls that were asked up to then belong to the last refusal
	last      int64  // how long the last hold was that no answer had told
	trial     bool   // one call goes first, and its answer is awaited
	tried     int64  // when that has started; 0 if it has not
	careful   bool   // the trial is for a refusal
	announced bool   // a quota has announced the last refusal: nothing is to be learned from it
	room      int    // how many may run at once while it opens up again; 0 is any number
	guess     int    // … and how many more may start before it becomes careful again

	learned
}

// Started tells that a call starts, and gives how many run then.
func (p *Pace) Started(now int64) (running int) {
	p.running++
	p.unanswered++
	if p.trial && p.tried == 0 {
		p.tried = now
	}
	if p.room > 0 && p.guess < math.MaxInt {
		if p.guess--; p.guess <= 0 {
			p.room, p.guess = 1, 2*max(p.accepted, 1)
		}
	}
	for i := range p.quotas {
		p.quotas[i].budget--
	}
	p.start(now, p.running == 1)
	return p.running
}

// Ended tells that a call has ended. running is what Started gave; told is whether there was an answer to be told.
func (p *Pace) Ended(now, started int64, running int, told bool) {
	if p.running--; p.running == 0 {
		p.idle = now
	}
	if !told {
		p.unanswered--
		p.accept(now, started, running, false)
	}
}

// Answered tells what the answer to a call was; first is whether it is the call's first one. It reports whether that was
// a refusal. One that says only that nothing remains, of an API that has never said that something does, is a refusal.
func (p *Pace) Answered(now int64, running int, first bool, h Hint) (refused bool) {
	if first {
		p.unanswered--
	}
	p.forget(now)
	if h.Limit > 0 {
		p.limit = h.Limit
	}
	if h.Told && (h.Remaining > 0 || h.Limit > 0 || h.Name != "") {
		p.spoken = true
	}
	if h.Refused || h.Told && h.Remaining == 0 && h.Reset > now && !p.spoken {
		p.refuse(now, running, h)
		return true
	}
	if h.Told && h.Remaining > 0 && h.Asked > p.asked { // what held it holds no more, unless that is surely another limit
		if !p.several && !h.other(p.holder) {
			p.hold = 0
		}
		for i := range p.quotas {
			if q := &p.quotas[i]; q.left == 0 && h.Asked > q.told && !h.other(q.name) {
				q.passed = true
			}
		}
	}
	if h.Told && (h.Reset > now || h.Reset == 0) {
		p.quota(now, h)
	}
	if first {
		p.accept(now, h.Asked, running, h.Told)
	}
	return false
}

// Next is the earliest time at which a call may start: now or before if at once, Never if something that runs has to
// end or be answered first. It may be asked by who has no call to make: nothing is learned from that.
func (p *Pace) Next(now int64) (at int64, why Why) {
	p.forget(now)
	later := func(t int64, w Why) {
		if t > at {
			at, why = t, w
		}
	}
	if p.hold > now {
		later(p.hold, Refused)
	}
	if p.trial && p.tried != 0 && p.running > 0 {
		later(Never, Probe)
	}
	if p.room > 0 && p.running >= p.room {
		later(Never, Probe)
	}
	for i := range p.quotas {
		later(p.quotas[i].next(now), Quota)
	}
	t, w := p.slow(now, p.running)
	later(t, w)
	if at <= now {
		return now, Nothing
	}
	return at, why
}

// Waits tells that there is a call that may not start now.
func (p *Pace) Waits(now int64) {
	if at, _ := p.Next(now); p.idle > 0 && at > now && at != Never {
		p.idle = at // until then it is not for want of calls
	}
	if _, why := p.slow(now, p.running); why == Learned {
		p.slowed, p.keep = true, p.free+keepLearned
	}
}

// Until is the time after which nothing is known that would hold a call back: a Pace may be thrown away then.
func (p *Pace) Until() int64 {
	until := max(p.hold, p.keep)
	for i := range p.quotas {
		if q := &p.quotas[i]; q.reset == 0 && !q.passed {
			until = max(until, q.told+minute)
		} else {
			until = max(until, q.reset)
		}
	}
	return until
}

// refuse takes in a refusal.
func (p *Pace) refuse(now int64, running int, h Hint) {
	same := h.Asked <= p.asked // it was under way when the first of them came
	again := !same && p.careful && p.trial && p.tried != 0 && h.Asked >= p.tried
	if !same && !p.careful && p.trial && p.tried != 0 && h.Asked >= p.tried {
		p.early = true
	}
	if !same && !again {
		p.announced = p.short(h)
	}
	if !p.announced {
		p.fail(running)
	}
	if h.Reset > now {
		p.holdUntil(now, h.Reset, h)
	}
	if same {
		if p.hold > now && !p.trial {
			p.trial, p.tried, p.room = true, 0, 0
		}
		return
	}
	switch {
	case h.Reset > now:
		p.last = 0
	case again && p.last > 0:
		p.last = min(p.last+p.last/2, hour)
		p.holdUntil(now, now+p.last, h)
	default:
		p.last = max(p.took, minHold)
		p.holdUntil(now, now+p.last, h)
	}
	p.asked = now
	p.trial, p.tried, p.room, p.careful = true, 0, 0, true
	for i := range p.quotas {
		if q := &p.quotas[i]; q.slides && !q.passed && !h.other(q.name) {
			q.mistaken(now, p.unanswered)
		}
	}
	if !again && !p.announced {
		p.fall(now)
	}
}

// holdUntil has nothing start before t, for a refusal.
func (p *Pace) holdUntil(now, t int64, h Hint) {
	if now < p.hold && h.Name != p.holder { // of several limits: no answer speaks of all
		p.several = true
	} else if now >= p.hold {
		p.several = false
	}
	if t > p.hold {
		p.hold, p.holder = t, h.Name
	}
}

// short reports whether a quota has announced the refusal: nothing remained of it, or what remained is for calls that
// are under way.
func (p *Pace) short(h Hint) bool {
	for i := range p.quotas {
		if q := &p.quotas[i]; !q.passed && q.budget < 1 && !h.other(q.name) {
			return true
		}
	}
	return false
}

// accept takes in that a call was not refused.
func (p *Pace) accept(now, asked int64, running int, told bool) {
	if asked <= p.asked { // it was under way when a refusal came, and says nothing of what is since
		p.succeedLate(running)
		return
	}
	if took := now - asked; p.took == 0 {
		p.took = took
	} else {
		p.took += (took - p.took) / 8
	}
	if p.trial && p.tried != 0 && asked >= p.tried {
		p.trial, p.hold, p.last = false, 0, 0
		if p.careful {
			p.recover(asked, now)
		}
		switch {
		case told || p.rate > 0 || p.most > 0:
		case p.limit > 0:
			p.room, p.guess = p.limit, math.MaxInt
		case p.careful:
			p.room, p.guess = 1, max(p.before-1, 1)
		}
		p.careful = false
	}
	p.succeed(now, running)
	switch {
	case told:
		p.room = 0
	case p.room > 0 && p.guess < math.MaxInt:
		p.room = min(2*p.room, 1<<20)
	}
}

const (
	second  = 1_000_000_000
	minute  = 60 * second
	hour    = 60 * minute
	minHold = second / 10
)

// Begin is a Pace that takes over while so many calls run, of which it knows nothing.
func Begin(now int64, running int) *Pace {
	p := &Pace{running: running, unanswered: running}
	p.since = now
	return p
}

// A Told is a quota as it stands.
type Told struct {
	Name             string
	Limit, Remaining int
	Reset, Per       int64
}

// Quotas are those that still hold.
func (p *Pace) Quotas(now int64) (all []Told) {
	p.forget(now)
	for _, q := range p.quotas {
		if q.passed {
			continue
		}
		all = append(all, Told{q.name, q.limit, q.left, q.reset, q.per})
	}
	return all
}

// Learned is what refusals have taught: calls a second, and calls at once; 0 is any number.
func (p *Pace) Learned() (rate float64, most int) { return p.rate * second, p.most }
