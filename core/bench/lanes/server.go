package lanes

import (
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// A model is a server's limit. It is used by one goroutine at a time.
type model interface {
	take(now time.Time) bool          // counts a call, unless it is refused
	end()                             // of a call that was taken
	free(now time.Time) time.Duration // until one is taken again; 0 if at once
	state(now time.Time) state
}

// A state is what a server can say of its limit.
type state struct {
	limit, remaining int
	reset            time.Duration // as the model's kind is told: until the window ends, or all has come back
	window           time.Duration
}

// fixed is so many calls in each window of the clock.
type fixed struct {
	limit  int
	window time.Duration
	ends   time.Time
	used   int
}

func (f *fixed) turn(now time.Time) {
	if !now.Before(f.ends) {
		f.used, f.ends = 0, now.Truncate(f.window).Add(f.window)
	}
}

func (f *fixed) take(now time.Time) bool {
	f.turn(now)
	if f.used >= f.limit {
		return false
	}
	f.used++
	return true
}

func (f *fixed) end() {}

func (f *fixed) free(now time.Time) time.Duration {
	f.turn(now)
	if f.used < f.limit {
		return 0
	}
	return f.ends.Sub(now)
}

func (f *fixed) state(now time.Time) state {
	f.turn(now)
	return state{f.limit, f.limit - f.used, f.ends.Sub(now), f.window}
}

// sliding is so many calls in any period of that length.
type sliding struct {
	limit  int
	window time.Duration
	taken  []time.Time
}

func (s *sliding) forget(now time.Time) {
	for len(s.taken) > 0 && !now.Before(s.taken[0].Add(s.window)) {
		s.taken = s.taken[1:]
	}
}

func (s *sliding) take(now time.Time) bool {
	s.forget(now)
	if len(s.taken) >= s.limit {
		return false
	}
	s.taken = append(s.taken, now)
	return true
}

func (s *sliding) end() {}

func (s *sliding) free(now time.Time) time.Duration {
	s.forget(now)
	if len(s.taken) < s.limit {
		return 0
	}
	return s.taken[0].Add(s.window).Sub(now)
}

func (s *sliding) state(now time.Time) state {
	s.forget(now)
	st := state{limit: s.limit, remaining: s.limit - len(s.taken), window: s.window}
	if len(s.taken) > 0 {
		st.reset = s.taken[0].Add(s.window).Sub(now)
	}
	return st
}

// bucket holds so many tokens, and gets so many a second.
type bucket struct {
	size   float64
	rate   float64
	tokens float64
	at     time.Time
}

func (b *bucket) fill(now time.Time) {
	if b.at.IsZero() {
		b.tokens, b.at = b.size, now
	}
	b.tokens = min(b.size, b.tokens+b.rate*now.Sub(b.at).Seconds())
	b.at = now
}

const almost = 1e-6 // what sums of fractions are off by

func (b *bucket) take(now time.Time) bool {
	b.fill(now)
	if b.tokens < 1-almost {
		return false
	}
	b.tokens = max(b.tokens-1, 0)
	return true
}

func (b *bucket) end() {}

func (b *bucket) free(now time.Time) time.Duration {
	b.fill(now)
	if b.tokens >= 1-almost {
		return 0
	}
	return seconds((1 - b.tokens) / b.rate)
}

func (b *bucket) state(now time.Time) state {
	b.fill(now)
	return state{int(b.size), int(b.tokens + almost), seconds((b.size - b.tokens) / b.rate), seconds(b.size / b.rate)}
}

// parallel is so many calls at once.
type parallel struct{ limit, running int }

func (p *parallel) take(time.Time) bool {
	if p.running >= p.limit {
		return false
	}
	p.running++
	return true
}

func (p *parallel) end() { p.running-- }

func (p *parallel) free(time.Time) time.Duration {
	if p.running < p.limit {
		return 0
	}
	return time.Millisecond
}

func (p *parallel) state(time.Time) state {
	return state{limit: p.limit, remaining: p.limit - p.running}
}

// both is two limits at once. What is told is the one that is nearer to its end.
type both struct{ a, b model }

func (b *both) take(now time.Time) bool {
	if b.a.free(now) > 0 || b.b.free(now) > 0 {
		return false
	}
	return b.a.take(now) && b.b.take(now)
}

func (b *both) end() {}

func (b *both) free(now time.Time) time.Duration { return max(b.a.free(now), b.b.free(now)) }

func (b *both) state(now time.Time) state {
	x, y := b.a.state(now), b.b.state(now)
	if y.remaining < x.remaining {
		return y
	}
	return x
}

// shared is a limit of which another process takes a part, at random moments.
type shared struct {
	model
	every time.Duration // on average
	next  time.Time
	rnd   *rand.Rand
}

func (s *shared) others(now time.Time) {
	if s.next.IsZero() {
		s.next = now
	}
	for !s.next.After(now) {
		s.model.take(s.next)
		s.next = s.next.Add(time.Duration(s.rnd.ExpFloat64() * float64(s.every)))
	}
}

func (s *shared) take(now time.Time) bool          { s.others(now); return s.model.take(now) }
func (s *shared) free(now time.Time) time.Duration { s.others(now); return s.model.free(now) }
func (s *shared) state(now time.Time) state        { s.others(now); return s.model.state(now) }

// A dialect is how a server tells of its limit.
type dialect string

const (
	fields dialect = "X-RateLimit" // X-RateLimit-*, with a Unix time, and Retry-After
	ietf   dialect = "RateLimit"   // RateLimit and RateLimit-Policy, and Retry-After
	exact  dialect = "durations"   // X-RateLimit-*-Requests as OpenAI has them, with durations, and Retry-After-Ms
	retry  dialect = "Retry-After" // that alone, with refusals
	silent dialect = "none"
)

// header is what a server says in its dialect.
func (d dialect) header(m model, now time.Time, ok bool) http.Header {
	h := http.Header{"Date": {now.UTC().Format(http.TimeFormat)}}
	if d == silent {
		return h
	}
	switch {
	case ok:
	case d == exact:
		h.Set("Retry-After-Ms", strconv.FormatInt(m.free(now).Milliseconds()+1, 10))
	default:
		h.Set("Retry-After", strconv.Itoa(max(ceil(m.free(now)), 1)))
	}
	st := m.state(now)
	switch {
	case d == retry || st.window == 0:
	case d == fields:
		h.Set("X-RateLimit-Limit", strconv.Itoa(st.limit))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(st.remaining))
		h.Set("X-RateLimit-Reset", strconv.FormatInt(int64(math.Ceil(float64(now.Add(st.reset).UnixMilli())/1000)), 10))
	case d == exact:
		h.Set("X-RateLimit-Limit-Requests", strconv.Itoa(st.limit))
		h.Set("X-RateLimit-Remaining-Requests", strconv.Itoa(st.remaining))
		h.Set("X-RateLimit-Reset-Requests", (st.reset.Truncate(time.Millisecond) + time.Millisecond).String())
	case d == ietf:
		h.Set("RateLimit-Policy", `"default";q=`+strconv.Itoa(st.limit)+";w="+strconv.Itoa(ceil(st.window)))
		h.Set("RateLimit", `"default";r=`+strconv.Itoa(st.remaining)+";t="+strconv.Itoa(ceil(st.reset)))
	}
	return h
}

func ceil(d time.Duration) int { return int(math.Ceil(d.Seconds() - almost)) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
