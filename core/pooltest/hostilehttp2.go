package pooltest

import (
	"io"
	"strings"
)

// http2Tricks are what hostile clients do over HTTP/2.
var http2Tricks = []trick{
	{"behaves well over HTTP/2", behavesHTTP2},
	{"resets streams by the hundred", resetsRapidly},
	{"resets streams at any point of the exchange", resetsStreams},
	{"opens its window byte by byte", opensWindowSlowly},
	{"plays with its window", playsWithWindow},
	{"withholds the body of a stream", withholdsStream},
	{"drops a connection with open streams", dropsStreams},
	{"sends a header block without end", sendsEndlessBlock},
	{"sends what are no frames", sendsFrameGarbage},
}

const wideWindow = 1 << 20

// leave goes away; what is open is left open.
func (f *framer) leave() { f.v.leave(f.conn) }

// behavesHTTP2 has the whole answers to several requests at once.
func behavesHTTP2(v *visitor) {
	f := v.meetHTTP2(wideWindow)
	if f == nil {
		return
	}
	defer f.leave()
	want := make(map[uint32]int)
	for range 1 + v.rng.IntN(6) {
		if v.rng.IntN(4) == 0 {
			want[f.open("large", true)] = len(large)
			continue
		}
		want[f.open("small", true)] = len("plain")
	}
	f.window(0, 16*wideWindow)
	open := len(want)
	got := make(map[uint32]int)
	if !f.until(func(in frame) bool {
		if in.kind == dataFrame {
			got[in.stream] += len(in.payload)
		}
		if in.ends() {
			if open--; got[in.stream] != want[in.stream] {
				v.wrong("%d bytes of body, want %d", got[in.stream], want[in.stream])
			}
		}
		return open == 0
	}) {
		v.wrong("%d streams were not answered", open)
		return
	}
	v.waitReleased()
}

// resetsRapidly: the server answers a ping in the end, or has enough.
func resetsRapidly(v *visitor) {
	f := v.dialHTTP2(wideWindow)
	if f == nil {
		return
	}
	defer f.leave()
	for i := range 50 + v.rng.IntN(300) {
		f.reset(f.open(v.any(), v.rng.IntN(8) != 0), cancelStream)
		if i%32 == 0 {
			f.send()
		}
	}
	f.alive(enhanceYourCalm)
}

// alive: the server answers a ping, or goes away for the reason that is legitimate.
func (f *framer) alive(reason uint32) {
	f.v.Helper()
	f.ping()
	f.until(func(in frame) bool {
		if in.kind == goAwayFrame && in.code() != reason {
			f.v.wrong("GOAWAY with code %d, want %d", in.code(), reason)
		}
		return in.kind == pingFrame && in.flags&flagEnd != 0
	})
}

// resetsStreams: before the response, within it, or when it has ended.
func resetsStreams(v *visitor) {
	f := v.dialHTTP2(wideWindow)
	if f == nil {
		return
	}
	defer f.leave()
	f.window(0, 64*wideWindow)
	for range 3 + v.rng.IntN(10) {
		stream, at := f.open(v.any(), true), v.rng.IntN(4)
		on := func(in frame) bool { return in.stream == stream }
		switch at {
		case 0:
			f.send()
		case 1: // a stream that is reset, after a panic, ends it for both
			if !f.until(func(in frame) bool { return on(in) && in.kind != windowFrame }) {
				return
			}
		case 2:
			if !f.until(func(in frame) bool { return on(in) && (in.kind == dataFrame || in.ends() || in.kind == resetFrame) }) {
				return
			}
		case 3:
			if !f.until(func(in frame) bool { return on(in) && (in.ends() || in.kind == resetFrame) }) {
				return
			}
		}
		f.reset(stream, v.rng.Uint32N(14))
	}
	f.alive(enhanceYourCalm)
}

// opensWindowSlowly: a window of nothing, that grows by one byte.
func opensWindowSlowly(v *visitor) {
	f := v.meetHTTP2(0)
	if f == nil {
		return
	}
	defer f.leave()
	stream := f.open("small", true)
	for range v.rng.IntN(3) {
		f.open("large", true) // whose end never has room
	}
	for i := range len("plain") {
		f.window(stream, 1)
		if !f.until(func(in frame) bool { return in.kind == dataFrame && in.stream == stream }) {
			v.wrong("byte %d did not come", i)
			return
		}
		if v.rng.IntN(8) == 0 {
			return
		}
	}
	v.waitReleased()
}

