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
	type limit struct {
		limit, remaining int
		reset            time.Time
	}
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
		{"IETF, no time at all", `RateLimit: "default";r=7`, limit{0, 7, time.Time{}}},
		{"IETF, the window has ended", `
			RateLimit-Policy: "default";q=100;w=60
			RateLimit: "default";r=7;t=0`,
			limit{}},
		{"IETF, garbage beside another item", `RateLimit: "a";r=+1;t=30, "b";r=x;t=30, "c";t=30, "d";r=8;t=30`, limit{0, 8, after(30 * time.Second)}},
		{"IETF, used up and more", `RateLimit: "a";r=-1;t=30, "d";r=8;t=30`, limit{0, 0, after(30 * time.Second)}},
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
		{"Retry-After, a Unix time", `Retry-After: 1772366430`, limit{0, 0, after(30 * time.Second)}},
		{"Retry-After, a Unix time in milliseconds", `Retry-After: 1772366430000`, limit{0, 0, after(30 * time.Second)}},

		{"several: Retry-After before all", `
			Retry-After: 5
			RateLimit: "a";r=1;t=60`,
			limit{0, 0, after(5 * time.Second)}},
		{"several: the strictest family, of the IETF", `
			RateLimit: "a";r=7;t=60
			RateLimit-Remaining: 8
			RateLimit-Reset: 70
			X-RateLimit-Remaining: 9
			X-RateLimit-Reset: 80`,
			limit{0, 7, after(time.Minute)}},
		{"several: the strictest family, of three fields", `
			RateLimit: "a";r=9;t=60
			RateLimit-Remaining: 8
			RateLimit-Reset: 60
			X-RateLimit-Remaining: 7
			X-RateLimit-Reset: 70
			X-Rate-Limit-Remaining: 0
			X-Rate-Limit-Reset: 90`,
			limit{0, 0, after(90 * time.Second)}},
		{"several: what cannot be read is passed over", `
			Retry-After: soon
			RateLimit: "a";r=1;t=60,
			RateLimit-Remaining: 9
			RateLimit-Reset: 70
			X-RateLimit-Remaining: many
			X-RateLimit-Reset: 60`,
			limit{0, 9, after(70 * time.Second)}},
		{"several: families do not mix", `
			X-RateLimit-Remaining: 6
			X-Rate-Limit-Reset: 70`,
			limit{0, 6, time.Time{}}},
		{"several: limits of one family do not mix", `
			X-RateLimit-Remaining-Requests: 0
			X-RateLimit-Reset-Requests: 1s
			X-RateLimit-Remaining-Tokens: 100
			X-RateLimit-Reset-Tokens: 6m0s`,
			limit{0, 0, after(time.Second)}},

		{"skew: the server's clock is behind", `
			Date: Sun, 01 Mar 2026 11:56:00 GMT
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 1772366190`, // 11:56:30
			limit{0, 1, after(30 * time.Second)}},
		{"skew: the server's clock is ahead", `
			Date: Sun, 01 Mar 2026 13:00:00 GMT
			Retry-After: Sun, 01 Mar 2026 13:00:30 GMT`,
			limit{0, 0, after(30 * time.Second)}},
		{"skew: milliseconds", `
			Date: Sun, 01 Mar 2026 11:56:00 GMT
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 1772366190250`,
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
		{"size: the last Unix time in seconds", `
			Date: Sun, 01 Mar 2026 12:00:00 GMT
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 99999999999`,
			limit{0, 1, after(24 * time.Hour)}},
		{"size: microseconds", `
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 1772366430000000`,
			limit{0, 1, after(30 * time.Second)}},
		{"size: nanoseconds", `
			X-RateLimit-Remaining: 1
			X-RateLimit-Reset: 1772366430000000000`,
			limit{0, 1, after(30 * time.Second)}},
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
			X-RateLimit-Reset: 9999999999999`,
			limit{0, 1, after(24 * time.Hour)}},
		{"clamp: counts", `
			X-RateLimit-Limit: 2147483648
			X-RateLimit-Remaining: 99999999999999999999999999
			X-RateLimit-Reset: 60`,
			limit{math.MaxInt32, math.MaxInt32, after(time.Minute)}},

		{"nothing", ``, limit{}},
		{"no reset", `X-RateLimit-Remaining: 5`, limit{0, 5, time.Time{}}},
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
			r, ok := taskpool.ParseRateLimit(taskpool.Answer{Header: header(test.header), Came: now})
			if got := (limit{r.Limit, r.Remaining, r.Reset}); ok != (test.want != limit{}) || got != test.want {
				t.Errorf("got %+v, %t, want %+v", r, ok, test.want)
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
		if got, ok := taskpool.ParseRateLimit(taskpool.Answer{Header: h}); ok {
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
		got, ok := taskpool.ParseRateLimit(taskpool.Answer{Header: h, Came: now})
		if !ok || got.Remaining != 0 || !got.Reset.Equal(now.Add(30*time.Second)) {
			t.Errorf("%q: got %+v, %t, want nothing to remain for 30 s", h, got, ok)
		}
	}
}

func TestParseRateLimitWithoutHeaderSaysNothing(t *testing.T) {
	if got, ok := taskpool.ParseRateLimit(taskpool.Answer{}); ok || got != (taskpool.RateLimit{}) {
		t.Errorf("got %+v, %t, want nothing", got, ok)
	}
}

// An answer costs next to nothing beside the call that it answers.
func TestParseRateLimitAllocatesLittle(t *testing.T) {
	for _, test := range []struct {
		header string
		most   float64
	}{
		{"Content-Type: text/plain\nDate: Sun, 01 Mar 2026 12:00:00 GMT\nCache-Control: no-store", 1},
		{"X-Rate-Limit-Limit: 9\nX-Rate-Limit-Remaining: 8\nX-Rate-Limit-Reset: 7", 20},
		{"RateLimit: \"a\";r=1;t=2, \"b\";r=3;t=4\nRateLimit-Policy: \"a\";q=5;w=6, \"b\";q=7;w=8", 10},
		{"Retry-After: " + strings.Repeat("Sun, 01 Mar 2026 12:00:30 XYZ,", 900), 500},
	} {
		a := taskpool.Answer{Header: header(test.header), Came: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)}
		if got := testing.AllocsPerRun(100, func() { taskpool.ParseRateLimit(a) }); got > test.most {
			t.Errorf("%.60q: got %v allocations, want %v at most", test.header, got, test.most)
		}
	}
}

// What an answer says depends on its circumstances.
func TestParseRateLimitHeedsCircumstances(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	const left = "X-RateLimit-Limit: 5000\nX-RateLimit-Remaining: 4987\nX-RateLimit-Reset: 600\n"
	const none = "X-RateLimit-Limit: 5000\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 600\n"
	const anHourAgo = "Date: Sun, 01 Mar 2026 11:00:00 GMT\n"
	for _, test := range []struct {
		name   string
		status int
		header string
		ok     bool
		want   taskpool.RateLimit // but for Limit and Asked
		wait   time.Duration
	}{
		{"429 of which something remains waits a minute", 429, left, true, taskpool.RateLimit{Refused: true}, time.Minute},
		{"503, too", 503, left, true, taskpool.RateLimit{Refused: true}, time.Minute},
		{"… and less if the reset is sooner", 429, "X-RateLimit-Remaining: 14\nX-RateLimit-Reset: 11", true, taskpool.RateLimit{Refused: true}, 11 * time.Second},
		{"429 of which nothing remains waits for the reset", 429, none, true, taskpool.RateLimit{Refused: true}, 10 * time.Minute},
		{"429 without anything", 429, "", true, taskpool.RateLimit{Refused: true}, 0},
		{"529 without anything", 529, "", true, taskpool.RateLimit{Refused: true}, 0},
		{"429 with what nobody understands", 429, "Retry-After: soon", true, taskpool.RateLimit{Refused: true, Unread: "retry-after: soon"}, 0},
		{"503 without anything", 503, "", false, taskpool.RateLimit{}, 0},
		{"503 with Retry-After", 503, "Retry-After: 3", true, taskpool.RateLimit{Refused: true}, 3 * time.Second},
		{"403 of which something remains", 403, left, true, taskpool.RateLimit{Remaining: 4987}, 10 * time.Minute},
		{"403 of which nothing remains", 403, none, true, taskpool.RateLimit{Refused: true}, 10 * time.Minute},
		{"403 with Retry-After", 403, "Retry-After: 60\n" + left, true, taskpool.RateLimit{Refused: true}, time.Minute},
		{"200 with Retry-After", 200, "Retry-After: 60\n" + left, true, taskpool.RateLimit{Refused: true}, time.Minute},
		{"200", 200, left, true, taskpool.RateLimit{Remaining: 4987}, 10 * time.Minute},
		{"202", 202, "Retry-After: 60\n" + none, false, taskpool.RateLimit{}, 0},
		{"302", 302, "Retry-After: 60\n" + none, false, taskpool.RateLimit{}, 0},
		{"304", 304, none, false, taskpool.RateLimit{}, 0},
		{"Age counts towards the reset", 200, "Age: 400\n" + none, true, taskpool.RateLimit{}, 200 * time.Second},
		{"Age past the reset", 200, "Age: 601\n" + none, false, taskpool.RateLimit{}, 0},
		{"a refusal that a cache has kept", 503, "Age: 600\nRetry-After: 2", false, taskpool.RateLimit{}, 0},
		{"… for a part of its time", 503, "Age: 600\nRetry-After: 900", true, taskpool.RateLimit{Refused: true}, 300 * time.Second},
		{"a cache that says so", 200, "X-From-Cache: 1\n" + anHourAgo + none, false, taskpool.RateLimit{}, 0},
		{"a cache that does not say so", 200, anHourAgo + "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1772364600", false, taskpool.RateLimit{}, 0},
		{"a clock that is wrong, and a refusal", 429, anHourAgo + "Retry-After: 30", true, taskpool.RateLimit{Refused: true}, 30 * time.Second},
		{"bare Limit and Retry-After zero", 429, "X-RateLimit-Limit: 5\nRetry-After: 0", true, taskpool.RateLimit{Refused: true}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := taskpool.ParseRateLimit(taskpool.Answer{Status: test.status, Header: header(test.header), Came: now})
			if test.wait > 0 {
				test.want.Reset = now.Add(test.wait)
			}
			got.Limit, got.Asked = 0, time.Time{}
			if ok != test.ok || got != test.want {
				t.Errorf("got %+v, %t, want %+v, %t", got, ok, test.want, test.ok)
			}
		})
	}
}

// What a cache has kept tells of calls before it was made.
func TestParseRateLimitSaysWhenTheCallWasMade(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	asked := now.Add(-time.Second)
	for age, want := range map[string]time.Time{"0": asked, "60": now.Add(-time.Minute)} {
		h := header("X-RateLimit-Remaining: 5\nX-RateLimit-Reset: 600\nAge: " + age)
		if got, _ := taskpool.ParseRateLimit(taskpool.Answer{Status: 200, Header: h, Asked: asked, Came: now}); !got.Asked.Equal(want) {
			t.Errorf("age %s: got %v, want %v", age, got.Asked, want)
		}
	}
}

// Each row is what an API documents, but for the times: nothing remains for so long.
func TestParseRateLimitReadsWhatAPIsSend(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) // 1772366400
	for _, test := range []struct {
		api    string
		want   time.Duration
		name   string
		header string
	}{
		{"GitHub", 5 * time.Minute, "search", "X-RateLimit-Limit: 30\nX-RateLimit-Remaining: 0\nX-RateLimit-Used: 30\nX-RateLimit-Resource: search\nX-RateLimit-Reset: 1772366700"},
		{"X, per day", time.Hour, "user-24hour", "X-Rate-Limit-Limit: 1080000\nX-Rate-Limit-Remaining: 1079999\nX-Rate-Limit-Reset: 1772366700\nX-User-Limit-24hour-Limit: 25\nX-User-Limit-24hour-Remaining: 0\nX-User-Limit-24hour-Reset: 1772370000"},
		{"Mastodon", 5 * time.Minute, "", "X-RateLimit-Limit: 300\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 2026-03-01T12:05:00.000000Z"},
		{"Vimeo", 5 * time.Minute, "", "X-RateLimit-Limit: 100\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 2026-03-01T12:05:00+00:00"},
		{"Atlassian", 5 * time.Minute, "", "X-RateLimit-Limit: 100\nX-RateLimit-Remaining: 0\nX-RateLimit-NearLimit: true\nX-RateLimit-Reset: 2026-03-01T12:05Z"},
		{"Atlassian, a window", time.Minute, "", "X-RateLimit-Limit: 10\nX-RateLimit-Remaining: 0\nX-RateLimit-Interval-Seconds: 60\nX-RateLimit-FillRate: 10"},
		{"OpenAI", 6 * time.Minute, "", "X-RateLimit-Limit-Requests: 60\nX-RateLimit-Remaining-Requests: 0\nX-RateLimit-Reset-Requests: 6m0s\nX-RateLimit-Limit-Tokens: 150000\nX-RateLimit-Remaining-Tokens: 149984\nX-RateLimit-Reset-Tokens: 12ms"},
		{"OpenAI, tokens", 12 * time.Millisecond, "tokens", "X-RateLimit-Remaining-Requests: 59\nX-RateLimit-Reset-Requests: 1s\nX-RateLimit-Remaining-Tokens: 0\nX-RateLimit-Reset-Tokens: 12ms"},
		{"Azure OpenAI", 7 * time.Second, "", "Retry-After: 7\nRetry-After-Ms: 7000"},
		{"Azure, Cosmos DB", 7100 * time.Millisecond, "", "X-Ms-Retry-After-Ms: 7100"},
		{"Azure, Resource Manager", 17 * time.Second, "subscription-reads", "X-Ms-Ratelimit-Remaining-Subscription-Reads: 0\nRetry-After: 17"},
		{"Anthropic", 5 * time.Minute, "anthropic", "Anthropic-Ratelimit-Requests-Limit: 60\nAnthropic-Ratelimit-Requests-Remaining: 0\nAnthropic-Ratelimit-Requests-Reset: 2026-03-01T12:05:00Z\nAnthropic-Ratelimit-Tokens-Remaining: 0\nAnthropic-Ratelimit-Tokens-Reset: 2026-03-01T12:01:00Z"},
		{"Docker Hub", 6 * time.Hour, "", "RateLimit-Limit: 100;w=21600\nRateLimit-Remaining: 0;w=21600\nDocker-RateLimit-Source: 192.0.2.1"},
		{"Docker Hub, abuse", time.Minute, "", "Date: Sun, 01 Mar 2026 12:00:00 GMT\nRetry-After: 1772366460\nX-RateLimit-Limit: 180\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1772366460"},
		{"Discord", 2 * time.Second, "abcd1234", "X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1772366401.123\nX-RateLimit-Reset-After: 1.123\nX-RateLimit-Bucket: abcd1234"},
		{"Discord, for all", 65 * time.Second, "global", "Retry-After: 65\nX-RateLimit-Global: true\nX-RateLimit-Scope: global"},
		{"Shopify", 2 * time.Second, "shopify-shop", "X-Shopify-Shop-Api-Call-Limit: 40/40\nRetry-After: 2.0"},
		{"HubSpot", 10 * time.Second, "hubspot", "X-HubSpot-RateLimit-Daily: 250000\nX-HubSpot-RateLimit-Daily-Remaining: 249500\nX-HubSpot-RateLimit-Max: 100\nX-HubSpot-RateLimit-Remaining: 0\nX-HubSpot-RateLimit-Interval-Milliseconds: 10000"},
		{"HubSpot, per day", 24 * time.Hour, "hubspot-daily", "X-HubSpot-RateLimit-Daily: 250000\nX-HubSpot-RateLimit-Daily-Remaining: 0\nX-HubSpot-RateLimit-Remaining: 90"},
		{"BigCommerce", 15 * time.Second, "", "X-Rate-Limit-Requests-Left: 0\nX-Rate-Limit-Requests-Quota: 150\nX-Rate-Limit-Time-Reset-Ms: 15000\nX-Rate-Limit-Time-Window-Ms: 30000"},
		{"Linear", 30 * time.Second, "", "X-RateLimit-Requests-Limit: 1500\nX-RateLimit-Requests-Remaining: 0\nX-RateLimit-Requests-Reset: 1772366430000\nX-RateLimit-Complexity-Remaining: 9"},
		{"Brevo", 30 * time.Second, "sib", "X-Sib-Ratelimit-Limit: 1000\nX-Sib-Ratelimit-Remaining: 0\nX-Sib-Ratelimit-Reset: 30"},
		{"Zendesk, an endpoint", time.Minute, "zendesk-tickets-index", "Zendesk-RateLimit-Tickets-Index: total=100; remaining=0; resets=60"},
		{"Strava, per day", 0, "", "X-RateLimit-Limit: 200,2000\nX-RateLimit-Usage: 15,2000"},
		{"Strava, what is read", 0, "read", "X-ReadRateLimit-Limit: 100,1000\nX-ReadRateLimit-Usage: 100,312\nX-RateLimit-Limit: 200,2000\nX-RateLimit-Usage: 101,313"},
		{"Xero, per minute", time.Minute, "min", "X-DayLimit-Remaining: 4998\nX-MinLimit-Remaining: 0\nX-AppMinLimit-Remaining: 9999"},
		{"Azure, Compute", 0, "", "X-Ms-Ratelimit-Remaining-Resource: Microsoft.Compute/HighCostGet3Min;0,Microsoft.Compute/HighCostGet30Min;680"},
		{"Slack, Stripe, Twilio", 30 * time.Second, "", "Retry-After: 30"},
		{"Datadog, the field twice", 7 * time.Second, "", "X-RateLimit-Limit: 100\nX-RateLimit-Period: 60\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 7\nX-RateLimit-Reset: 7"},
		{"two gateways in one field", time.Minute, "", "X-RateLimit-Remaining: 99, 0\nX-RateLimit-Reset: 1, 60"},
		{"used, of a limit", time.Minute, "", "X-RateLimit-Limit: 10\nX-RateLimit-Used: 12\nX-RateLimit-Reset: 60"},
		{"used up and more", time.Minute, "", "X-RateLimit-Limit: 60\nX-RateLimit-Remaining: -3\nX-RateLimit-Reset: 60"},
		{"as PHP prints a number", time.Minute, "", "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1.77236646E+9"},
		{"Go, RFC 1123 in UTC", 30 * time.Second, "", "Retry-After: Sun, 01 Mar 2026 12:00:30 UTC"},
		{"a numeric zone", 30 * time.Second, "", "Retry-After: Sun, 01 Mar 2026 12:00:30 +0000"},
		{"a day of one digit", 30 * time.Second, "", "Retry-After: Sun, 1 Mar 2026 12:00:30 GMT"},
		{"lower case", 30 * time.Second, "", "Retry-After: sun, 01 mar 2026 12:00:30 gmt"},
		{"a leap second", time.Minute, "", "Retry-After: Sun, 01 Mar 2026 12:00:60 GMT"},
		{"ISO 8601 in Retry-After", 30 * time.Second, "", "Retry-After: 2026-03-01T12:00:30Z"},
		{"a duration in Retry-After", time.Minute, "", "Retry-After: 1m0s"},
		{"two dates in a line", 30 * time.Second, "", "Retry-After: Sun, 01 Mar 2026 12:00:20 GMT, Sun, 01 Mar 2026 12:00:30 GMT"},
		{"two lines, of a proxy and the API", 30 * time.Second, "", "Retry-After: 5\nRetry-After: 30"},
	} {
		t.Run(test.api, func(t *testing.T) {
			got, ok := taskpool.ParseRateLimit(taskpool.Answer{Header: header(test.header), Came: now})
			wait := time.Duration(0) // not said
			if !got.Reset.IsZero() {
				wait = got.Reset.Sub(now)
			}
			if !ok || got.Remaining != 0 || wait != test.want || got.Name != test.name || got.Unread != "" {
				t.Errorf("got %+v, %t, want nothing to remain for %v, of %q", got, ok, test.want, test.name)
			}
		})
	}
}

func FuzzParseRateLimit(f *testing.F) {
	const now = 1772366400
	for _, lines := range []string{
		"", "Retry-After: 30", "Retry-After: 99999999999999999999", "Retry-After-Ms: 1e300", "Age: 1\nRetry-After: 2",
		"Date: Sun, 01 Mar 2026 12:00:00 GMT\nRetry-After: Sun, 01 Mar 2026 12:00:30 GMT",
		"Date: Sunday, 01-Mar-26 12:00:00 GMT\nRetry-After: Sun Mar  1 12:00:60 2026",
		"RateLimit: \"default\";r=50;t=30\nRateLimit-Policy: \"default\";q=100;w=60",
		"RateLimit: \"a\\\"\";r=0, b;r=1;t=2\nRateLimit-Policy: \"a\\\"\";q=100;w=60;qu=\"content-bytes\";pk=:Zm9v:, b;q=1.5",
		"RateLimit: limit=100, remaining=50, reset=30\nRateLimit-Policy: 100;w=60",
		"X-RateLimit-Limit: 60\nX-RateLimit-Remaining: 56\nX-RateLimit-Reset: 1772368873",
		"X-RateLimit-Limit: 60, 60;w=1\nX-RateLimit-Remaining: 5.5\nX-RateLimit-Reset-After: 6m0s",
		"X-Shopify-Shop-Api-Call-Limit: 40/40\nX-Ms-RateLimit-Remaining-Resource: a/b;1,c/d;0",
		"X-HubSpot-RateLimit-Daily: 5\nX-HubSpot-RateLimit-Daily-Remaining: -1\nX-RateLimit-Interval-Milliseconds: 1e4",
		"Zendesk-RateLimit-Tickets-Index: total=100; remaining=99; resets=60\nX-RateLimit-Global: true",
	} {
		f.Add(int64(now), 429, lines)
		f.Add(int64(0), 200, lines)
	}
	f.Fuzz(func(t *testing.T, sec int64, status int, lines string) {
		now := time.Unix(sec%(1<<38), 0) // to the year 10680, as a clock may say
		a := taskpool.Answer{Status: status, Header: header(lines), Came: now}
		got, ok := taskpool.ParseRateLimit(a)
		switch {
		case !ok && (got.Limit != 0 || got.Remaining != 0 || got.Refused || !got.Reset.IsZero() || got.Name != ""):
			t.Errorf("got %+v with false", got)
		case got.Limit < 0 || got.Limit > math.MaxInt32 || got.Remaining < 0 || got.Remaining > math.MaxInt32:
			t.Errorf("got %+v, want counts between 0 and %d", got, math.MaxInt32)
		case got.Per < 0 || got.Per > 24*time.Hour:
			t.Errorf("got %+v, want a window of 24 h at most", got)
		case got.Refused && got.Remaining > 0:
			t.Errorf("got %+v, want nothing to remain after a refusal", got)
		}
		if wait := got.Reset.Sub(now); !got.Reset.IsZero() && (wait <= 0 || wait > 24*time.Hour) {
			t.Errorf("got a reset %v after now, want one within 24 h", wait)
		}
		// Nothing that is in it makes a refusal none, but that a cache has kept it.
		if status == 429 && !got.Refused && http.Header(a.Header).Get("Age") == "" && http.Header(a.Header).Get("X-From-Cache") == "" {
			t.Errorf("got %+v, %t of a 429", got, ok)
		}
		if again, ok2 := taskpool.ParseRateLimit(a); ok2 != ok || again != got { // though maps have no order
			t.Errorf("got %+v, %t, then %+v, %t of the same answer", got, ok, again, ok2)
		}
	})
}

func ExampleParseRateLimit() {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	h := http.Header{} // of a response: resp.Header
	h.Set("RateLimit-Policy", `"burst";q=100;w=60, "daily";q=1000;w=86400`)
	h.Set("RateLimit", `"burst";r=50;t=30, "daily";r=2;t=3600`)
	if limit, ok := taskpool.ParseRateLimit(taskpool.Answer{Header: h, Came: now}); ok {
		// Inside a task: taskpool.Throttle(ctx, limit)
		fmt.Printf("%d of %d calls until %s\n", limit.Remaining, limit.Limit, limit.Reset.Format(time.TimeOnly))
	}
	// Output: 2 of 1000 calls until 13:00:00
}
