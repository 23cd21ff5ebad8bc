package pace

// Starts remembers the starts of a period, so that no more than so many are in any: each of them where they are few, and
// of many groups that are a thousandth of the period long, each dated at its last one. A group leaves the period as a
// whole, and so never too early.
type Starts struct {
	groups []group // the oldest at first
	first  int
	total  int
}

type group struct {
	began, at int64
	count     int
}

// maxGroups bounds what a large rate takes.
const maxGroups = 1024

// Add notes a start, under a limit of rate a period.
func (s *Starts) Add(now, per int64, rate int) {
	s.forget(now, per)
	s.total++
	var long int64 // how long a group may be
	if rate > maxGroups {
		long = per / maxGroups
	}
	if n := len(s.groups); n > 0 {
		if g := &s.groups[n-1]; now-g.began <= long {
			g.at = now
			g.count++
			return
		}
	}
	if s.first > len(s.groups)/4 && len(s.groups) == cap(s.groups) {
		n := copy(s.groups, s.groups[s.first:])
		s.groups, s.first = s.groups[:n], 0
	}
	s.groups = append(s.groups, group{now, now, 1})
}

// Next is when another may start: 0 if at once.
func (s *Starts) Next(now, per int64, rate int) int64 {
	s.forget(now, per)
	if s.total < rate {
		return 0
	}
	need := s.total - rate + 1
	for i := s.first; i < len(s.groups); i++ {
		if need -= s.groups[i].count; need <= 0 {
			return s.groups[i].at + per
		}
	}
	return 0
}

// Until is when the last of them leaves the period; 0 if there is none.
func (s *Starts) Until(per int64) int64 {
	if len(s.groups) == s.first {
		return 0
	}
	return s.groups[len(s.groups)-1].at + per
}

func (s *Starts) forget(now, per int64) {
	for s.first < len(s.groups) && s.groups[s.first].at+per <= now {
		s.total -= s.groups[s.first].count
		s.first++
	}
	if s.first == len(s.groups) {
		s.groups, s.first = s.groups[:0], 0
	}
}