// playsWithWindow: more than a window can be, nothing, and less than nothing.
func playsWithWindow(v *visitor) {
	f := v.dialHTTP2(100)
	if f == nil {
		return
	}
	defer f.leave()
	stream := f.open("large", true)
	switch v.rng.IntN(5) {
	case 0:
		f.window(stream, 1<<31-1)
		f.alive(flowControlError)
	case 1:
		f.window(0, 1<<31-1)
		f.alive(flowControlError)
	case 2:
		f.window(stream, 0)
		f.alive(protocolError)
	case 3:
		if f.until(func(in frame) bool { return in.kind == dataFrame }) {
			f.setting(initialWindow, 1)
			f.window(stream, 10)
			f.alive(0)
		}
	case 4:
		f.setting(initialWindow, 1<<31)
		f.alive(flowControlError)
	}
}

// withholdsStream: a body that comes late or never.
func withholdsStream(v *visitor) {
	f := v.meetHTTP2(wideWindow)
	if f == nil {
		return
	}
	defer f.leave()
	program := [...]string{"small", "read", "half", "wait"}[v.rng.IntN(4)]
	stream := f.open(program, false)
	if v.rng.IntN(2) == 0 {
		f.put(dataFrame, 0, stream, []byte("some"))
	}
	f.send()
	if program == "small" {
		v.waitReleased()
	}
	switch v.rng.IntN(3) {
	case 0:
		f.reset(stream, cancelStream)
		f.alive(enhanceYourCalm)
	case 1:
		if program == "wait" {
			return
		}
		f.put(dataFrame, flagEnd, stream, []byte("more"))
		if !f.until(func(in frame) bool { return in.stream == stream && (in.ends() || in.kind == resetFrame) }) {
			v.wrong("the stream was not answered")
		}
	}
}

func dropsStreams(v *visitor) {
	f := v.dialHTTP2([...]uint32{0, 1, wideWindow}[v.rng.IntN(3)])
	if f == nil {
		return
	}
	defer f.leave()
	for range 1 + v.rng.IntN(30) {
		program := v.any()
		if v.rng.IntN(3) == 0 {
			program = "wait"
		}
		f.open(program, v.rng.IntN(2) == 0)
	}
	f.send()
	if v.rng.IntN(2) == 0 {
		f.until(func(in frame) bool { return in.stream != 0 || in.kind == settingsFrame })
	}
}

// sendsEndlessBlock: the headers are too large, or do not end. No handler runs.
func sendsEndlessBlock(v *visitor) {
	f := v.dialHTTP2(wideWindow)
	if f == nil {
		return
	}
	defer f.leave()
	stream := f.next
	f.put(headersFrame, flagEnd, stream, f.fields("never", true))
	more := field("x", strings.Repeat("x", hostileHeader))
	for range 2 + v.rng.IntN(6) {
		f.put(continuationFrame, 0, stream, more)
	}
	if v.rng.IntN(2) == 0 {
		f.send() // and no more
		return
	}
	f.put(continuationFrame, flagEndHeaders, stream, field("x", "y"))
	f.until(func(in frame) bool { return in.stream == stream && in.kind == headersFrame || in.kind == goAwayFrame })
}

func sendsFrameGarbage(v *visitor) {
	f := v.dialHTTP2(wideWindow)
	if f == nil {
		return
	}
	stream := f.open(v.any(), true)
	switch v.rng.IntN(7) {
	case 0:
		f.put(dataFrame, 0, stream+100, []byte("idle"))
	case 1:
		f.put(dataFrame, flagEnd, stream, []byte("after the end"))
	case 2:
		f.out.WriteString(strings.Repeat("\xff", 30))
	case 3:
		f.put(headersFrame, flagEndHeaders|flagEnd, stream+1, []byte{0x82})
	case 4:
		f.put(headersFrame, flagEndHeaders|flagEnd, stream+2, []byte{0xff, 0xff, 0xff, 0xff})
	case 5:
		for range 200 {
			f.setting(initialWindow, v.rng.Uint32N(100))
			f.ping()
		}
	case 6:
		f.put(0x77, 0xff, stream, make([]byte, 100)) // of a kind that is to be ignored
		f.reset(stream, refusedStream)
	}
	f.send()
	if !v.tls && v.rng.IntN(2) == 0 {
		_ = f.conn.CloseWrite()
		if _, err := io.Copy(io.Discard, f.rw); isTimeout(err) {
			v.wrong("the server does not end a connection that is half closed")
		}
	}
	f.leave()
}
