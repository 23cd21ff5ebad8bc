package taskpool

// An Outcome is what became of a request. It is fixed once, when the response
// has been sent.
type Outcome struct {
	Status       int     // final HTTP status; 0 if it is not known (hijacked, not HTTP)
	Err          error   // what the handler returned, where the framework has that; alone it decides nothing
	Vetoed       error   // what Scope.Fail was given
	Panicked     bool    // the handler panicked; seen in passing, not recovered
	Disconnected bool    // the client had gone when the handler returned
	Expired      bool    // the request's deadline had passed when the handler returned
	Release      Release // what let the staged tasks start
}

// Success reports whether the request succeeded: nothing panicked, Fail was not
// called, the deadline had not passed, and the status is below 400 or unknown.
// A client that disconnected is no failure: the work was done.
func (o Outcome) Success() bool {
	return !o.Panicked && o.Vetoed == nil && !o.Expired && o.Status < 400
}

// Exact reports whether the staged tasks were released after the last byte of
// the response was handed to the connection, not merely at about that time.
func (o Outcome) Exact() bool { return o.Release == ReleaseFlushed }

// starts reports whether a task staged for s starts after this outcome.
func (o Outcome) starts(s Start) bool {
	switch s {
	case StartOnSuccess:
		return o.Success()
	case StartOnFailure:
		return !o.Success()
	}
	return true
}

// Release says what let the staged tasks of a scope start. The zero value means
// that nothing has yet.
type Release uint8

// What may release a scope. Only ReleaseFlushed is exact; ReleaseStreamClosed and
// ReleaseHandlerReturned come within microseconds of the server's final flush.
const (
	ReleaseFlushed         Release = iota + 1 // the last write of the response had returned
	ReleaseStreamClosed                       // the HTTP/2 stream was closed: END_STREAM or RST was handed to the frame writer
	ReleaseHandlerReturned                    // the outermost handler had returned
	ReleaseNoServer                           // there is no server: a recorder, or not HTTP
	ReleaseOverdue                            // nothing told of the end of the response for Config.Grace
	ReleasePoolDone                           // Done was called and the handler had returned
	ReleaseHeld                               // the request was held until its tasks had ended
)

var releaseNames = [...]string{"not released", "flushed", "stream closed", "handler returned", "no server", "overdue", "pool done", "held"}

// String names the release in words, such as "handler returned".
func (r Release) String() string { return enumName("Release", releaseNames[:], int(r)) }

// MarshalText gives the same text as String; an unknown value is an error.
func (r Release) MarshalText() ([]byte, error) { return enumText("Release", releaseNames[:], int(r)) }
