package tasktest

// OutsideOfABubble has r take the bubble that it is in for the world outside, whose
// limits can then be waited for.
func OutsideOfABubble(r *Recorder) { r.bubble = false }
