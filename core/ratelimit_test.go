package taskpool_test

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// header makes a header of lines such as "Retry-After: 30".
func header(lines string) http.Header {
	h := make(http.Header)
	for line := range strings.Lines(lines) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return h
}

func TestParseRateLimit(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) // 1772366400
	after := func(d time.Duration) time.Time { return now.Add(d) }
	type limit = taskpool.RateLimit
	for _, test := range []struct {
		name   string
		header string
		want   limit // the zero one: nothing is said
	}{
		// As the documentation of each API shows them, but for the times.
		{"GitHub", `
			Date: Sun, 01 Mar 2026 12:00:00 GMT
			X-Ratelimit-Limit: 60
			X-Ratelimit-Remaining: 56
			X-Ratelimit-Used: 4
			X-Ratelimit-Resource: core
			X-Ratelimit-Reset: 1772368873`,
			limit{60, 56, after(2473 * time.Second)}},
		{"GitHub, secondary limit", `
			Retry-After: 60
			X-Ratelimit-Limit: 5000
			X-Ratelimit-Remaining: 4987
			X-Ratelimit-Reset: 1772368873`,
			limit{5000, 0, after(time.Minute)}},
		{"GitLab", `
			RateLimit-Limit: 60
			RateLimit-Name: throttle_authenticated_web
			RateLimit-Observed: 7
			RateLimit-Remaining: 53
			RateLimit-Reset: 1772366430
			RateLimit-ResetTime: Sun, 01 Mar 2026 12:00:30 GMT`,
			limit{60, 53, after(30 * time.Second)}},
		{"GitLab, exceeded", `
			RateLimit-Limit: 60
			RateLimit-Name: throttle_authenticated_web
			RateLimit-Observed: 67
			RateLimit-Remaining: 0
			RateLimit-Reset: 1772366430
			RateLimit-ResetTime: Sun, 01 Mar 2026 12:00:30 GMT
			Retry-After: 30`,
			limit{60, 0, after(30 * time.Second)}},
		{"X", `
			x-rate-limit-limit: 900
			x-rate-limit-remaining: 847
			x-rate-limit-reset: 1772367000`,
			limit{900, 847, after(10 * time.Minute)}},
		{"Reddit, a delay and fractions", `
			x-ratelimit-remaining: 598.0
			x-ratelimit-reset: 540
			x-ratelimit-used: 2`,
			limit{0, 598, after(9 * time.Minute)}},
		{"Discord, a fraction of a second", `
			X-RateLimit-Limit: 5
			X-RateLimit-Remaining: 0
			X-RateLimit-Reset: 1772366401.123
			X-RateLimit-Reset-After: 1.123`,
			limit{5, 0, after(2 * time.Second)}},

		{"IETF", `
			RateLimit-Policy: "default";q=100;w=60
			RateLimit: "default";r=50;t=30`,
			limit{100, 50, after(30 * time.Second)}},
		{"IETF, without a policy", `RateLimit: "default";r=50;t=30`, limit{0, 50, after(30 * time.Second)}},
		{"IETF, another policy", `
			RateLimit-Policy: "other";q=100;w=60
			RateLimit: "default";r=50;t=30`,
			limit{0, 50, after(30 * time.Second)}},
		{"IETF, partition keys and spaces", "RateLimit-Policy: \"a\"; q=100; w=60; pk=:QXBwLTk5OQ==:\t,  \"b\";q=9;pk=:Zm9v:\nRateLimit: \"b\";  r=5;t=20;pk=:Zm9v:;new;flag=?1",
			limit{9, 5, after(20 * time.Second)}},
		{"IETF, the lowest remainder", `
			RateLimit-Policy: "burst";q=100;w=60,"daily";q=1000;w=86400
			RateLimit: "burst";r=50;t=30, "daily";r=2;t=3600`,
			limit{1000, 2, after(time.Hour)}},
		{"IETF, the lowest remainder stands first", `RateLimit: "daily";r=2;t=10, "burst";r=50;t=30`, limit{0, 2, after(10 * time.Second)}},
		{"IETF, the latest of equals", `RateLimit: "a";r=0;t=1, "b";r=0;t=90, "c";r=0;t=30`, limit{0, 0, after(90 * time.Second)}},
		{"IETF, the whole window", `
			RateLimit-Policy: "default";q=100;w=60
			RateLimit: "default";r=7`,
			limit{100, 7, after(time.Minute)}},
		{"IETF, the whole window for garbage", `
			RateLimit-Policy: "default";q=100;w=60
			RateLimit: "default";r=7;t=-1`,
			limit{100, 7, after(time.Minute)}},
		{"IETF, no time at all", `RateLimit: "default";r=7`, limit{}},
		{"IETF, the window has ended", `
			RateLimit-Policy: "default";q=100;w=60
			RateLimit: "default";r=7;t=0`,
			limit{}},
		{"IETF, garbage beside another item", `RateLimit: "a";r=-1;t=30, "b";r=x;t=30, "c";t=30, "d";r=8;t=30`, limit{0, 8, after(30 * time.Second)}},
		{"IETF, the last of a repeated parameter", `RateLimit: "a";r=1;r=2;t=3;t=4`, limit{0, 2, after(4 * time.Second)}},
		{"IETF, a quoted number is none", `RateLimit: "a";r="1";t=4`, limit{}},
		{"IETF, delimiters in a name", `
			RateLimit-Policy: "a,\";r=0;t=9";q=4;w=1, token;q=6
			RateLimit: "a,\";r=0;t=9";r=3;t=5`,
			limit{4, 3, after(5 * time.Second)}},
		{"IETF, bytes that remain", `
			RateLimit-Policy: "bytes";q=65535;qu="content-bytes";w=10, "calls";q=50;qu="requests"
			RateLimit: "bytes";r=12;t=9, "calls";r=40;t=8`,
			limit{50, 40, after(8 * time.Second)}},
		{"IETF, no bytes that remain", `
			RateLimit-Policy: "bytes";q=65535;qu="content-bytes";w=10
			RateLimit: "bytes";r=0;t=9, "calls";r=40;t=8`,
			limit{0, 0, after(9 * time.Second)}},
		{"IETF, a time is always a delay", `RateLimit: "a";r=1;t=1772366430`, limit{0, 1, after(24 * time.Hour)}},
		{"IETF, more items than are read", `RateLimit: ` + strings.Repeat(`"a";r=5;t=30, `, 16) + `"b";r=1;t=30`, limit{0, 5, after(30 * time.Second)}},
		{"IETF, garbage after what is read", `RateLimit: ` + strings.Repeat(`"a";r=5;t=30, `, 16) + `"b`, limit{}},
		{"IETF, more policies than are read", `
			RateLimit-Policy: ` + strings.Repeat(`"a";q=5, `, 16) + `"b";q=1
			RateLimit: "b";r=1;t=30`,
			limit{0, 1, after(30 * time.Second)}},
		{"IETF, the first of policies with one name", `
			RateLimit-Policy: "default";q=100;w=60, "default";q=50;w=30
			RateLimit: "default";r=7`,
			limit{100, 7, after(time.Minute)}},
		{"IETF, a policy that is garbage", `
			RateLimit-Policy: "default";q=100;w=60,
			RateLimit: "default";r=50;t=30`,
			limit{0, 50, after(30 * time.Second)}},
		{"IETF version 07", `
			RateLimit-Policy: 100;w=60
			RateLimit: limit=100, remaining=50, reset=30`,
			limit{100, 50, after(30 * time.Second)}},
		{"IETF version 06", `
			RateLimit-Policy: 10;w=1, 100;w=60
			RateLimit-Limit: 10
			RateLimit-Remaining: 9
			RateLimit-Reset: 1`,
			limit{10, 9, after(time.Second)}},
		{"IETF, policies in the limit", `
			RateLimit-Limit: 10, 10;w=1, 100;w=60
			RateLimit-Remaining: 9
			RateLimit-Reset: 1`,
			limit{10, 9, after(time.Second)}},

		{"Retry-After, RFC 1123 date", `Retry-After: Sun, 01 Mar 2026 12:00:30 GMT`, limit{0, 0, after(30 * time.Second)}},
		{"Retry-After, RFC 850 date", `Retry-After: Sunday, 01-Mar-26 12:00:30 GMT`, limit{0, 0, after(30 * time.Second)}},
		{"Retry-After, asctime date", `Retry-After: Sun Mar  1 12:00:30 2026`, limit{0, 0, after(30 * time.Second)}},
		{"Retry-After, repeated", "Retry-After: 5, 5", limit{0, 0, after(5 * time.Second)}},
		{"Retry-After, a fraction is a second", "Retry-After: 1.01", limit{0, 0, after(2 * time.Second)}},
		{"Retry-After, a fraction of zero is none", "Retry-After: 1.00", limit{0, 0, after(time.Second)}},
		{"Retry-After, now", `Retry-After: 0`, limit{}},
		{"Retry-After, in the past", `Retry-After: Sun, 01 Mar 2026 11:59:59 GMT`, limit{}},
		{"Retry-After, this moment", `Retry-After: Sun, 01 Mar 2026 12:00:00 GMT`, limit{}},
		{"Retry-After, negative", `Retry-After: -5`, limit{}},
		{"Retry-After, signed", `Retry-After: +5`, limit{}},
		{"Retry-After, other zone", `Retry-After: Sun, 01 Mar 2026 12:00:30 CET`, limit{}},
		{"Retry-After, a word", `Retry-After: a while, or longer than that`, limit{}},
		{"Retry-After, too long", `Retry-After: ` + strings.Repeat("Sun, 01 Mar 2026 12:00:30 GMT ", 9), limit{}},
		{"Retry-After, half a number", `Retry-After: 5.`, limit{}},
		{"Retry-After, half another", `Retry-After: .5`, limit{}},
		{"Retry-After, two points", `Retry-After: 1.5.5`, limit{}},
		{"Retry-After, seconds that look like a time", `Retry-After: 1772366430`, limit{0, 0, after(24 * time.Hour)}},
		{"Retry-After, seconds that look like milliseconds", `Retry-After: 1772366430000`, limit{0, 0, after(24 * time.Hour)}},

		{"order 1: Retry-After before RateLimit", `
			Retry-After: 5
			RateLimit: "a";r=1;t=60`,
			limit{0, 0, after(5 * time.Second)}},
		{"order 2: RateLimit before RateLimit-Remaining", `
			RateLimit: "a";r=9;t=60
			RateLimit-Remaining: 8
			RateLimit-Reset: 70`,
			limit{0, 9, after(time.Minute)}},
		{"order 3: RateLimit-Remaining before X-RateLimit-Remaining", `
			RateLimit-Remaining: 8
			RateLimit-Reset: 60
			X-RateLimit-Remaining: 7
			X-RateLimit-Reset: 70`,
			limit{0, 8, after(time.Minute)}},
		{"order 4: X-RateLimit-Remaining before X-Rate-Limit-Remaining", `
			X-RateLimit-Remaining: 7
			X-RateLimit-Reset: 60
			X-Rate-Limit-Remaining: 6
			X-Rate-Limit-Reset: 70`,
			limit{0, 7, after(time.Minute)}},
		{"order: what cannot be read is passed over", `
			Retry-After: soon
			RateLimit: "a";r=1;t=60,
			RateLimit-Remaining: 1
			RateLimit-Reset: never
			X-RateLimit-Remaining: -1
			X-RateLimit-Reset: 60
			X-Rate-Limit-Limit: many
			X-Rate-Limit-Remaining: 6
			X-Rate-Limit-Reset: 70`,
			limit{0, 6, after(70 * time.Second)}},
		{"order: families do not mix", `
			X-RateLimit-Remaining: 6
			X-Rate-Limit-Reset: 70`,
			limit{}},

		{"skew: the server's clock is behind", `
			Date: Sun, 01 Mar 2026 11:00:00 GMT
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 1772362830`, // 11:00:30
			limit{0, 1, after(30 * time.Second)}},
		{"skew: the server's clock is ahead", `
			Date: Sun, 01 Mar 2026 13:00:00 GMT
			Retry-After: Sun, 01 Mar 2026 13:00:30 GMT`,
			limit{0, 0, after(30 * time.Second)}},
		{"skew: milliseconds", `
			Date: Sun, 01 Mar 2026 11:00:00 GMT
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 1772362830250`,
			limit{0, 1, after(30*time.Second + 250*time.Millisecond)}},
		{"skew: the reset has passed by the server's clock", `
			Date: Sun, 01 Mar 2026 13:00:00 GMT
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 1772366430`,
			limit{}},
		{"skew: a delay knows none", `
			Date: Sun, 01 Mar 2026 11:00:00 GMT
			Retry-After: 30`,
			limit{0, 0, after(30 * time.Second)}},
		{"skew: a Date that is garbage", `
			Date: yesterday
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 1772366430`,
			limit{0, 1, after(30 * time.Second)}},

		{"size: the largest delay", `
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 99999999`,
			limit{0, 1, after(24 * time.Hour)}},
		{"size: the first Unix time", `
			Date: Sat, 03 Mar 1973 09:46:39 GMT
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 100000000`,
			limit{0, 1, after(time.Second)}},
		{"size: the last Unix time in seconds", `
			Date: Sun, 01 Mar 2026 12:00:00 GMT
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 99999999999`,
			limit{0, 1, after(24 * time.Hour)}},
		{"size: the first Unix time in milliseconds", `
			Date: Sat, 03 Mar 1973 09:46:39 GMT
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 100000000000`,
			limit{0, 1, after(time.Second)}},
		{"size: a fraction of a millisecond is a whole one", `
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 1772366400000.5`,
			limit{0, 1, after(time.Millisecond)}},
		{"size: a date in Reset", `
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: Sun, 01 Mar 2026 12:00:30 GMT`,
			limit{0, 1, after(30 * time.Second)}},

		{"clamp: just below", `Retry-After: 86399`, limit{0, 0, after(24*time.Hour - time.Second)}},
		{"clamp: a long delay", `Retry-After: 86401`, limit{0, 0, after(24 * time.Hour)}},
		{"clamp: a far date", `Retry-After: Fri, 31 Dec 9999 23:59:59 GMT`, limit{0, 0, after(24 * time.Hour)}},
		{"clamp: a far Unix time", `
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 1772366400000000000`,
			limit{0, 1, after(24 * time.Hour)}},
		{"clamp: counts", `
			X-RateLimit-Limit: 2147483648
			X-RateLimit-Remaining: 99999999999999999999999999
			X-RateLimit-Reset: 60`,
			limit{math.MaxInt32, math.MaxInt32, after(time.Minute)}},

		{"nothing", ``, limit{}},
		{"no reset", `X-RateLimit-Remaining: 5`, limit{}},
		{"no remainder", `
			X-RateLimit-Limit: 5
			X-RateLimit-Reset: 60`,
			limit{}},
		{"a negative reset", `
			X-RateLimit-Remaining: 5
			X-RateLimit-Reset: -60`,
			limit{}},
		{"a negative limit", `
			X-RateLimit-Limit: -5
			X-RateLimit-Remaining: 5
			X-RateLimit-Reset: 60`,
			limit{0, 5, after(time.Minute)}},
		{"a policy alone", `RateLimit-Policy: "default";q=100;w=60`, limit{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := taskpool.ParseRateLimit(header(test.header).Get, now)
			if ok != (test.want != limit{}) || got.Limit != test.want.Limit || got.Remaining != test.want.Remaining || !got.Reset.Equal(test.want.Reset) {
				t.Errorf("got %+v, %t, want %+v", got, ok, test.want)
			}
		})
	}
}

