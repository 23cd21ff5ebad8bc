package pace_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/elite-libs/taskpool/core/internal/pace"
)

const (
	ms     = 1_000_000
	second = 1000 * ms
	hour   = 3600 * second
)

// A call is one that runs.
type call struct {
	started int64
	running int
	told    bool
}

// Whatever is told, in whatever order: a Pace never waits for what cannot come, never longer than it has to, or than it was
// told or an hour beyond, starts nothing in a hold, and one call only after it; and who only asks changes nothing.
func TestPaceHoldsOnToItsRules(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := new(pace.Pace)
		now, latest, latestStart, refusedUntil := int64(1<<60), int64(0), int64(0), int64(0)
		probing := false
		var running []call
		for range 200 {
			now += r.Int64N(3) * r.Int64N(400*ms)
			p.Quotas(now) // lets go what has passed
			was := ""
			if seed%100 == 0 {
				was = fmt.Sprintf("%+v", *p)
			}
			at, why := p.Next(now)
			if seed%100 == 0 && fmt.Sprintf("%+v", *p) != was {
				t.Fatalf("seed %d: Next has made\n%s\n%+v", seed, was, *p)
			}
			if again, whyAgain := p.Next(now); again != at || whyAgain != why {
				t.Fatalf("seed %d: Next says %d, %v, then %d, %v", seed, at-now, why, again-now, whyAgain)
			}
			switch {
			case at == pace.Never && len(running) == 0:
				t.Fatalf("seed %d: nothing runs, and nothing may start: %v, %+v", seed, why, p)
			case at != pace.Never && at > max(latest, now)+hour:
				t.Fatalf("seed %d: the next start is in %d s, and the latest reset in %d s: %v", seed, (at-now)/second, (latest-now)/second, why)
			case at <= now && now < refusedUntil:
				t.Fatalf("seed %d: a start is allowed %d ms before a refusal ends", seed, (refusedUntil-now)/ms)
			case at <= now && (why != pace.Nothing || at != now):
				t.Fatalf("seed %d: a start is allowed, at %d because of %v", seed, at-now, why)
			}
			switch k := r.IntN(10); {
			case k < 5 && at <= now:
				running = append(running, call{started: now, running: p.Started(now)})
				latestStart = now
				if probing {
					if next, _ := p.Next(now); next != pace.Never {
						t.Fatalf("seed %d: a second call may start while the first after a refusal is awaited", seed)
					}
					probing = false
				}
			case k < 5 && at != pace.Never: // who waits looks again only then
				early := now + r.Int64N(at-now)
				if next, _ := p.Next(early); next <= early {
					t.Fatalf("seed %d: told to wait until %d ms, a call may start after %d already: %v", seed, (at-now)/ms, (early-now)/ms, why)
				}
				p.Waits(now)
				now = at
			case len(running) == 0:
			case k < 8:
				i := r.IntN(len(running))
				c := &running[i]
				h := pace.Hint{Asked: c.started, Limit: r.IntN(2) * r.IntN(20), Remaining: r.IntN(2) * r.IntN(20), Per: r.Int64N(2) * second}
				if r.IntN(3) > 0 {
					h.Reset = now + r.Int64N(90*second) - second
				}
				h.Told = r.IntN(4) > 0
				h.Refused = r.IntN(6) == 0
				if h.Refused {
					h.Told, h.Remaining = false, 0
				}
				refused := p.Answered(now, c.running, !c.told, h)
				c.told = true
				switch {
				case refused:
					latest = max(latest, h.Reset)
					refusedUntil = max(refusedUntil, h.Reset)
					// Of a call that is older than others, which may have been accepted since, it says little.
					probing = h.Reset > now && c.started == latestStart
				case h.Told:
					latest = max(latest, h.Reset)
					refusedUntil, probing = 0, false // a call that was accepted may lift what holds
				default:
					refusedUntil, probing = 0, false
				}
			default:
				i := r.IntN(len(running))
				c := running[i]
				running = append(running[:i], running[i+1:]...)
				p.Ended(now, c.started, c.running, c.told)
				if !c.told {
					refusedUntil, probing = 0, false
				}
			}
		}
		for _, c := range running {
			p.Ended(now, c.started, c.running, c.told)
		}
		if until := p.Until(); until > max(latest, now)+hour {
			t.Fatalf("seed %d: it is kept for %d s", seed, (until-now)/second)
		}
	}
}

// An API that allows so much and says nothing is found out, whatever its limit: little is refused, and little time lost.
func TestPaceFindsTheRateOfASilentBucket(t *testing.T) {
	for _, perSecond := range []float64{0.5, 5, 70} {
		for _, size := range []float64{1, 10, 100} {
			p := new(pace.Pace)
			now, tokens, filled := int64(1<<60), size, int64(1<<60)
			first, calls, refused := now, 0, 0
			for calls-refused < 3000 {
				if at, _ := p.Next(now); at > now {
					p.Waits(now)
					now = at
				}
				running := p.Started(now)
				calls++
				tokens = min(size, tokens+perSecond*float64(now-filled)/second)
				filled = now
				asked := now
				now += 10 * ms
				refusedNow := tokens < 1-1e-9
				if refusedNow {
					refused++
					p.Answered(now, running, true, pace.Hint{Refused: true, Asked: asked})
				} else {
					tokens--
				}
				p.Ended(now, asked, running, refusedNow)
			}
			took, want := float64(now-first)/second, max((3000-size)/perSecond, 30)
			if took > 1.25*want || refused*100 > calls*5 {
				t.Errorf("%v a second, a bucket of %v: took %.0f s, want %.0f s; %d of %d calls refused", perSecond, size, took, want, refused, calls)
			}
		}
	}
}

// Never more than rate starts within any period; and where few are remembered one by one, no fewer.
func TestStartsKeepsToItsRate(t *testing.T) {
	for _, rate := range []int{1, 3, 1024, 1025, 5000, 100_000} {
		r := rand.New(rand.NewPCG(uint64(rate), 0))
		const per = 10 * second
		s := new(pace.Starts)
		now := int64(1 << 60)
		var all []int64
		for range min(4*rate, 20_000) {
			if r.IntN(3) == 0 {
				now += r.Int64N(3 * per / int64(rate))
			}
			next := s.Next(now, per, rate)
			if rate <= 1024 && len(all) >= rate {
				if exact := all[len(all)-rate] + per; exact > now && next != exact {
					t.Fatalf("rate %d: the next start is in %d, want in %d", rate, next-now, exact-now)
				}
			}
			if late := int64(per) / 1024; len(all) >= rate && next > max(all[len(all)-rate]+per, now)+late {
				t.Fatalf("rate %d: the next start is %d ms late", rate, (next-max(all[len(all)-rate]+per, now))/ms)
			}
			now = max(now, next)
			s.Add(now, per, rate)
			all = append(all, now)
			if n := len(all) - 1 - rate; n >= 0 && all[n] > now-per {
				t.Fatalf("rate %d: %d starts within %d of %d", rate, rate+1, now-all[n], int64(per))
			}
		}
		if s.Until(per) != now+per {
			t.Errorf("rate %d: known until %d, want until %d", rate, s.Until(per)-now, int64(per))
		}
	}
}

// A rate of a million an hour is no memory of a million starts.
func TestStartsOfALargeRateAreFew(t *testing.T) {
	s := new(pace.Starts)
	now := int64(1 << 60)
	for range 1_000_000 {
		now += ms
		s.Add(now, hour, 1_000_000)
	}
	if n := s.Len(); n > 4096 {
		t.Errorf("got %d groups", n)
	}
}
