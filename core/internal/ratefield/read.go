// Package ratefield reads what the answer of an API says of its rate limits. It knows nothing of pools and lanes, and
// of HTTP no more than names, values and status codes.
//
// It has no list of APIs. The name of a field is taken apart into words: one says that it is of a limit (RateLimit,
// Rate-Limit, Limit, Quota), one what its value is (Limit, Remaining, Reset, Used, Window), and those that are left
// over tell which of several limits it belongs to (Tokens, Daily, Search). Names that nobody has heard of yet are
// understood by that, too. The rows of TestRead say which APIs write what.
package ratefield

import (
	"cmp"
	"math"
	"time"
)

// An Answer is what a limit is read from.
type Answer struct {
	Status int                 // 0: not HTTP
	Header map[string][]string // by name, in any case
	Came   time.Time
}

// A Limit is what an answer says.
type Limit struct {
	Name      string        // of the limit, if it has one
	Limit     int           // 0: not said
	Remaining int           //
	Wait      time.Duration // until the reset, from Came on; 0: not said
	Per       time.Duration // length of a window; 0: not said
	Refused   bool          // the call was, for a limit
	Age       time.Duration // how long the answer has been kept somewhere
	Unread    string        // a field that was not understood, as "name: value"
}

const (
	// MaxWait is the longest that an answer can ask for.
	MaxWait = 24 * time.Hour

	// A refusal that says that something remains is by a limit of which it does not speak. What it says of the reset
	// is of another one, which may be an hour away: a minute is what GitHub asks for then.
	otherLimit = time.Minute

	// An answer whose Date is longer ago than this was kept by a cache that does not say so.
	longPast = 5 * time.Minute

	maxFamilies = 16
	maxCount    = math.MaxInt32
)

// Read reads an answer. ok is false if it says nothing; then only Unread may be set.
func Read(a Answer) (l Limit, ok bool) {
	if s := a.Status; s == 202 || s >= 100 && s < 200 || s >= 300 && s < 400 {
		return Limit{}, false // of the result that takes its time, of a redirect
	}
	r := reading{Answer: a}
	for name, lines := range a.Header {
		r.field(name, lines)
	}
	r.ageOf()
	if r.any {
		l, ok = r.strictest()
	}
	l.Age = r.age
	refused := refusedBy(a.Status)
	wait := r.retryAfter()
	switch {
	case wait > 0 && (a.Status == 0 || a.Status == 200 || a.Status >= 400):
		l.Refused, l.Remaining, l.Wait, ok = true, 0, wait, true
	case refused || a.Status == 503 && (ok || r.retry.any()):
		l.Refused = true
		if l.Remaining > 0 {
			l.Wait = min(l.Wait, otherLimit)
		}
		l.Remaining, ok = 0, true
	case a.Status == 403 && ok && l.Remaining == 0:
		l.Refused = true
	}
	if l.Refused && l.Wait <= 0 && r.kept {
		ok = false // it is over, and nobody was asked
	}
	l.Unread = r.unread
	if !ok {
		return Limit{Unread: r.unread, Age: r.age}, false
	}
	return l, true
}

// refusedBy reports whether a status alone means that there were too many calls: 420 was Twitter's, 529 is
// Anthropic's, 509 is of some web servers.
func refusedBy(status int) bool {
	return status == 429 || status == 420 || status == 509 || status == 529
}

// A reading is an answer that is being read.
type reading struct {
	Answer
	families [maxFamilies]family
	n        int
	any      bool // there is a field of limits, or of when to come again

	date, aged        string
	cached            bool // a cache says that it gave the answer
	kept              bool // … or its Age does
	age, late         time.Duration
	served            time.Time // by the server's clock, when it answered; zero if it does not say
	rateLimit, policy string    // of the IETF
	retry             retry
	unread            string
	global            bool   // the limit is for all
	named             string // how the API calls it
}

// A retry is what says when to come again, in seconds and in milliseconds.
type retry struct{ seconds, millis string }

func (r *retry) any() bool { return r.seconds != "" || r.millis != "" }

// A family is the fields of one limit, by what they say.
type family struct {
	key  string
	name string // the words of it that are no more than that
	unit bool   // it does not count calls
	per  time.Duration
	of   [roles]string
}

// role is what the value of a field is.
type role uint8

const (
	roleNone role = iota
	roleLimit
	roleRemaining
	roleUsed
	roleReset      // a time, or a delay
	roleResetAfter // a delay
	roleResetMs
	roleWindow
	roleWindowMs
	roleBoth // a value such as 3/40
	roles
)

func (r *reading) fail(name, value string) {
	text := name + ": " + value
	if len(text) > 200 {
		text = text[:200]
	}
	if r.unread == "" || text < r.unread { // maps have no order
		r.unread = text
	}
}

// family is the one with that key.
func (r *reading) family(key string) *family {
	for i := range r.families[:r.n] {
		if r.families[i].key == key {
			return &r.families[i]
		}
	}
	if r.n == len(r.families) {
		return nil
	}
	r.families[r.n].key = key
	r.n++
	return &r.families[r.n-1]
}

// ageOf finds out how old the answer is.
func (r *reading) ageOf() {
	var ok bool
	if r.served, ok = date(r.date); !ok {
		r.served = time.Time{}
	}
	if n, ok := number(r.aged); ok && n.value > 0 {
		r.age, r.kept = seconds(n.value), true
	}
	if r.served.IsZero() {
		return
	}
	since := min(r.Came.Sub(r.served), MaxWait)
	switch {
	case r.cached && since > r.age:
		r.age, r.kept = since, true
	case since > longPast && since > r.age:
		r.late = since // or one of the clocks is wrong: a delay may be as it says
	}
}

