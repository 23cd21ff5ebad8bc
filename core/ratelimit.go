package taskpool

import (
	"math"
	"strings"
	"time"
)

// A RateLimit is what an API said of how much it still allows.
type RateLimit struct {
	Limit     int       // calls in a window; 0 if that was not said
	Remaining int       // calls that are left until Reset
	Reset     time.Time // when the window ends
}

const (
	maxWait     = 24 * time.Hour
	maxCount    = math.MaxInt32
	maxNumber   = 1_000_000_000_000_000
	maxPolicies = 16

	// From here on a number in a Reset header is a time since 1970. The first is
	// a delay of three years or a day in 1973, so that the year 2000, where the
	// clock of testing/synctest starts, is a time too.
	epochSeconds = 100_000_000
	epochMillis  = 100_000_000_000
)

// ParseRateLimit reads what an API allows from the header of its answer. It
// reports false if the answer does not say, with a Reset after now, how much
// remains until then: a hint without a Reset cannot pace. A nil get is an
// answer without header fields. It never panics unless get does.
//
// The first of these that says it counts, alone:
//
//  1. Retry-After, seconds or an HTTP date (RFC 9110, section 10.2.3). Nothing
//     remains until then. The limit is that of what follows.
//  2. RateLimit, as in draft-ietf-httpapi-ratelimit-headers, with the limit of
//     the RateLimit-Policy of the same name, and its whole window where the item
//     gives no time. Of several items the lowest remainder counts, and of equal
//     ones the latest reset; one whose quota unit is not requests counts only
//     when nothing remains of it. The draft's version 07 wrote limit=100,
//     remaining=50, reset=30 in this field. At most 16 items are read.
//  3. RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset, as in that
//     draft up to version 06 and as GitLab sends them (GitLab Docs, Rate limits:
//     Response headers).
//  4. X-RateLimit-Limit and so on (GitHub Docs, Rate limits for the REST API).
//  5. X-Rate-Limit-Limit and so on (X Developer Platform, Rate limits).
//
// In 3 to 5 the limit may be missing; of a list the first number counts. A Reset
// below 100 000 000 is a delay in seconds, from there on a Unix time in seconds,
// and from 100 000 000 000 on one in milliseconds. An HTTP date is understood too.
//
// Dates and Unix times are the server's. Where the answer has a Date, Reset is
// as long after now as that time is after Date, whatever either clock says: late
// by the answer's way here and the fraction of a second that Date omits, never early.
//
// Reset is at most 24 hours after now, a count at most 2 147 483 647; more is
// taken for that. A fraction of a second counts as a whole one, a fraction of a
// call as none. What cannot be read is as if it were absent: other text,
// negative numbers, a reset that has passed.
//
// The header of a net/http response is passed as resp.Header.Get, or joined with
// commas where a field may have several lines. The names that get is asked for
// are in net/http's canonical form, X-Ratelimit-Limit, which costs Get no
// allocation; any other get is to ignore case.
func ParseRateLimit(get func(header string) string, now time.Time) (RateLimit, bool) {
	if get == nil {
		return RateLimit{}, false
	}
	a := answer{get, now}
	r, ok := a.quota()
	if wait, later := a.wait(get("Retry-After"), false); later {
		return RateLimit{Limit: r.Limit, Reset: now.Add(wait)}, true
	}
	return r, ok
}

// An answer is the header of a response, and when it came.
type answer struct {
	get func(string) string
	now time.Time
}

