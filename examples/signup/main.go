// Command signup takes sign-ups, on Gin, and sends the welcome mails when they are answered. What to look at:
//
//   - service.signup: the mail is handed over before the user is stored. A full pool is answered with 503 and leaves
//     nothing behind; an address that is taken is answered with 409, and its mail is discarded.
//   - service.welcome: what the mail server refuses for good is Permanent, anything else is tried again.
//   - main: SIGTERM and Ctrl-C finish the requests, then the mails.
//
// Without -smtp the mails go to a server inside the program, which is busy twice for each of them (smtp.go). The folder
// uses nothing but modules: copy it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	ginpool "github.com/elite-libs/taskpool/gin"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/gin-gonic/gin"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	relay := flag.String("smtp", "", "`address` of the mail server; empty means one inside the program")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	if *relay == "" {
		fake, err := startFake(2)
		if err != nil {
			log.Fatal(err)
		}
		*relay = fake.addr()
	}
	pool := taskpool.New(config())
	s := &service{send: smtpSender(*relay)}
	log.Printf("listening: curl -i http://%s/signup -d '{\"email\":\"ada@example.com\"}'", ln.Addr())
	if err := s.serve(ctx, ln, pool); err != nil {
		log.Fatal(err)
	}
	log.Printf("finished: %d mails sent, %d given up", pool.Stats().Succeeded, pool.Stats().Failed)
}

// config is that of the service's pool. However many sign up, the mail server sees two connections at once.
func config() taskpool.Config {
	return taskpool.Config{Workers: 8, Lanes: map[string]taskpool.Lane{"smtp": {Limit: 2}}}
}

// A service takes sign-ups.
type service struct {
	send func(ctx context.Context, to string) error

	mu    sync.Mutex // protects following field
	users map[string]bool
}

// serve answers requests until ctx ends, and then finishes them and their tasks.
func (s *service) serve(ctx context.Context, ln net.Listener, src taskpool.Source) error {
	srv := &http.Server{Handler: s.handler(src), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	return httppool.ServeListener(ctx, srv, ln, src, 20*time.Second)
}

func (s *service) handler(src taskpool.Source) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(ginpool.Middleware(src), gin.Recovery())
	router.POST("/signup", s.signup)
	return router
}

func (s *service) signup(c *gin.Context) {
	var in struct {
		Email string `json:"email" binding:"required,email"`
	}
	if err := c.ShouldBindJSON(&in); err != nil {
		c.JSON(http.StatusBadRequest, gin.H{"error": "an email address is needed"})
		return
	}
	err := ginpool.From(c).Submit(taskpool.Job{
		Name:    "welcome",
		Lane:    "smtp",
		Start:   taskpool.StartOnSuccess, // discarded with any answer of 400 and more
		Timeout: 10 * time.Second,
		Retry:   taskpool.Backoff(6, 500*time.Millisecond, time.Minute),
		Run:     func(ctx context.Context) error { return s.welcome(ctx, in.Email) }, // in, not c: Gin uses that again
	})
	if err != nil {
		log.Print("welcome refused: ", err)
		c.Header("Retry-After", "1")
		c.JSON(http.StatusServiceUnavailable, gin.H{"error": "too much to do, try again"})
		return
	}
	if !s.add(in.Email) {
		c.JSON(http.StatusConflict, gin.H{"error": "that address is taken"})
		return
	}
	c.JSON(http.StatusCreated, gin.H{"email": in.Email})
}

// add stores a user; false if the address is taken.
func (s *service) add(email string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[email] {
		return false
	}
	if s.users == nil {
		s.users = map[string]bool{}
	}
	s.users[email] = true
	return true
}

// welcome is the task.
func (s *service) welcome(ctx context.Context, to string) error {
	err := s.send(ctx, to)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("welcome %s: %w", to, err)
	if reply := (*textproto.Error)(nil); errors.As(err, &reply) && reply.Code >= 500 {
		return taskpool.Permanent(err) // there is no such mailbox: another try changes nothing
	}
	return err
}
