package pooltest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing/iotest"
)

// http1Tricks are what hostile clients do over HTTP/1.
var http1Tricks = []trick{
	{"behaves well", behaves},
	{"leaves at any point of the exchange", leaves},
	{"leaves at any point of the exchange", leaves},
	{"withholds a body", withholds},
	{"sends and reads single bytes", drips},
	{"reads slowly", readsSlowly},
	{"pipelines", pipelines},
	{"sends headers that are too large", sendsHugeHeader},
	{"sends many headers", sendsManyHeaders},
	{"sends what is no request", sendsGarbage},
}

func (v *visitor) request(program, header, body string) string {
	method := "GET"
	if header != "" {
		method = "POST"
	}
	return method + " " + v.path(program) + " HTTP/1.1\r\nHost: pooltest\r\n" + header + "\r\n" + body
}

// A reader is a client's connection that responses are read from.
type reader struct {
	*net.TCPConn
	from *bufio.Reader
}

// dialReader is nil if it fails, which fails the check.
func (v *visitor) dialReader() *reader {
	v.Helper()
	conn := v.dial()
	if conn == nil {
		return nil
	}
	return &reader{conn, bufio.NewReaderSize(conn, 32<<10)}
}

// expect reads a response that has to be whole.
func (v *visitor) expect(c *reader, want string) bool {
	v.Helper()
	resp, err := http.ReadResponse(c.from, nil)
	for err == nil && resp.StatusCode == http.StatusContinue {
		resp, err = http.ReadResponse(c.from, nil)
	}
	if err != nil {
		v.wrong("%v, and no response", err)
		return false
	}
	defer resp.Body.Close()
	body, err := make([]byte, len(want)), error(nil)
	n, short := io.ReadFull(resp.Body, body)
	if short == nil {
		_, err = io.ReadFull(resp.Body, make([]byte, 1)) // io.EOF at its end, and nowhere else
	}
	if err != io.EOF || resp.StatusCode != http.StatusOK || string(body) != want { //nolint:errorlint // as ReadFull returns it
		v.wrong("status %d, %d bytes of body, %v, %v; want 200 and %d bytes", resp.StatusCode, n, short, err, len(want))
		return false
	}
	return true
}

// behaves: in between there are those that behave well, and get what they ask for.
func behaves(v *visitor) {
	c := v.dialReader()
	if c == nil {
		return
	}
	defer c.Close()
	for range 1 + v.rng.IntN(4) {
		program, want := "small", "plain"
		if v.rng.IntN(4) == 0 {
			program, want = "large", string(large)
		}
		request := v.request(program, "", "")
		if v.rng.IntN(3) == 0 {
			request, want = v.request("read", "Content-Length: 5\r\n", "hello"), "5"
		}
		if _, err := io.WriteString(c, request); err != nil {
			v.wrong("%v", err)
			return
		}
		if !v.expect(c, want) {
			return
		}
	}
	v.waitReleased()
}

// leaves: before the head, within it, after it, within the body, after it, within
// the response or after it, with a reset, a close or half of one.
func leaves(v *visitor) {
	conn := v.dial()
	if conn == nil {
		return
	}
	program := v.any()
	switch v.rng.IntN(8) {
	case 0:
		program = "wait"
	case 1:
		program = "hijack"
	}
	head, body := v.request(program, "", ""), ""
	if v.rng.IntN(2) == 0 {
		body = strings.Repeat("b", 1+v.rng.IntN(5000))
		head = v.request(program, fmt.Sprintf("Content-Length: %d\r\n", len(body)), "")
	}
	sent, reads := "", false
	switch v.rng.IntN(6) {
	case 0:
	case 1:
		sent = head[:v.rng.IntN(len(head))]
	case 2:
		sent = head
	case 3:
		sent = head + body[:v.rng.IntN(len(body)+1)]
	case 4:
		sent = head + body
	case 5:
		sent, reads = head+body, program != "wait"
	}
	_, _ = io.WriteString(conn, sent)
	if reads {
		_, _ = conn.Read(make([]byte, 1+v.rng.IntN(300)))
	}
	if program != "wait" && v.rng.IntN(3) == 0 {
		v.halfClose(conn, sent)
		return
	}
	v.leave(conn)
}

// points are more than an exchange of leavesNext has bytes.
const points = 300

// leavesNext: each client leaves one byte of the exchange later than the one
// before, or somewhere within the next step, and takes what is on its way with it.
var leavesNext = trick{"leaves one byte later than the one before", func(v *visitor) {
	conn := v.dial()
	if conn == nil {
		return
	}
	request, at := v.request("read", "Content-Length: 5\r\nConnection: close\r\n", "hello"), int((v.point.Add(1)-1)*v.step+v.rng.Int64N(v.step))
	_, _ = io.WriteString(conn, request[:min(at, len(request))])
	if at > len(request) {
		_, _ = io.CopyN(io.Discard, conn, int64(at-len(request)))
	}
	_ = conn.SetLinger(0)
	_ = conn.Close()
}}