// quota is what the answer says by any field but Retry-After.
func (a answer) quota() (r RateLimit, ok bool) {
	if r, ok = a.structured(); ok {
		return r, true
	}
	for _, names := range [...]struct{ limit, remaining, reset string }{
		{"Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset"},
		{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"},
		{"X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"},
	} {
		if remaining := a.get(names.remaining); remaining != "" {
			if r, ok = a.limit(a.get(names.limit), remaining, a.get(names.reset)); ok {
				return r, true
			}
		}
	}
	return RateLimit{}, false
}

// limit puts together what three header values say.
func (a answer) limit(limit, remaining, reset string) (r RateLimit, ok bool) {
	if r.Remaining, ok = count(remaining); !ok {
		return RateLimit{}, false
	}
	wait, ok := a.wait(reset, true)
	if !ok {
		return RateLimit{}, false
	}
	r.Limit, _ = count(limit)
	r.Reset = a.now.Add(wait)
	return r, true
}

// wait is how long after now the time in s is, which is more than zero. A large
// number is a Unix time if epoch says so.
func (a answer) wait(s string, epoch bool) (d time.Duration, ok bool) {
	if n, more, ok := number(s); ok {
		switch {
		case epoch && n >= epochMillis:
			d = a.until(time.UnixMilli(n + more))
		case epoch && n >= epochSeconds:
			d = a.until(time.Unix(n+more, 0))
		default:
			d = time.Duration(min(n+more, int64(maxWait/time.Second))) * time.Second
		}
	} else if t, ok := parseDate(s); ok {
		d = a.until(t)
	}
	return min(d, maxWait), d > 0
}

// until is how long after the answer t is, by the clock of the server if the
// answer tells it.
func (a answer) until(t time.Time) time.Duration {
	if date, ok := parseDate(a.get("Date")); ok {
		return t.Sub(date)
	}
	return t.Sub(a.now)
}

// structured reads RateLimit and RateLimit-Policy.
func (a answer) structured() (best RateLimit, found bool) {
	field := a.get("Ratelimit")
	if field == "" {
		return RateLimit{}, false
	}
	var items, policies [maxPolicies]item
	n := parseItems(field, &items)
	known := parseItems(a.get("Ratelimit-Policy"), &policies)

	var limit, remaining, reset string // of version 07
	for _, it := range items[:n] {
		switch it.name {
		case "limit":
			limit = it.value
		case "remaining":
			remaining = it.value
		case "reset":
			reset = it.value
		}
		var p item
		for i := range policies[:known] {
			if policies[i].name == it.name {
				p = policies[i]
				break
			}
		}
		r, ok := a.policy(it, p)
		if ok && (!found || r.Remaining < best.Remaining || r.Remaining == best.Remaining && r.Reset.After(best.Reset)) {
			best, found = r, true
		}
	}
	if !found {
		return a.limit(limit, remaining, reset)
	}
	return best, true
}

// policy is what the item of one policy says, p being the policy if it is known.
func (a answer) policy(it, p item) (r RateLimit, ok bool) {
	if r.Remaining, ok = count(it.r); !ok {
		return RateLimit{}, false
	}
	window := it.t
	if _, _, told := number(window); !told {
		window = p.w
	}
	wait, ok := a.wait(window, false)
	if !ok {
		return RateLimit{}, false
	}
	r.Reset = a.now.Add(wait)
	if p.qu == "" || p.qu == `"requests"` {
		r.Limit, _ = count(p.q)
		return r, true
	}
	return r, r.Remaining == 0
}

// An item is a member of a list with its parameters, or of a dictionary: bare
// items as they were written, strings in their quotes.
type item struct {
	name, value    string
	r, t, q, w, qu string
}

// parseItems reads a structured field (RFC 9651) as far as rate limits need it,
// and says how many items it put into items. A field with an error has none.
func parseItems(s string, items *[maxPolicies]item) (n int) {
	s = strings.Trim(s, " \t")
	for s != "" {
		it, rest, ok := parseItem(s)
		if !ok {
			return 0
		}
		if n < len(items) {
			items[n] = it
			n++
		}
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			return n
		}
		if rest[0] != ',' {
			return 0
		}
		s = strings.TrimLeft(rest[1:], " \t")
	}
	return 0
}

// parseItem reads the item that s starts with.
func parseItem(s string) (it item, rest string, ok bool) {
	it.name, it.value, s, ok = parsePair(s)
	for ok && s != "" && s[0] == ';' {
		var key, value string
		if key, value, s, ok = parsePair(strings.TrimLeft(s[1:], " ")); !ok {
			break
		}
		switch key {
		case "r":
			it.r = value
		case "t":
			it.t = value
		case "q":
			it.q = value
		case "w":
			it.w = value
		case "qu":
			it.qu = value
		}
	}
	return it, s, ok
}

// parsePair reads a bare item, and another if there is = between them.
func parsePair(s string) (key, value, rest string, ok bool) {
	if key, rest, ok = parseBare(s); ok && rest != "" && rest[0] == '=' {
		value, rest, ok = parseBare(rest[1:])
	}
	return key, value, rest, ok
}

// parseBare reads a string, a byte sequence, or what ends at a delimiter.
func parseBare(s string) (bare, rest string, ok bool) {
	end := strings.IndexAny(s, " \t,;=\"")
	switch {
	case strings.HasPrefix(s, `"`):
		for end = 1; end < len(s) && s[end] != '"'; end++ {
			if s[end] == '\\' {
				end++
			}
		}
		end++
	case strings.HasPrefix(s, ":"):
		end = strings.IndexByte(s[1:], ':')
		if end < 0 {
			return "", "", false
		}
		end += 2
	case end < 0:
		end = len(s)
	}
	if end == 0 || end > len(s) {
		return "", "", false
	}
	return s[:end], s[end:], true
}

// count reads a number of calls.
func count(s string) (int, bool) {
	n, _, ok := number(s)
	return int(min(n, maxCount)), ok
}

// number reads the first number of a list, which may have a decimal fraction:
// more is 1 if that is not zero.
func number(s string) (n, more int64, ok bool) {
	if end := strings.IndexAny(s, ",;"); end >= 0 {
		s = s[:end]
	}
	whole, fraction, point := strings.Cut(strings.Trim(s, " \t"), ".")
	if whole == "" || point && fraction == "" {
		return 0, 0, false
	}
	for i := range len(whole) {
		digit := whole[i] - '0'
		if digit > 9 {
			return 0, 0, false
		}
		n = min(n*10+int64(digit), maxNumber)
	}
	for i := range len(fraction) {
		digit := fraction[i] - '0'
		if digit > 9 {
			return 0, 0, false
		}
		if digit > 0 {
			more = 1
		}
	}
	return n, more, true
}

// parseDate reads the three forms of an HTTP date (RFC 9110, section 5.6.7).
func parseDate(s string) (time.Time, bool) {
	if s = strings.Trim(s, " \t"); len(s) < len(time.ANSIC) || len(s) > 40 {
		return time.Time{}, false // spares the error that quotes it
	}
	for _, layout := range [...]string{
		"Mon, 02 Jan 2006 15:04:05 GMT",
		"Monday, 02-Jan-06 15:04:05 GMT",
		time.ANSIC,
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
