package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A site is a server on the loopback interface and clients with connections to it
// that are kept alive, all in this process.
type site struct {
	tasks   int // of each request
	running sync.WaitGroup
	clients []*client
	stop    context.CancelFunc
	served  chan error
}

func openSite(f framework, as string, tasks, clients int) (*site, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &site{tasks: tasks, stop: stop, served: make(chan error, 1)}
	if as == bare {
		s.tasks = 0
	}
	s.running.Add(s.tasks * clients) // of the first requests
	go func() { s.served <- f.run(ctx, ln, as, tasks, s.running.Done) }()
	for range clients {
		c, err := dial(ln.Addr().String())
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.clients = append(s.clients, c)
	}
	s.running.Wait()
	return s, nil
}

// close ends the server, which waits for its tasks.
func (s *site) close() error {
	for _, c := range s.clients {
		_ = c.conn.Close()
	}
	s.stop()
	return <-s.served
}

// ask is n requests of one client, and returns when their tasks have run.
func (s *site) ask(n int) error {
	s.running.Add(n * s.tasks)
	for range n {
		if err := s.clients[0].ask(); err != nil {
			return err
		}
	}
	s.running.Wait()
	return nil
}

// rate is how many requests a second are answered to all clients together, n in
// all, until the last task has run.
func (s *site) rate(n int) (float64, error) {
	k := len(s.clients)
	errs := make([]error, k)
	var asking sync.WaitGroup
	start := time.Now()
	s.running.Add(n / k * k * s.tasks)
	for i, c := range s.clients {
		asking.Go(func() {
			for range n / k {
				if errs[i] = c.ask(); errs[i] != nil {
					return
				}
			}
		})
	}
	asking.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	s.running.Wait()
	return float64(time.Second) / per(n/k*k, start), nil
}

// A client loads a server with as little work as can be, so that a ratio shows
// the server's: the first response is parsed, and all others have to have its
// length, status and body.
type client struct {
	conn     net.Conn
	response []byte
}

var request = []byte("GET / HTTP/1.1\r\nHost: bench\r\n\r\n")

func dial(addr string) (*client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn}
	if err := c.first(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) first() error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	var seen bytes.Buffer
	res, err := http.ReadResponse(bufio.NewReader(io.TeeReader(c.conn, &seen)), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	c.response = seen.Bytes()
	return c.check(string(body))
}

func (c *client) ask() error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.conn, c.response); err != nil {
		return err
	}
	return c.check(hello)
}

func (c *client) check(body string) error {
	if body != hello || !bytes.HasPrefix(c.response, []byte("HTTP/1.1 200 ")) || !bytes.HasSuffix(c.response, []byte("\r\n\r\n"+hello)) {
		return fmt.Errorf("got the response %q", c.response)
	}
	return nil
}

// Load is n requests on one connection to a server of Serve.
func Load(addr string, n int) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for range n - 1 {
		if err := c.ask(); err != nil {
			return err
		}
	}
	return nil
}