// until is how long after the answer's coming a moment is that the server tells by its clock.
func (r *reading) until(t time.Time) time.Duration {
	if r.served.IsZero() {
		return t.Sub(r.Came)
	}
	return t.Sub(r.served) - max(r.age, r.late)
}

// strictest is what counts of all that the families and the fields of the IETF say.
func (r *reading) strictest() (best Limit, found bool) {
	take := func(l Limit, unit bool) {
		if unit && l.Remaining > 0 { // nobody knows how much of it a call takes
			return
		}
		if unit {
			l.Limit = 0
		}
		l.Limit, l.Remaining = min(l.Limit, maxCount), min(l.Remaining, maxCount)
		if !found || stricter(l, best) {
			best, found = l, true
		}
	}
	r.structured(take)
	for i := range r.families[:r.n] {
		r.read(&r.families[i], take)
	}
	switch {
	case r.global:
		best.Name = "global"
	case best.Name == "":
		best.Name = r.named
	}
	return best, found
}

func stricter(a, b Limit) bool {
	return cmp.Or(cmp.Compare(a.Remaining, b.Remaining), -cmp.Compare(a.Wait, b.Wait), cmp.Compare(a.Limit, b.Limit), cmp.Compare(a.Name, b.Name)) < 0
}

// read reads a family. Of a list the n-th of each field belong together: as many limits apply, those of a gateway and
// those of the API behind it.
func (r *reading) read(f *family, take func(Limit, bool)) {
	per := f.per
	if n, ok := number(f.of[roleWindow]); ok {
		per = seconds(n.value)
	} else if n, ok := number(f.of[roleWindowMs]); ok {
		per = seconds(n.value / 1000)
	} else if d, err := time.ParseDuration(f.of[roleWindow]); err == nil {
		per = max(d, 0)
	}
	if both := f.of[roleBoth]; both != "" {
		r.both(f, both, per, take)
	}
	remaining := split(f.of[roleRemaining])
	limit := split(f.of[roleLimit])
	used := split(f.of[roleUsed])
	if len(remaining) == 0 && (len(limit) == 0 || len(used) == 0) {
		return
	}
	if len(remaining) > 0 {
		used = nil
	}
	for i := range max(len(remaining), len(used)) {
		l := Limit{Name: f.name, Per: per}
		most, told := number(at(limit, i))
		if told && most.value >= 0 {
			l.Limit = count(most.value)
			l.Per = cmp.Or(l.Per, seconds(most.window))
		}
		if len(remaining) == 0 {
			n, ok := number(used[i])
			if !ok || !told {
				continue
			}
			l.Remaining = max(count(most.value-n.value), 0)
		} else {
			n, ok := number(remaining[i])
			if !ok {
				r.fail("remaining", remaining[i])
				continue
			}
			l.Remaining = count(n.value)
			l.Per = cmp.Or(l.Per, seconds(n.window))
		}
		wait, ok := r.reset(f, i)
		switch {
		case ok && wait <= 0:
			continue // the window has passed, and of the next it says nothing
		case ok:
			l.Wait = min(wait, MaxWait)
		case l.Remaining == 0 && l.Per > 0:
			l.Wait = min(l.Per, MaxWait) // not longer than a whole window
		}
		l.Per = min(l.Per, MaxWait)
		take(l, f.unit)
	}
}

// both reads what one field says of a limit and its use: 3/40, a=3/40, total=40; remaining=37; resets=60.
func (r *reading) both(f *family, value string, per time.Duration, take func(Limit, bool)) {
	l := Limit{Name: f.name, Per: min(per, MaxWait)}
	if used, limit, ok := ratio(value); ok {
		l.Limit, l.Remaining = count(limit), max(count(limit-used), 0)
		take(l, f.unit)
		return
	}
	limit, remaining, reset := dictionary(value)
	n, ok := number(remaining)
	if !ok {
		return
	}
	l.Remaining = count(n.value)
	if n, ok := number(limit); ok {
		l.Limit = count(n.value)
	}
	if wait, ok := r.moment(reset, false); ok {
		if wait <= 0 {
			return
		}
		l.Wait = min(wait, MaxWait)
	}
	take(l, f.unit)
}

// reset is how long after the answer the i-th window of the family ends; ok is false if that is not said.
func (r *reading) reset(f *family, i int) (wait time.Duration, ok bool) {
	if s := at(split(f.of[roleResetAfter]), i); s != "" {
		if wait, ok = r.delay(s); ok {
			return wait, true
		}
		r.fail("reset after", s)
	}
	if s := at(split(f.of[roleResetMs]), i); s != "" {
		if n, ok := number(s); ok {
			return r.millis(n.value), true
		}
		r.fail("reset", s)
	}
	s := at(split(f.of[roleReset]), i)
	if s == "" {
		return 0, false
	}
	if wait, ok = r.moment(s, true); !ok {
		r.fail("reset", s)
	}
	return wait, ok
}

// retryAfter is how long the answer asks to wait: the longest of all that it says of that.
func (r *reading) retryAfter() (wait time.Duration) {
	for _, s := range split(r.retry.seconds) {
		d, ok := r.moment(s, true)
		if !ok {
			r.fail("retry-after", s)
		}
		wait = max(wait, d)
	}
	for _, s := range split(r.retry.millis) {
		n, ok := number(s)
		if !ok {
			r.fail("retry-after-ms", s)
		}
		wait = max(wait, r.millis(n.value))
	}
	return min(wait, MaxWait)
}

func at(list []string, i int) string {
	switch {
	case i < len(list):
		return list[i]
	case len(list) > 0:
		return list[len(list)-1]
	}
	return ""
}

func count(n float64) int { return int(min(max(n, 0), maxCount)) }
