package combos_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds what never takes long, so that a fault fails instead of hanging.
const patience = 10 * time.Second

// A wire is a listener that counts what the server has written.
type wire struct {
	net.Listener
	bytes, writes atomic.Int64 // of writes that have returned
}

func listen(t *testing.T) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return &wire{Listener: ln}
}

func (w *wire) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wired{c, w}, nil
}

type wired struct {
	net.Conn
	wire *wire
}

func (c *wired) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.wire.bytes.Add(int64(n))
	c.wire.writes.Add(1)
	return n, err
}

// send sends a request as it stands and reads until the server closes. What follows
// a pause in it is sent when an interim response has come.
func send(t *testing.T, addr net.Addr, raw string) string {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	head, rest, paused := strings.Cut(raw, pause)
	if _, err := io.WriteString(c, head); err != nil {
		return err.Error()
	}
	var got strings.Builder
	r := bufio.NewReader(c)
	for paused {
		line, err := r.ReadString('\n')
		got.WriteString(line)
		if err != nil || strings.HasPrefix(line, "HTTP/1.1 ") && !strings.HasPrefix(line, "HTTP/1.1 100 ") {
			break // refused, and the rest is not wanted
		}
		if line == "\r\n" {
			_, _ = io.WriteString(c, rest)
			break
		}
	}
	if _, err := io.Copy(&got, r); err != nil {
		fmt.Fprintf(&got, "[%T]", err) // a reset comes with no text of its own
	}
	return got.String()
}

const pause = "[pause]"

// telling are the headers that tell the time; a cache's Cache-Control says for how long it is fresh still.
const telling = "Age|Cache-Control|Date|Expires|Last-Modified|X-Ratelimit-Reset"

var (
	times      = regexp.MustCompile(`(?mi)^(` + telling + `): .*\r\n`)
	clock      = regexp.MustCompile(`^(` + telling + `)$`)
	boundaries = regexp.MustCompile(`[0-9a-f]{60}`) // of multipart/byteranges
)

// text is a response as it came, without what differs from run to run.
func text(raw string) string {
	return boundaries.ReplaceAllString(times.ReplaceAllString(raw, ""), "boundary")
}

// final finds the status lines of a response as it came that are not interim.
var final = regexp.MustCompile(`(?m)^HTTP/1\.[01] (101|[2-5]\d\d)`)

// statusOf is the final status of a response as it came; 0 if there is none.
func statusOf(raw string) (status int) {
	if m := final.FindStringSubmatch(raw); m != nil {
		status, _ = strconv.Atoi(m[1])
	}
	return status
}

// parsed is what a client makes of a response, chunks and order of headers aside.
func parsed(resp *http.Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", resp.StatusCode)
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	write := func(what string, h http.Header) {
		var lines []string
		for k, v := range h {
			if !clock.MatchString(k) {
				lines = append(lines, fmt.Sprintf("%s %s: %q\n", what, k, v))
			}
		}
		sort.Strings(lines)
		b.WriteString(strings.Join(lines, ""))
	}
	write("header", resp.Header)
	write("trailer", resp.Trailer)
	length := resp.ContentLength
	if len(body) == 0 && length < 0 { // END_STREAM may come with the headers or after them
		length = 0
	}
	fmt.Fprintf(&b, "length %d uncompressed %t\n%s", length, resp.Uncompressed, body)
	if err != nil {
		b.WriteString("[broken off]")
	}
	return boundaries.ReplaceAllString(b.String(), "boundary")
}
