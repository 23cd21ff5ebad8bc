package taskpool

import (
	"time"

	"github.com/elite-libs/taskpool/core/internal/ratefield"
)

// A RateLimit is what an API said of how much it still allows. [Throttle] tells a
// lane of it.
type RateLimit struct {
	Name      string        // what the API calls the limit, such as a policy, a bucket or a resource; may be empty
	Limit     int           // calls in a window; 0 if that was not said
	Remaining int           // calls that are left until Reset
	Reset     time.Time     // when the window ends, or the quota is full again; zero if that was not said
	Per       time.Duration // how long a window is; 0 if that was not said
	Refused   bool          // the call was refused for a limit: nothing goes on before Reset, nor before one call was tried with
	Asked     time.Time     // when the call was made; zero means after what the task told before, or as its run began
	Unread    string        // a field of limits that was not understood, for the log; empty if there is none
}

// An Answer is the answer of an API, as far as its limits are concerned. Of a
// net/http response r it is
//
//	Answer{Status: r.StatusCode, Header: r.Header, Asked: sent, Came: time.Now()}
type Answer struct {
	Status int                 // of HTTP; 0 is an answer by other means, whose fields count as they stand
	Header map[string][]string // the lines of each field, whatever the case of its name; an http.Header fits
	Asked  time.Time           // when the request was sent; zero if that is not known
	Came   time.Time           // when the answer came; zero means now
}

// ParseRateLimit reads what an API allows from its answer. It reports false if
// the answer says nothing of that: then nothing but Asked and Unread is set. It
// never panics.
//
// What an answer says depends on its circumstances:
//
//   - 429, and 420, 509 and 529, are a refusal whatever remains, and so is a 503
//     that has any field of limits, a 403 of which nothing remains, and each answer
//     of 200 or of 400 and more that has a Retry-After: GraphQL APIs refuse with 200.
//   - 1xx, 202 and 3xx say nothing: their Retry-After is about something else.
//   - An answer that a cache has kept (Age; X-From-Cache; a Date more than five
//     minutes ago) is as old as that: what it says is counted from then, and what
//     is over says nothing.
//
// Of several limits in one answer the lowest remainder counts, and of equal ones
// the latest reset. A refusal waits for the longest Retry-After that it has,
// else for the reset of the limit that counts; if something remains of that, the
// refusal is by another limit, and the wait is a minute at most.
//
// It has no list of APIs. A field is of limits if its name has RateLimit,
// Rate-Limit, Limit or Quota in it, or Retry-After; the words beside say what it is:
//
//	Limit, Max, Quota, or nothing       calls in a window: 100, 100;w=60, 10, 10;w=1
//	Remaining, Left, Available          7, 7;w=60, -3 (none), 99, 0 (two limits)
//	Used, Observed, Consumed            Limit less this remains
//	Reset, ResetTime, Reset-After,      30, 1.5, 6m0s, 12ms; a Unix time in s, ms, µs or ns; an HTTP
//	Reset-Ms, Retry-After, -After-Ms    date, also with UTC or +0000; RFC 3339, also without seconds
//	Window, Interval, Period (-Ms)      the length of a window
//	nothing                             3/40, usage=3/40, total=40; remaining=37; resets=60
//	RateLimit, RateLimit-Policy         draft-ietf-httpapi-ratelimit-headers, versions 7 to 10; its
//	                                    versions 0 to 6 had the three fields above
//	Resource, Bucket, Name, Global      the limit's name
//
// What is left of the name (Tokens, Daily, Search) tells the limits of one
// answer apart. Of what does not count calls (tokens, bytes, points) only that
// nothing remains is heeded. Understood are so, with the documentation of each:
//
//	GitHub, Okta, Intercom, Sentry      X-RateLimit-Limit, -Remaining, -Reset (Unix), -Resource; Retry-After
//	GitLab, Twitch                      RateLimit-Limit, -Remaining, -Reset (Unix), -ResetTime, -Observed
//	X (Twitter)                         x-rate-limit-limit, -remaining, -reset; x-user-limit-24hour-remaining
//	Reddit, Datadog, Vimeo, Mastodon    X-RateLimit-* with a delay, -Period, fractions, ISO 8601
//	Discord                             X-RateLimit-Reset-After, -Bucket, -Global, -Scope
//	OpenAI, Azure OpenAI                x-ratelimit-remaining-requests, -tokens; 6m0s; retry-after-ms
//	Anthropic                           anthropic-ratelimit-requests-remaining, -tokens-; RFC 3339
//	Atlassian (Jira)                    X-RateLimit-Reset: 2026-03-01T12:05Z; -Interval-Seconds
//	Shopify, Salesforce                 X-Shopify-Shop-Api-Call-Limit: 32/40; Sforce-Limit-Info: api-usage=18/5000
//	HubSpot, HighLevel                  X-HubSpot-RateLimit-Max, -Interval-Milliseconds, -Daily-Remaining
//	BigCommerce, Linear, Brevo          X-Rate-Limit-Requests-Left, -Time-Reset-Ms; X-RateLimit-Requests-Remaining
//	Azure                               x-ms-ratelimit-remaining-subscription-reads; x-ms-retry-after-ms
//	Docker Hub                          ratelimit-remaining: 76;w=21600; Retry-After as a Unix time
//	Zendesk                             zendesk-ratelimit-tickets-index: total=100; remaining=99; resets=60
//	Slack, Stripe, Twilio, Notion       Retry-After
//
// Dates and Unix times are the server's. Where the answer has a Date, Reset is
// as long after Came as that time is after Date, whatever either clock says: late
// by the answer's way here and the fraction of a second that Date omits, never early.
// A fraction of a second counts as a whole one, a fraction of a call as none.
//
// Reset is at most 24 hours after Came, a count at most 2 147 483 647; more is
// taken for that. What cannot be read is as if it were absent, but for Unread.
func ParseRateLimit(a Answer) (RateLimit, bool) {
	if a.Came.IsZero() {
		a.Came = time.Now()
	}
	l, ok := ratefield.Read(ratefield.Answer{Status: a.Status, Header: a.Header, Came: a.Came})
	r := RateLimit{Unread: l.Unread, Asked: a.Asked}
	if l.Age > 0 { // it was made then, and says nothing of what was asked since
		r.Asked = a.Came.Add(-l.Age)
	}
	if !ok {
		return r, false
	}
	r.Name, r.Limit, r.Remaining, r.Per, r.Refused = l.Name, l.Limit, l.Remaining, l.Per, l.Refused
	if l.Wait > 0 {
		r.Reset = a.Came.Add(l.Wait)
	}
	return r, true
}
