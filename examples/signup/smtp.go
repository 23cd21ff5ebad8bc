package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/smtp"
	"strings"
	"sync"
)

// smtpSender sends through the mail server at addr. Unlike smtp.SendMail it heeds ctx, and so the job's Timeout and the
// end of the pool's time: what blocks on the network is cut off.
func smtpSender(addr string) func(ctx context.Context, to string) error {
	return func(ctx context.Context, to string) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		host, _, _ := net.SplitHostPort(addr)
		c, err := smtp.NewClient(conn, host)
		if err != nil {
			_ = conn.Close()
			return err
		}
		defer c.Close()
		if err := c.Mail("shop@example.com"); err != nil {
			return err
		}
		if err := c.Rcpt(to); err != nil {
			return err
		}
		w, err := c.Data()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "From: shop@example.com\r\nTo: %s\r\nSubject: Welcome\r\n\r\nGood to have you.\r\n", to); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		_ = c.Quit() // the mail is sent, whatever the server says now
		return nil
	}
}

// A fakeSMTP is a mail server for tests and for trying the program. It is busy for the first tries of each mail, knows
// no address at nowhere.example, and keeps the rest.
type fakeSMTP struct {
	ln   net.Listener
	busy int // how often for each recipient
	hold func()

	mu    sync.Mutex     // protects following fields
	tries map[string]int // by recipient
	sent  []string       // recipients
}

func startFake(busy int) (*fakeSMTP, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &fakeSMTP{ln: ln, busy: busy, tries: map[string]int{}}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // closed
			}
			go f.serve(conn)
		}
	}()
	return f, nil
}

func (f *fakeSMTP) addr() string { return f.ln.Addr().String() }

// serve speaks as much SMTP as smtp.Client does here.
func (f *fakeSMTP) serve(conn net.Conn) {
	defer conn.Close()
	fmt.Fprint(conn, "220 fake\r\n")
	var to string
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		reply := "250 ok"
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "RCPT TO:"):
			to = strings.Trim(strings.TrimPrefix(line, "RCPT TO:"), "<>")
			reply = f.receives(to)
		case line == "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			for lines.Scan() && lines.Text() != "." {
			}
			f.keep(to)
		case line == "QUIT":
			reply = "221 bye"
		}
		fmt.Fprint(conn, reply, "\r\n")
	}
}

func (f *fakeSMTP) receives(to string) (reply string) {
	if strings.HasSuffix(to, "@nowhere.example") {
		return "550 no such mailbox"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries[to]++
	if f.tries[to] <= f.busy {
		return "451 busy, try again"
	}
	return "250 ok"
}

func (f *fakeSMTP) keep(to string) {
	if f.hold != nil {
		f.hold()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, to)
}

// mails are the recipients of the mails that it has kept.
func (f *fakeSMTP) mails() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.sent, " ")
}
