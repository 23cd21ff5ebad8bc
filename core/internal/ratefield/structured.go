package ratefield

import "strings"

const maxItems = 16

// structured reads RateLimit and RateLimit-Policy, as the drafts of the IETF had them from version 7 on
// (draft-ietf-httpapi-ratelimit-headers). Those before it had a family of three fields, with the policies in the limit.
func (r *reading) structured(take func(Limit, bool)) {
	if r.rateLimit == "" {
		return
	}
	var items, policies [maxItems]item
	n := parseItems(r.rateLimit, &items)
	known := parseItems(r.policy, &policies)
	if n == 0 {
		r.fail("RateLimit", r.rateLimit)
		return
	}
	for _, it := range items[:n] {
		var p item
		for i := range policies[:known] {
			if policies[i].name == it.name {
				p = policies[i]
				break
			}
		}
		if l, ok := r.policed(it, p); ok {
			take(l, p.qu != "" && p.qu != `"requests"`)
		}
	}
	if strings.Contains(r.rateLimit, "remaining") { // version 7
		r.both(&family{}, r.rateLimit, 0, take)
	}
}

// policed is what the item of one policy says, p being the policy if it is known. One that says nothing of the end of
// its window means a whole one.
func (r *reading) policed(it, p item) (l Limit, ok bool) {
	left, ok := bare(it.r)
	if !ok {
		return Limit{}, false
	}
	l.Name, l.Remaining = strings.Trim(it.name, `"`), count(left)
	if n, ok := bare(p.q); ok {
		l.Limit = count(n)
	}
	window, _ := bare(p.w)
	l.Per = min(seconds(window), MaxWait)
	t, told := bare(it.t)
	if !told || t < 0 {
		if t = window; t <= 0 {
			return l, true
		}
	}
	l.Wait = min(r.sinceTold(whole(t), t), MaxWait)
	return l, l.Wait > 0
}

// bare reads a bare item that is a number, as opposed to a string.
func bare(s string) (float64, bool) {
	if strings.HasPrefix(s, `"`) {
		return 0, false
	}
	return float(s)
}

// An item is a member of a list with its parameters, or of a dictionary: bare
// items as they were written, strings in their quotes.
type item struct {
	name, value    string
	r, t, q, w, qu string
}

// parseItems reads a structured field (RFC 9651) as far as rate limits need it,
// and says how many items it put into items. A field with an error has none.
func parseItems(s string, items *[maxItems]item) (n int) {
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
