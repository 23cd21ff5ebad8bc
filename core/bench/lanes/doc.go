// Package lanes puts lanes before the servers that rate limits are of, on virtual time, and says how far they are from
// what the servers allow.
//
// A server is one of seven models, with four dialects of telling of its limit. Each is called so many times by a lane
// that was told nothing of it, through httppool.Transport, and by its peers: golang.org/x/time/rate with the true limit
// set by hand, the adaptive limiter of failsafe-go, and plain retries with backoff. The ideal is a client that the server
// itself keeps waiting until it has room: no other is faster.
package lanes
