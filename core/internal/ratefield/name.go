package ratefield

import (
	"strings"
	"time"
)

const maxWords = 12

// field takes a field in, if it says something of limits.
func (r *reading) field(name string, lines []string) {
	if len(lines) == 0 || len(name) < 3 {
		return
	}
	switch {
	case strings.EqualFold(name, "Date"):
		r.date = lines[0]
		return
	case strings.EqualFold(name, "Age"):
		r.aged = lines[0]
		return
	case strings.EqualFold(name, "X-From-Cache"): // of gregjones/httpcache and those after it
		r.cached = lines[0] != "" && lines[0] != "0"
		return
	case !mayConcern(name):
		return
	}
	var words [maxWords]string
	r.concern(name, wordsOf(name, &words), strings.Join(lines, ", "))
}

// mayConcern spares most names from being taken apart.
func mayConcern(name string) bool {
	for i := 0; i+4 < len(name); i++ {
		switch name[i] | 0x20 {
		case 'l', 'q', 'r':
			for _, word := range [...]string{"limit", "quota", "retry"} {
				if i+5 <= len(name) && strings.EqualFold(name[i:i+5], word) {
					return true
				}
			}
		}
	}
	return false
}

// wordsOf gives the words of a name, in lower case.
func wordsOf(name string, into *[maxWords]string) []string {
	n := 0
	for word := range strings.FieldsFuncSeq(strings.ToLower(name), func(c rune) bool { return c == '-' || c == '_' }) {
		if n == maxWords {
			break
		}
		into[n] = word
		n++
	}
	return into[:n]
}

// concern takes in a field whose name has a word of limits in it.
func (r *reading) concern(name string, words []string, value string) {
	if i := pair(words, "retry", "after"); i >= 0 {
		r.any = true
		into := &r.retry.seconds
		if unit := last(words[i+2:]); unit == "ms" || unit == "milliseconds" {
			into = &r.retry.millis
		}
		join(into, value)
		return
	}
	rest, subject := withoutSubject(words)
	if subject == "" {
		return
	}
	if len(rest) == 0 && subject == "ratelimit" { // the field of the IETF has no other word
		r.any = true
		join(&r.rateLimit, value)
		return
	}
	if len(rest) == 1 && rest[0] == "policy" {
		r.any = true
		join(&r.policy, value)
		return
	}
	var is, unit = roleNone, false
	var per time.Duration
	var key strings.Builder
	millis, after := false, false
	for _, w := range rest {
		switch w {
		case "limit", "max", "total", "quota":
			if is == roleNone {
				is = roleLimit
			}
		case "remaining", "left", "available":
			is = roleRemaining
		case "used", "usage", "observed", "consumed":
			is = roleUsed
		case "reset", "resets", "resettime", "expires":
			if is != roleNone && is != roleLimit {
				return // of a family that has said already what it is
			}
			is = roleReset
		case "window", "interval", "period":
			is = roleWindow
		case "after":
			after = true
		case "ms", "milliseconds":
			millis = true
		case "x", "api", "requests", "request", "calls", "call", "count", "number", "time", "at", "in", "seconds", "sec", "info", "on", "rate":
		case "resource", "bucket", "name":
			if is == roleRemaining && strings.Contains(value, ";") { // of a resource, which its value names: a;12, b;0
				continue
			}
			r.named = max(r.named, value)
			return
		case "scope", "global":
			r.global = r.global || strings.EqualFold(value, "true") || strings.EqualFold(value, "global")
			return
		case "nearlimit", "precision", "reason", "type", "error", "code", "cost", "fillrate", "via", "policy":
			return
		default:
			per = max(per, periodOf(w))
			unit = unit || unitOf(w)
			if key.Len() > 0 {
				key.WriteByte('-')
			}
			key.WriteString(w)
		}
	}
	switch {
	case is == roleReset && millis:
		is = roleResetMs
	case is == roleReset && after:
		is = roleResetAfter
	case is == roleWindow && millis:
		is = roleWindowMs
	case is == roleNone:
		if _, plain := number(value); plain {
			is = roleLimit
		} else if is = roleBoth; !strings.ContainsAny(value, "/=") {
			return
		}
	}
	if words[0] == "x" {
		subject = "x-" + subject
	}
	f := r.family(subject + " " + key.String())
	if f == nil {
		return
	}
	f.name = key.String()
	r.any = true
	f.unit, f.per = unit, max(f.per, per)
	join(&f.of[is], value)
}

// withoutSubject takes the word that says that this is about a limit out of the others; subject is empty if there is
// none. It is as it was spelled: two spellings in one answer are of two limits.
func withoutSubject(words []string) (rest []string, subject string) {
	without := func(i, n int) []string { return append(words[:i:i], words[i+n:]...) }
	for i, w := range words {
		if w == "ratelimit" || w == "ratelimits" {
			return without(i, 1), w
		}
	}
	if i := pair(words, "rate", "limit"); i >= 0 {
		return without(i, 2), "rate-limit"
	}
	for i, w := range words { // X-MinLimit-Remaining, X-ReadRateLimit-Usage: what it is of is in the same word
		if of, ok := strings.CutSuffix(w, "ratelimit"); ok {
			return append(without(i, 1), of), w
		}
		if of, ok := strings.CutSuffix(w, "limit"); ok && periodOf(strings.TrimPrefix(of, "app")) > 0 { // not a time limit, or one of sizes
			return append(without(i, 1), of), w
		}
	}
	for i, w := range words {
		if w == "limit" || w == "quota" {
			return without(i, 1), w
		}
	}
	return nil, ""
}

func pair(words []string, a, b string) int {
	for i := 1; i < len(words); i++ {
		if words[i-1] == a && words[i] == b {
			return i - 1
		}
	}
	return -1
}

func last(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

func join(into *string, value string) {
	if *into == "" {
		*into = value
	} else if value > *into { // maps have no order
		*into += ", " + value
	} else {
		*into = value + ", " + *into
	}
}

// periodOf is the length of the window that a word names.
func periodOf(w string) time.Duration {
	switch w {
	case "second", "secondly", "1s":
		return time.Second
	case "minute", "minutely", "min", "1m":
		return time.Minute
	case "hour", "hourly", "1h":
		return time.Hour
	case "day", "daily", "24hour", "24h", "1d":
		return 24 * time.Hour
	}
	return 0
}

// unitOf reports whether a word names something else than calls that is counted.
func unitOf(w string) bool {
	switch w {
	case "tokens", "token", "bytes", "points", "complexity", "cost", "weight", "credits", "units", "images":
		return true
	}
	return strings.HasPrefix(w, "tokens")
}
