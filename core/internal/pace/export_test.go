package pace

// Len is how many groups of starts are remembered, the room for those that were included.
func (s *Starts) Len() int { return cap(s.groups) }
