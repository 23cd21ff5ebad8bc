package ratefield_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/elite-libs/taskpool/core/internal/ratefield"
)

// What real APIs write has a row each in TestParseRateLimit of package taskpool. Here
// random answers, made of the words of such names and of values as they come, hold
// what Read promises of every answer.
func TestReadHoldsOnToItsRules(t *testing.T) {
	came := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	pick := func(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }
	understood := 0
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		a := ratefield.Answer{
			Status: []int{0, 200, 202, 301, 403, 404, 420, 429, 500, 503, 529}[r.IntN(11)],
			Header: map[string][]string{}, Came: came,
		}
		for range r.IntN(5) {
			name := pick(r, "RateLimit", "X-RateLimit", "X-Rate-Limit", "Quota", "Api-Limit", "Retry-After", "RateLimit-Policy", "Age", "Date") +
				pick(r, "", "-Limit", "-Remaining", "-Reset", "-Used", "-Tokens-Remaining", "-Reset-After", "-Window", "-Daily-Reset-Ms")
			a.Header[name] = []string{pick(r,
				fmt.Sprint(r.IntN(100)), fmt.Sprint(r.Uint64()), fmt.Sprint(came.Unix()+int64(r.IntN(200_000))-100_000), "-1", "1e300", "6m0s", "", "soon", "NaN",
				`"a";r=0;t=5`, `"a";q=100;w=60, "b";q=5;w=1`, "limit=10, remaining=0, reset=4", "100, 100;w=60", came.Add(30*time.Second).Format(time.RFC1123), "40/40")}
		}
		got, ok := ratefield.Read(a)
		if ok && got.Limit > 0 && !got.Refused {
			understood++
		}
		switch {
		case !ok && got != (ratefield.Limit{Unread: got.Unread, Age: got.Age}):
			t.Errorf("%v: got %+v without ok", a, got)
		case got.Limit < 0, got.Limit > math.MaxInt32, got.Remaining < 0, got.Remaining > math.MaxInt32:
			t.Errorf("%v: got counts of %+v, want them between 0 and %d", a, got, math.MaxInt32)
		case got.Wait < 0, got.Wait > ratefield.MaxWait, got.Per < 0, got.Per > ratefield.MaxWait, got.Age < 0:
			t.Errorf("%v: got times of %+v, want them between 0 and %v", a, got, ratefield.MaxWait)
		case got.Refused && got.Remaining > 0:
			t.Errorf("%v: got %+v: a refusal leaves nothing", a, got)
		case (a.Status == 202 || a.Status == 301) && (ok || got != ratefield.Limit{}):
			t.Errorf("%v: got %+v: such an answer says nothing", a, got)
		case len(got.Unread) > 200:
			t.Errorf("%v: got %d bytes of what was not read, want 200 at most", a, len(got.Unread))
		}
		// Names are the same in any case, and maps have no order.
		other := ratefield.Answer{Status: a.Status, Header: map[string][]string{}, Came: came}
		for name, lines := range a.Header {
			other.Header[strings.ToUpper(name)] = lines
		}
		again, ok2 := ratefield.Read(other)
		if again.Unread, got.Unread = "", ""; again.Name != "" || got.Name != "" {
			again.Name, got.Name = strings.ToLower(again.Name), strings.ToLower(got.Name)
		}
		if ok2 != ok || again != got {
			t.Errorf("%v: got %+v, %t, and of names in capitals %+v, %t", a, got, ok, again, ok2)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if understood == 0 {
		t.Error("no limit was understood of any answer")
	}
}
