package ratefield

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// From here on a number is a time since 1970. The first is a delay of three years or a day in 1973, so that the year
// 2000, where the clock of testing/synctest starts, is a time too.
const (
	epochSeconds = 1e8
	epochMillis  = 1e11
	epochMicros  = 1e14
	epochNanos   = 1e17
)

// A num is a number with the window that may stand behind it, as in 100;w=60.
type num struct{ value, window float64 }

// number reads a number: 30, 5.5, -3, 1.7E+9, "4", 100;w=60, or the last part of Microsoft.Compute/Get3Min;197.
func number(s string) (n num, ok bool) {
	first, params, _ := strings.Cut(s, ";")
	if n.value, ok = float(first); !ok {
		if i := strings.LastIndexByte(params, ';') + 1; params != "" {
			n.value, ok = float(params[i:])
		}
		return n, ok
	}
	for p := range strings.SplitSeq(params, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(p), "="); key == "w" {
			n.window, _ = float(value)
		}
	}
	return n, true
}

// float reads digits with a sign, a fraction or an exponent, and nothing else that strconv knows.
func float(s string) (float64, bool) {
	s = strings.Trim(s, " \t\"")
	if s == "" || len(s) > 40 || strings.Trim(s, "0123456789.eE+-") != "" || s[0] == '+' || s[len(s)-1] == '.' || s[0] == '.' {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// seconds is so many seconds, a century at most.
func seconds(n float64) time.Duration {
	const century = 100 * 365 * 24 * 3600
	return time.Duration(min(max(n, 0), century) * float64(time.Second))
}

// whole is so many seconds: a fraction counts as a whole one.
func whole(n float64) time.Duration { return seconds(math.Ceil(n)) }

// moment reads a time or a delay, and says how long after the answer's coming it is. ok reports whether it was read;
// what has passed is 0 or less.
func (r *reading) moment(s string, epoch bool) (wait time.Duration, ok bool) {
	if n, ok := number(s); ok {
		if epoch && n.value >= epochSeconds {
			return r.until(sinceEpoch(n.value)), true
		}
		return r.sinceTold(whole(n.value), n.value), true
	}
	if t, ok := date(s); ok {
		return r.until(t), true
	}
	return r.delay(s)
}

// sinceTold is what is left of a delay that an answer told when it was made.
func (r *reading) sinceTold(d time.Duration, told float64) time.Duration {
	if told <= 0 {
		return 0
	}
	return d - r.age
}

// delay reads a delay: a number of seconds, or 6m0s.
func (r *reading) delay(s string) (wait time.Duration, ok bool) {
	if n, ok := number(s); ok {
		return r.sinceTold(whole(n.value), n.value), true
	}
	if len(s) > 40 {
		return 0, false
	}
	d, err := time.ParseDuration(strings.ToLower(strings.TrimSpace(s)))
	if err != nil {
		return 0, false
	}
	return d - r.age, true
}

// millis is a delay of so many milliseconds, or such a time since 1970.
func (r *reading) millis(n float64) time.Duration {
	if n >= epochMillis {
		return r.until(sinceEpoch(n))
	}
	return r.sinceTold(seconds(n/1000), n)
}

func sinceEpoch(n float64) time.Time {
	switch {
	case n >= epochNanos:
		n /= 1e9
	case n >= epochMicros:
		n /= 1e6
	case n >= epochMillis:
		ms := math.Ceil(min(n, 1e16))
		return time.UnixMilli(int64(ms))
	}
	return time.Unix(int64(math.Ceil(min(n, 1e12))), 0)
}

// The forms of dates that are in use: those of RFC 9110, section 5.6.7, with a day of one digit, too; those of mail; and
// of ISO 8601, also without seconds as Jira has them.
var (
	worded  = []string{"Mon, 2 Jan 2006 15:04:05 GMT", "Mon, 2 Jan 2006 15:04:05 -0700", "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC}
	numeric = []string{
		time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00",
		"2006-01-02 15:04:05 GMT", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 -0700 GMT", "2006-01-02 15:04:05",
	}
)

// date reads a date in any of the forms that are in use.
func date(s string) (time.Time, bool) {
	if s = strings.Trim(s, " \t\""); len(s) < len("2006-01-02T15:04Z") || len(s) > 45 || !strings.Contains(s, ":") {
		return time.Time{}, false
	}
	s = strings.ToUpper(s)
	s = strings.Replace(s, "UTC", "GMT", 1)
	leap := time.Duration(0)
	if i := strings.Index(s, ":60"); i > 0 && strings.Count(s[:i], ":") == 1 {
		s, leap = s[:i]+":59"+s[i+3:], time.Second
	}
	layouts := worded
	if s[0] <= '9' {
		layouts = numeric
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 0 {
			return t.Add(leap), true
		}
	}
	return time.Time{}, false
}

// split takes a list apart, but not a date at its comma.
func split(s string) []string {
	if s == "" {
		return nil
	}
	if !strings.Contains(s, ",") {
		return []string{strings.TrimSpace(s)}
	}
	var list []string
	day := ""
	for part := range strings.SplitSeq(s, ",") {
		if len(list) == maxFamilies {
			break
		}
		part = strings.TrimSpace(part)
		switch {
		case day != "":
			part, day = day+", "+part, ""
		case isDay(part):
			day = part
			continue
		}
		if part != "" {
			list = append(list, part)
		}
	}
	return list
}

func isDay(s string) bool {
	if len(s) < 3 || len(s) > len("wednesday") {
		return false
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(s, d.String()) || strings.EqualFold(s, d.String()[:3]) {
			return true
		}
	}
	return false
}

// ratio reads 3/40, also behind a name as in api-usage=3/40.
func ratio(s string) (used, limit float64, ok bool) {
	if i := strings.LastIndexByte(s, '='); i >= 0 {
		s = s[i+1:]
	}
	a, b, found := strings.Cut(s, "/")
	if !found {
		return 0, 0, false
	}
	used, ok = float(a)
	limit, more := float(b)
	return used, limit, ok && more && limit > 0
}

// dictionary reads limit=40, remaining=37, reset=60, also with semicolons and by other words.
func dictionary(s string) (limit, remaining, reset string) {
	for part := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == ',' || c == ';' }) {
		key, value, _ := strings.Cut(part, "=")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "limit", "total", "quota", "max":
			limit = value
		case "remaining", "left":
			remaining = value
		case "reset", "resets":
			reset = value
		}
	}
	return limit, remaining, reset
}
