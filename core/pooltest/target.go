package pooltest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elite-libs/taskpool/core"
)

// A target is a server as hostile clients see it.
type target struct {
	*run
	name     string // for the failures that its clients see
	addr     string
	tls      bool
	visitors sync.Map     // *visitor by its number, while it is there
	numbers  atomic.Int64 // of visitors
	requests atomic.Int64 // that were begun, be it with one byte
	point    atomic.Int64 // of the next client of leavesNext, in steps
	step     int64        // of leavesNext, in bytes
}

// A visitor is one client, with one trick. It is bounded by its deadline, which
// leaves time for what it waits for in between, and in the end it leaves.
type visitor struct {
	*target
	rng      *rand.Rand
	number   int64 // in the paths of its requests
	trick    string
	deadline time.Time
	released *gate // a task that it staged has run
	left     *gate
}

// A trick is what a visitor does. Its name is for the failure that it leads to.
type trick struct {
	name string
	do   func(v *visitor)
}

// visit has a new visitor come and do one of the tricks.
func (t *target) visit(rng *rand.Rand, tricks []trick) {
	does := tricks[rng.IntN(len(tricks))]
	v := &visitor{target: t, rng: rng, number: t.numbers.Add(1), trick: does.name, deadline: time.Now().Add(3 * t.patience),
		released: &gate{opened: make(chan struct{})}, left: &gate{opened: make(chan struct{})}}
	t.visitors.Store(v.number, v)
	does.do(v)
	v.left.open()
	t.visitors.Delete(v.number)
}

// crowd has visitors come, so many at a time, until enough says so.
func (t *target) crowd(seed uint64, together int, tricks []trick, enough func() bool) {
	var all sync.WaitGroup
	for i := range together {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		all.Go(func() {
			for !enough() {
				t.visit(rng, tricks)
			}
		})
	}
	all.Wait()
}

// from finds the visitor of a request, nil if it has left.
func (t *target) from(x Exchange) (program string, v *visitor) {
	program, number, _ := strings.Cut(strings.TrimPrefix(x.Path(), "/"), "/")
	number, _, _ = strings.Cut(number, "/")
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if found, ok := t.visitors.Load(n); ok {
			v = found.(*visitor)
		}
	}
	return program, v
}

// path counts the request. It is that request's alone.
func (v *visitor) path(program string) string {
	return fmt.Sprintf("/%s/%d/%d", program, v.number, v.requests.Add(1))
}

// wrong fails the check.
func (v *visitor) wrong(format string, args ...any) {
	v.Helper()
	v.errorf("%s: client %d, which "+v.trick+": "+format, append([]any{v.name, v.number}, args...)...)
}

// dial is nil if it fails, which fails the check.
func (v *visitor) dial() *net.TCPConn {
	v.Helper()
	conn, err := net.DialTimeout("tcp", v.addr, v.patience)
	if err != nil {
		v.wrong("%v", err)
		return nil
	}
	_ = conn.SetDeadline(v.deadline)
	return conn.(*net.TCPConn)
}

// go away in one of the ways there are.
func (v *visitor) leave(conn *net.TCPConn) {
	if v.rng.IntN(2) == 0 {
		_ = conn.SetLinger(0) // the end is a reset
	}
	_ = conn.Close()
}

// halfClose tells the server that no more will come, and expects it to come to
// an end then.
func (v *visitor) halfClose(conn *net.TCPConn, sent string) {
	_ = conn.CloseWrite()
	if n, err := io.Copy(io.Discard, conn); isTimeout(err) {
		v.wrong("the server does not end a connection that is half closed, after %d bytes; it was sent %.200q", n, sent)
	}
	_ = conn.Close()
}

func isTimeout(err error) bool {
	t, ok := err.(net.Error) //nolint:errorlint // what a connection returns is not wrapped
	return ok && t.Timeout()
}

// waitReleased waits until a task that one of the visitor's requests staged has run.
func (v *visitor) waitReleased() {
	if !v.within(v.released.opened) {
		v.wrong("nothing that was staged has run in %v", v.patience)
	}
}

// A deed is what a handler does with a hostile request.
type deed struct {
	success bool
	run     func(v *visitor, x Exchange) error // v is nil if the client has left
}

var large = []byte(strings.Repeat(block, 160)) // 512 kB: more than a connection holds whose client reads slowly

// deeds are by the first element of the path. What cannot be read or written has
// no consequence, so that the outcome is known.
var deeds = map[string]deed{
	"small": {true, func(_ *visitor, x Exchange) error {
		_ = plain(x)
		return nil
	}},
	"large": {true, func(_ *visitor, x Exchange) error {
		_, _ = x.Write(large)
		return nil
	}},
	"events": {true, func(_ *visitor, x Exchange) error {
		for range 5 {
			_ = say(x, "data: x\n\n")
			x.Flush()
		}
		return nil
	}},
	"read": {true, func(_ *visitor, x Exchange) error {
		n, _ := io.Copy(io.Discard, x.Body())
		_ = say(x, strconv.FormatInt(n, 10))
		return nil
	}},
	"half": {true, func(_ *visitor, x Exchange) error {
		_, _ = x.Body().Read(make([]byte, 1))
		_ = plain(x)
		return nil
	}},
	"wait": {true, func(v *visitor, x Exchange) error {
		if v != nil { // a body that does not come hides from the server that the client has gone
			select {
			case <-x.Context().Done():
			case <-v.left.opened:
			}
		}
		_ = plain(x)
		return nil
	}},
	"hijack": {true, func(_ *visitor, x Exchange) error {
		if err := x.Hijack(func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\nmine") }); err != nil {
			_ = plain(x)
		}
		return nil
	}},
	"500": {false, func(_ *visitor, x Exchange) error {
		x.Status(500)
		_ = say(x, "failed")
		return nil
	}},
	"fail": {false, func(_ *visitor, x Exchange) error {
		taskpool.FromContext(x.Context()).Fail(errWant)
		_ = plain(x)
		return nil
	}},
	"error": {false, func(*visitor, Exchange) error { return errWant }},
	"panic": {false, func(*visitor, Exchange) error { panic("pooltest: wanted") }},
}

// any is a deed that ends whatever the client does, over HTTP/1 or 2.
func (v *visitor) any() string {
	return [...]string{"small", "large", "events", "read", "half", "500", "fail", "error", "panic"}[v.rng.IntN(9)]
}
