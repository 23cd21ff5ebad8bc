package pace

import "math"

const (
	// Of so many calls one may be refused as the limit is looked for: what a refusal cost is how slowly the pace grows
	// to where it was refused.
	perRefusal = 50

	// … and so many times as long as a refusal has kept all from starting it takes to try again what it was for.
	perLost = 20

	keepLearned = 10 * minute // after the last refusal or call that it slowed
	burst       = second / 100
	minRate     = 1.0 / (30 * minute)
)

// Learned is what refusals have taught that no quota had announced.
type learned struct {
	took int64 // about how long a call takes

	// From the end of one refusal to that of the next a limit is used up and comes back: what is accepted meanwhile, by
	// the time, is what it allows in the long run.
	since    int64 // the last recovery; 0 before the first call. The time without any call to make does not count
	idle     int64 // since when nothing runs, nor waits for what is known; 0 if something does
	cycles   int   // of them
	accepted int   // since then
	before   int   // … when the refusal came
	refused  int   // in this one

	rate   float64 // calls a nanosecond; 0 is any number
	failed float64 // the rate at which the last refusal came
	fell   int64   // when that was
	factor float64 // by which the rate grows with each call that it has slowed and that is accepted
	free   int64   // when the next may start
	slowed bool
	keep   int64

	// That a number of calls runs at once is taken for the limit as long as all that were refused had more beside them
	// than all that were accepted.
	most    int   // how many may run at once; 0 is any number
	not     bool  // it is not that
	okMost  int   // accepted with so many
	badFrom int   // refused with so many; 0 if none was
	since2  int   // accepted since most was set
	again   int64 // more is not tried before
}

// start notes that a call starts.
func (l *learned) start(now int64, alone bool) {
	if l.since == 0 {
		l.since = now
	} else if alone && l.idle > 0 && now > l.idle {
		l.since += now - l.idle
	}
	l.idle = 0
	if l.rate > 0 {
		l.free = max(l.free, now-burst) + int64(1/l.rate)
	}
}

// slow is when a call may start for all that was learned.
func (l *learned) slow(now int64, running int) (at int64, why Why) {
	if l.most > 0 && running >= l.most {
		return Never, AtOnce
	}
	if l.rate > 0 && l.free > now {
		return l.free, Learned
	}
	return 0, Nothing
}

// fail notes a refusal.
func (l *learned) fail(running int) {
	l.refused++
	if l.badFrom == 0 || running < l.badFrom {
		l.badFrom = running
	}
}

// fall is told of the first refusal after calls were accepted.
func (l *learned) fall(now int64) {
	l.before, l.keep, l.fell = l.accepted, now+keepLearned, now
	l.refused = 1
}

// recover is told of the first call that is accepted after a refusal: when it was asked, and now.
func (l *learned) recover(asked, now int64) {
	if l.badFrom == 0 {
		return // a quota had announced it
	}
	took, before := asked-l.since, l.before
	bad, ok := l.badFrom, l.okMost
	l.since, l.accepted, l.badFrom, l.okMost = asked, 0, 0, 0
	l.cycles++
	l.keep, l.again = now+keepLearned, now+perLost*(now-l.fell)
	switch {
	case l.most > 0 && bad >= l.most && l.since2 >= perRefusal/2:
		l.most, l.since2 = max(l.most-1, 1), 0
		return
	case l.most > 0:
		l.most, l.not = 0, true // refused with as few as were accepted
	case !l.not && l.rate == 0 && ok > 0 && ok < bad:
		l.most, l.since2 = ok, 0
		return
	}
	if l.cycles == 1 || took <= 0 { // there may have been more at first, as in a bucket that was full
		return
	}
	got := float64(max(before, 1)) / float64(took)
	l.failed = l.rate
	if l.rate == 0 {
		l.rate, l.factor = got, math.Pow(2, 1.0/8)
	} else {
		l.rate = min(max(got, l.rate/4), 0.97*l.rate)
		n := max(float64(perRefusal*min(max(l.refused, 1), 25)), l.rate*float64(l.again-now))
		l.factor = math.Pow(min(l.failed/l.rate, 2), 1/n)
	}
	l.rate = max(l.rate, minRate)
	l.free, l.slowed = asked+int64(1/l.rate), false
}

// succeedLate notes that a call was accepted that was under way when another was refused.
func (l *learned) succeedLate(running int) {
	l.before++
	l.okMost = max(l.okMost, running)
}

// succeed notes that a call was accepted.
func (l *learned) succeed(now int64, running int) {
	l.accepted++
	l.since2++
	l.okMost = max(l.okMost, running)
	if l.most > 0 && running >= l.most && l.since2 >= perRefusal && now >= l.again {
		l.most, l.since2 = l.most+1, 0
	}
	if l.rate == 0 || !l.slowed {
		return
	}
	l.slowed = false
	l.rate *= l.factor
	if l.failed > 0 && l.rate > 4*l.failed || l.rate > 1.0/1000 { // a call a microsecond
		l.rate, l.failed, l.cycles = 0, 0, 1
	}
}
