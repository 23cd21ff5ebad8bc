package pooltest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"time"
)

// A client speaks bytes to the server, and reads one response at a time.
type client struct {
	net.Conn
	wire *bytes.Buffer // all that was received
	from *bufio.Reader
	seen int // how much of wire was given out in responses
}

// A response is what a client received between a request and the exact end of
// what answers it: the last byte of the declared length, the last chunk, or the
// end of the connection.
type response struct {
	early  []int       // the 1xx statuses that came before
	status int         // 0 if there was none
	header http.Header // without Date
	body   string
	closed bool   // the connection has ended
	cut    bool   // … before the response was complete
	wire   string // all bytes, Date blanked
}

func connect(addr string, patience time.Duration) (*client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := new(client)
	c.speak(conn)
	return c, conn.SetDeadline(time.Now().Add(patience))
}

func (c *client) speak(conn net.Conn) {
	c.Conn, c.wire = conn, new(bytes.Buffer)
	c.from = bufio.NewReader(io.TeeReader(conn, c.wire))
}

// startTLS has a client that has sent nothing yet speak HTTP/1 over TLS.
func (c *client) startTLS() {
	config := clientTLS()
	config.ServerName = "127.0.0.1"
	c.speak(tls.Client(c.Conn, config))
}

// roundTrip sends a raw request and reads the response.
func (c *client) roundTrip(method, request string) (response, error) {
	if _, err := io.WriteString(c, request); err != nil {
		return response{}, err
	}
	return c.receive(method)
}

// receive reads one response to its end. That it is cut is no error: only
// silence is, and what is no HTTP.
func (c *client) receive(method string) (response, error) {
	o, err := c.begin(method, 0)
	return o.finish(err)
}

// An opening is a response whose end is still to be read.
type opening struct {
	*client
	response
	rest *http.Response
}

// begin reads the head of a response and the first n bytes of its body.
func (c *client) begin(method string, n int) (*opening, error) {
	o := &opening{client: c}
	for {
		resp, err := http.ReadResponse(c.from, &http.Request{Method: method})
		if err != nil {
			return o, err
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			_ = resp.Body.Close() // there is none
			o.early = append(o.early, resp.StatusCode)
			continue
		}
		o.rest, o.status, o.header = resp, resp.StatusCode, resp.Header
		o.header.Del("Date")
		body := make([]byte, n)
		got, err := io.ReadFull(resp.Body, body)
		o.body = string(body[:got])
		return o, err
	}
}

// finish reads the rest, if err, that of begin, is nil.
func (o *opening) finish(err error) (response, error) {
	if err == nil {
		err = o.readRest()
	}
	c, r := o.client, o.response
	end := c.wire.Len() - c.from.Buffered()
	r.wire = date.ReplaceAllString(string(c.wire.Bytes()[c.seen:end]), "\r\nDate: -\r\n")
	c.seen = end
	if isEnd(err) {
		r.closed, r.cut, err = true, true, nil
	}
	if err != nil {
		err = fmt.Errorf("no complete response, only %q: %w", r.wire, err)
	}
	return r, err
}

func (o *opening) readRest() error {
	body, err := io.ReadAll(o.rest.Body)
	_ = o.rest.Body.Close()
	o.body += string(body)
	if err != nil || !o.rest.Close {
		return err
	}
	// The response says that the connection ends with it.
	b, err := o.from.ReadByte()
	if err == nil {
		return fmt.Errorf("byte %q after the end of the response", b)
	}
	if !isEnd(err) {
		return fmt.Errorf("the connection was to end: %w", err)
	}
	o.closed = true
	return nil
}

var date = regexp.MustCompile(`\r\nDate: [^\r]*\r\n`)

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// head sends, and reads a head up to its empty line, which is no part of a
// response yet.
func (c *client) head(request string) (string, error) {
	if _, err := io.WriteString(c, request); err != nil {
		return "", err
	}
	var head string
	for {
		line, err := c.from.ReadString('\n')
		head += line
		if err != nil || line == "\r\n" {
			return head, err
		}
	}
}