// withholds: the client announces a body, and sends it late or never.
func withholds(v *visitor) {
	c := v.dialReader()
	if c == nil {
		return
	}
	header, body := "Content-Length: 10\r\n", "0123456789"
	expects := false
	switch v.rng.IntN(3) {
	case 0:
		header, expects = header+"Expect: 100-continue\r\n", true
	case 1:
		header, body = "Transfer-Encoding: chunked\r\n", "a\r\n0123456789\r\n0\r\n\r\n"
	}
	program := "small"
	if v.rng.IntN(3) == 0 {
		program = "read"
	}
	early := v.rng.IntN(len(body))
	if expects {
		early = 0
	}
	_, _ = io.WriteString(c, v.request(program, header, body[:early]))
	if program == "small" && !v.adapter.ReadsBody {
		v.waitReleased() // though the server waits for the body
	}
	// Where nobody has asked for the body, the response is there, and the connection ends.
	if v.rng.IntN(2) == 0 && (!expects || program == "read" || v.adapter.ReadsBody) {
		_, _ = io.WriteString(c, body[early:])
		want := "plain"
		if program == "read" {
			want = "10"
		}
		v.expect(c, want)
	}
	v.leave(c.TCPConn)
}

// drips: one byte at a time in both directions.
func drips(v *visitor) {
	c := v.dialReader()
	if c == nil {
		return
	}
	_ = c.SetReadBuffer(1)
	c.from = bufio.NewReader(iotest.OneByteReader(c))
	request := v.request("read", "Content-Length: 5\r\n", "hello")
	for i := range request {
		if _, err := c.Write([]byte{request[i]}); err != nil {
			v.wrong("%v", err)
			break
		}
	}
	v.expect(c, "5")
	v.leave(c.TCPConn)
}

// readsSlowly: a response for which there is no room on the way is read byte by
// byte, for a while. Then the client leaves.
func readsSlowly(v *visitor) {
	c := v.dialReader()
	if c == nil {
		return
	}
	_ = c.SetReadBuffer(1)
	_, _ = io.WriteString(c, v.request("large", "", ""))
	b := make([]byte, 1)
	for range v.rng.IntN(2000) {
		if _, err := io.ReadFull(c.from, b); err != nil {
			v.wrong("%v", err)
			break
		}
	}
	v.leave(c.TCPConn)
}

// pipelines: several requests at once; the client leaves between the responses,
// or has all of them.
func pipelines(v *visitor) {
	c := v.dialReader()
	if c == nil {
		return
	}
	var requests strings.Builder
	var want []string
	for range 2 + v.rng.IntN(6) {
		switch v.rng.IntN(3) {
		case 0:
			requests.WriteString(v.request("small", "", ""))
			want = append(want, "plain")
		case 1:
			requests.WriteString(v.request("read", "Content-Length: 5\r\n", "hello"))
			want = append(want, "5")
		case 2:
			requests.WriteString(v.request("large", "", ""))
			want = append(want, string(large))
		}
	}
	// While the server sends it reads nothing, but so little has room on the way.
	_, _ = io.WriteString(c, requests.String())
	if v.rng.IntN(2) == 0 {
		want = want[:v.rng.IntN(len(want))]
	}
	for _, body := range want {
		if !v.expect(c, body) {
			break
		}
	}
	v.leave(c.TCPConn)
}

// sendsHugeHeader: the server answers 431, if the client waits for it, and calls no handler.
func sendsHugeHeader(v *visitor) {
	c := v.dialReader()
	if c == nil {
		return
	}
	name, value := "X", strings.Repeat("x", 8*hostileHeader)
	if v.rng.IntN(2) == 0 {
		name, value = value, "x"
	}
	if _, err := io.WriteString(c, v.request("never", name+": "+value+"\r\n", "")); err == nil && v.rng.IntN(2) == 0 {
		// That it is cut is no surprise: there is more to read for a server that closes.
		if resp, err := http.ReadResponse(c.from, nil); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				v.wrong("status %d, want 431", resp.StatusCode)
			}
		}
	}
	v.leave(c.TCPConn)
}

func sendsManyHeaders(v *visitor) {
	c := v.dialReader()
	if c == nil {
		return
	}
	var headers strings.Builder
	for i := range 150 {
		fmt.Fprintf(&headers, "X-%d: %d\r\n", i, i)
	}
	_, _ = io.WriteString(c, v.request("read", "Content-Length: 2\r\n"+headers.String(), "hi"))
	v.expect(c, "2")
	v.leave(c.TCPConn)
}

// sendsGarbage: some of it a lenient server takes for a request.
func sendsGarbage(v *visitor) {
	conn := v.dial()
	if conn == nil {
		return
	}
	path := v.path("small")
	garbage := []string{
		"\r\n\r\n\r\n", "GET\r\n\r\n", "GET " + path + "\r\n\r\n", "GET  " + path + " HTTP/1.1 \r\n\r\n",
		"GET " + path + " HTTP/9.9\r\nHost: a\r\n\r\n", "GET " + path + " HTTP/1.1\r\n\r\n",
		"GET " + path + " HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"G\x00T " + path + " HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET " + path + " HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
		"GET " + path + " HTTP/1.1\r\nHost: a\r\nspace : b\r\n\r\n",
		"POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
		"POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST " + path + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: nonsense\r\n\r\n",
		"POST " + path + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"POST " + path + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
		"POST " + path + " HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\nContent-Length: 3\r\n\r\nabc",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense",
	}
	i := v.rng.IntN(len(garbage) + 1)
	text := strings.Repeat("?", 1+v.rng.IntN(100))
	if i < len(garbage) {
		text = garbage[i]
	}
	_, _ = io.WriteString(conn, text)
	if v.rng.IntN(2) == 0 {
		v.halfClose(conn, text)
		return
	}
	v.leave(conn)
}