func TestParseRateLimitIgnoresFieldsThatAreNoStructuredList(t *testing.T) {
	for _, field := range []string{
		`"a;r=1;t=2`, `"a\`, `"a\"`, `"a";r=1;t=2;`, `"a";r=1;t=2,`, `,"a";r=1;t=2`, `"a";r=1;t=2 "b"`, `"a";r=1;t=2 bc;r=1;t=2`, `a"b;r=1;t=2`, `"a";r=1;t=2;=`,
		`"a";r=1;t=2;pk=:`, `"a";r=1;t=2;pk=:Zm9v`, `"a";r=;t=2`, `a b;r=1;t=2`, `=1;r=1;t=2`, `;r=1;t=2`, `"a"=;r=1;t=2`, `"a""b";r=1;t=2`, ` `, `,`,
	} {
		h := http.Header{"Ratelimit": {field}}
		if got, ok := taskpool.ParseRateLimit(h.Get, time.Now()); ok {
			t.Errorf("%s: got %+v, want nothing", field, got)
		}
	}
}

// net/http trims the values that it reads; other sources may not.
func TestParseRateLimitBearsSpaceAroundValues(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for _, h := range []http.Header{
		{"Retry-After": {" \t30\t "}},
		{"Retry-After": {" \tSun, 01 Mar 2026 12:00:30 GMT\t "}},
		{"Ratelimit": {" \t\"a\";r=0;t=30\t "}},
		{"X-Ratelimit-Remaining": {" 0 , 9"}, "X-Ratelimit-Reset": {" 30 , 9"}},
	} {
		got, ok := taskpool.ParseRateLimit(h.Get, now)
		if !ok || got.Remaining != 0 || !got.Reset.Equal(now.Add(30*time.Second)) {
			t.Errorf("%q: got %+v, %t, want nothing to remain for 30 s", h, got, ok)
		}
	}
}

func TestParseRateLimitWithoutHeaderSaysNothing(t *testing.T) {
	if got, ok := taskpool.ParseRateLimit(nil, time.Now()); ok || got != (taskpool.RateLimit{}) {
		t.Errorf("got %+v, %t, want nothing", got, ok)
	}
}

func TestParseRateLimitAllocatesNothing(t *testing.T) {
	for name, h := range map[string]http.Header{
		"none":        header(``),
		"Retry-After": header("Date: Sun, 01 Mar 2026 12:00:00 GMT\nRetry-After: Sun, 01 Mar 2026 12:00:30 GMT"),
		"IETF":        header("RateLimit: \"a\";r=1;t=2, \"b\";r=3;t=4\nRateLimit-Policy: \"a\";q=5;w=6, \"b\";q=7;w=8"),
		"garbage":     header("Retry-After: " + strings.Repeat("Sun, 01 Mar 2026 12:00:30 GMT", 9)),
		"X":           header("X-Rate-Limit-Limit: 9\nX-Rate-Limit-Remaining: 8\nX-Rate-Limit-Reset: 7"),
	} {
		get, now := h.Get, time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
		if got := testing.AllocsPerRun(100, func() { taskpool.ParseRateLimit(get, now) }); got != 0 {
			t.Errorf("%s: got %v allocations, want none", name, got)
		}
	}
}

func FuzzParseRateLimit(f *testing.F) {
	const now = 1772366400
	add := func(sec int64, lines string) {
		h := header(lines)
		f.Add(sec, h.Get("Date"), h.Get("Retry-After"), h.Get("RateLimit"), h.Get("RateLimit-Policy"),
			h.Get("X-RateLimit-Limit"), h.Get("X-RateLimit-Remaining"), h.Get("X-RateLimit-Reset"))
	}
	add(now, "")
	add(now, "Retry-After: 30")
	add(now, "Retry-After: 99999999999999999999")
	add(now, "Date: Sun, 01 Mar 2026 12:00:00 GMT\nRetry-After: Sun, 01 Mar 2026 12:00:30 GMT")
	add(now, "Date: Sunday, 01-Mar-26 12:00:00 GMT\nRetry-After: Sun Mar  1 12:00:30 2026")
	add(now, "RateLimit: \"default\";r=50;t=30\nRateLimit-Policy: \"default\";q=100;w=60")
	add(now, "RateLimit: \"a\\\"\";r=0, b;r=1;t=2\nRateLimit-Policy: \"a\\\"\";q=100;w=60;qu=\"content-bytes\";pk=:Zm9v:, b;q=1.5")
	add(now, "RateLimit: limit=100, remaining=50, reset=30\nRateLimit-Policy: 100;w=60")
	add(now, "X-RateLimit-Limit: 60\nX-RateLimit-Remaining: 56\nX-RateLimit-Reset: 1772368873")
	add(now, "Date: Sat, 03 Mar 1973 09:46:39 GMT\nX-RateLimit-Limit: 60, 60;w=1\nX-RateLimit-Remaining: 5.5\nX-RateLimit-Reset: 100000000000")
	add(0, "Date: Fri, 31 Dec 9999 23:59:59 GMT\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1")
	add(1<<37, "Date: Sat, 01 Jan 0000 00:00:00 GMT\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 99999999999999999999")
	f.Fuzz(func(t *testing.T, sec int64, date, retryAfter, rateLimit, policy, limit, remaining, reset string) {
		now := time.Unix(sec%(1<<38), 0) // to the year 10680, as a clock may say
		for _, family := range []string{"Ratelimit-", "X-Ratelimit-", "X-Rate-Limit-"} {
			h := http.Header{
				"Date": {date}, "Retry-After": {retryAfter}, "Ratelimit": {rateLimit}, "Ratelimit-Policy": {policy},
				family + "Limit": {limit}, family + "Remaining": {remaining}, family + "Reset": {reset},
			}
			got, ok := taskpool.ParseRateLimit(h.Get, now)
			if !ok {
				if got != (taskpool.RateLimit{}) {
					t.Errorf("got %+v with false, want the zero RateLimit", got)
				}
				continue
			}
			if got.Limit < 0 || got.Limit > math.MaxInt32 || got.Remaining < 0 || got.Remaining > math.MaxInt32 {
				t.Errorf("got %+v, want counts between 0 and %d", got, math.MaxInt32)
			}
			if wait := got.Reset.Sub(now); wait <= 0 || wait > 24*time.Hour {
				t.Errorf("got a reset %v after now, want one within 24 h", wait)
			}
			if again, ok := taskpool.ParseRateLimit(h.Get, now); !ok || again != got {
				t.Errorf("got %+v, then %+v, %t of the same header", got, again, ok)
			}
			// A clock that is off makes no difference where the server tells its own.
			if _, err := time.Parse(http.TimeFormat, date); err == nil && len(date) == len(http.TimeFormat) {
				off := now.Add(time.Hour)
				if got2, ok := taskpool.ParseRateLimit(h.Get, off); !ok || !got2.Reset.Equal(got.Reset.Add(time.Hour)) {
					t.Errorf("got %+v, and %+v, %t with a clock that is an hour ahead", got, got2, ok)
				}
			}
		}
	})
}

func ExampleParseRateLimit() {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	h := http.Header{} // of a response: resp.Header
	h.Set("RateLimit-Policy", `"burst";q=100;w=60, "daily";q=1000;w=86400`)
	h.Set("RateLimit", `"burst";r=50;t=30, "daily";r=2;t=3600`)
	if limit, ok := taskpool.ParseRateLimit(h.Get, now); ok {
		// Inside a task: taskpool.Throttle(ctx, limit)
		fmt.Printf("%d of %d calls until %s\n", limit.Remaining, limit.Limit, limit.Reset.Format(time.TimeOnly))
	}
	// Output: 2 of 1000 calls until 13:00:00
}
