package pooltest

import (
	"io"
	"strings"
	"time"
)

// withheldChecks: a client that announces a body and sends none can withhold the
// end of the response from the server. Tasks start all the same, in bounded time.
func withheldChecks() []check {
	return []check{
		{"withheld body/Expect", func(r *run) { withheld(r, "Content-Length: 10\r\nExpect: 100-continue\r\n", true) }},
		{"withheld body/Content-Length", func(r *run) { withheld(r, "Content-Length: 10\r\n", false) }},
		{"withheld body/chunked", func(r *run) { withheld(r, "Transfer-Encoding: chunked\r\n", false) }},
	}
}

func withheld(r *run, header string, expect bool) {
	q := r.quartet()
	s := r.serve(setup{grace: 50 * time.Millisecond}, q.in(plain))
	c := s.dial()
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: pooltest\r\n"+header+"\r\n")
	if r.adapter.ReadsBody {
		// The server waits for the body, and has not called the handler. Its
		// other connections do not wait.
		s.get(s.dial(), keepAlive, "/next")
		if accepted := s.source.stats().Accepted; accepted != 0 {
			r.errorf("ReadsBody is set, and the handler ran without the body")
		}
		return
	}
	if expect {
		// Nobody asked for the body: the response is there before the request is.
		if head, err := c.head(""); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
			r.errorf("the client has %q, %v", head, err)
		}
	}
	q.waitReleased(true)
	q.after.releasedInTime()
	q.settle(s, true)
}
