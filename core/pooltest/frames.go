package pooltest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"time"
)

// The frames of HTTP/2, RFC 9113: what a client sends that keeps to no rules, the
// standard library's does not.

const (
	dataFrame = iota
	headersFrame
	_ // PRIORITY
	resetFrame
	settingsFrame
	_ // PUSH_PROMISE
	pingFrame
	goAwayFrame
	windowFrame
	continuationFrame
)

const (
	flagEnd        = 1 // END_STREAM, ACK
	flagEndHeaders = 4

	initialWindow = 4 // a setting

	protocolError    = 1
	flowControlError = 3
	refusedStream    = 7
	cancelStream     = 8
	enhanceYourCalm  = 11
)

type frame struct {
	kind, flags byte
	stream      uint32
	payload     []byte
}

func (f frame) ends() bool {
	return f.flags&flagEnd != 0 && (f.kind == dataFrame || f.kind == headersFrame)
}

// code is that of RST_STREAM or GOAWAY.
func (f frame) code() uint32 {
	at := 0
	if f.kind == goAwayFrame {
		at = 4
	}
	if len(f.payload) < at+4 {
		return 0
	}
	return binary.BigEndian.Uint32(f.payload[at:])
}

// A framer is one connection. What it is to send waits until send.
type framer struct {
	v    *visitor
	conn *net.TCPConn
	rw   net.Conn // conn, or TLS over it
	from *bufio.Reader
	out  bytes.Buffer
	next uint32 // the number of the next stream
}

// dialHTTP2 is nil if it fails, which fails the check. window is that of each stream.
func (v *visitor) dialHTTP2(window uint32) *framer {
	v.Helper()
	conn := v.dial()
	if conn == nil {
		return nil
	}
	f := &framer{v: v, conn: conn, rw: conn, next: 1}
	if v.tls {
		config := clientTLS()
		config.ServerName, config.NextProtos = "127.0.0.1", []string{"h2"}
		secure := tls.Client(conn, config)
		if err := secure.Handshake(); err != nil {
			v.wrong("%v", err)
			_ = conn.Close()
			return nil
		}
		f.rw = secure
	}
	f.from = bufio.NewReader(f.rw)
	f.out.WriteString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	f.setting(initialWindow, window)
	return f
}

// meetHTTP2 is dialHTTP2 up to where the server has taken the settings. It ends a connection for which that lasts more
// than two seconds (http2firstSettingsTimeout, Go 1.26), as it may where it has no processor to read them with.
func (v *visitor) meetHTTP2(window uint32) *framer {
	v.Helper()
	for time.Now().Before(v.deadline) {
		f := v.dialHTTP2(window)
		if f == nil || f.until(func(in frame) bool { return in.kind == settingsFrame && in.flags&flagEnd != 0 }) {
			return f
		}
		f.leave()
	}
	v.wrong("the server takes no settings")
	return nil
}

func (f *framer) put(kind, flags byte, stream uint32, payload []byte) {
	var head [9]byte
	binary.BigEndian.PutUint32(head[:4], uint32(len(payload))<<8|uint32(kind))
	head[4] = flags
	binary.BigEndian.PutUint32(head[5:], stream)
	f.out.Write(head[:])
	f.out.Write(payload)
}

func number(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func (f *framer) setting(id uint16, value uint32) {
	f.put(settingsFrame, 0, 0, append(binary.BigEndian.AppendUint16(nil, id), number(value)...))
}

func (f *framer) window(stream, more uint32) { f.put(windowFrame, 0, stream, number(more)) }
func (f *framer) reset(stream, code uint32)  { f.put(resetFrame, 0, stream, number(code)) }
func (f *framer) ping()                      { f.put(pingFrame, 0, 0, make([]byte, 8)) }

// open sends a request, whose body is still to come unless whole says that there
// is none. It returns the number of the stream.
func (f *framer) open(program string, whole bool) uint32 {
	flags := byte(flagEndHeaders)
	if whole {
		flags |= flagEnd
	}
	stream := f.next
	f.next += 2
	f.put(headersFrame, flags, stream, f.fields(program, whole))
	return stream
}

// fields are literals, so that no table has to be kept: RFC 7541, section 6.2.2
// and appendix A.
func (f *framer) fields(program string, get bool) []byte {
	block := []byte{0x82, 0x86} // GET, http
	if !get {
		block[0] = 0x83 // POST
	}
	if f.v.tls {
		block[1] = 0x87
	}
	path := f.v.path(program)
	block = append(block, 0x04, byte(len(path))) // :path; shorter than 127
	block = append(block, path...)
	return append(block, "\x01\x08pooltest"...) // :authority
}

// field is a header for fields of any length below 16 K.
func field(name, value string) []byte {
	length := func(n int) []byte {
		if n < 127 {
			return []byte{byte(n)}
		}
		n -= 127
		return []byte{127, byte(n&127 | 128), byte(n >> 7 & 127)}
	}
	block := append([]byte{0}, length(len(name))...)
	block = append(block, name...)
	block = append(block, length(len(value))...)
	return append(block, value...)
}

// send sends what waits. That the server has closed the connection shows in read.
func (f *framer) send() {
	_, _ = f.rw.Write(f.out.Bytes())
	f.out.Reset()
}

// read reads a frame.
func (f *framer) read() (frame, error) {
	var head [9]byte
	if _, err := io.ReadFull(f.from, head[:]); err != nil {
		return frame{}, err
	}
	in := frame{kind: head[3], flags: head[4], stream: binary.BigEndian.Uint32(head[5:])}
	in.payload = make([]byte, binary.BigEndian.Uint32(head[:4])>>8)
	_, err := io.ReadFull(f.from, in.payload)
	return in, err
}

// until sends what waits and reads up to a frame for which found is true. It is
// false if the connection ended before, or the server has announced that it will.
func (f *framer) until(found func(frame) bool) bool {
	f.v.Helper()
	f.send()
	for {
		in, err := f.read()
		if isTimeout(err) {
			f.v.wrong("the server is silent")
		}
		if err != nil {
			return false
		}
		if found(in) {
			return true
		}
		if in.kind == goAwayFrame {
			return false
		}
	}
}
