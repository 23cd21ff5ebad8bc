// Command webhook receives webhooks, on Echo, and passes each of them on to three APIs, one of which allows only so many
// calls in a second. What to look at:
//
//   - service.receive: three jobs in one Submit. All are accepted, or none, and then the sender is told to come again.
//   - Job.Lane: one for each API. What one of them allows, or that it is away, holds up nothing that goes to the others.
//   - newClient: its httppool.Transport reads what the answers say of the limit, and paces the lane of the task that asked.
//   - service.pass: httppool.CheckResponse makes an error of a status, with the wait that the API asks for.
//
// The APIs are inside the program (apis.go). The folder uses nothing but modules: copy it.
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	echopool "github.com/elite-libs/taskpool/echo"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	secret := flag.String("secret", "secret", "`key` that the senders sign with")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	s := &service{secret: []byte(*secret), client: newClient(), apis: map[string]string{}}
	for name, limit := range map[string]int{"crm": 0, "search": 0, "partner": 5} {
		api, err := startAPI(limit)
		if err != nil {
			log.Fatal(err)
		}
		s.apis[name] = api.url()
	}
	pool := taskpool.New(config())
	const body = `{"event":"paid"}`
	log.Printf("listening: curl -i http://%s/hook -H 'X-Signature: %s' -d '%s'", ln.Addr(), hex.EncodeToString(s.sign([]byte(body))), body)
	if err := s.serve(ctx, ln, pool); err != nil {
		log.Fatal(err)
	}
	log.Printf("finished: %d webhooks passed on, %d not", pool.Stats().Succeeded, pool.Stats().Failed)
}

// config is that of the service's pool. The lanes have no limits of their own: the APIs tell them.
func config() taskpool.Config { return taskpool.Config{Workers: 8} }

// newClient is the client for the APIs.
func newClient() *http.Client {
	return &http.Client{Transport: &httppool.Transport{}}
}

// A service passes webhooks on.
type service struct {
	secret []byte            // that the senders sign with
	client *http.Client      // its Transport is an httppool.Transport
	apis   map[string]string // URLs by name
}

// serve answers requests until ctx ends, and then finishes them and their tasks.
func (s *service) serve(ctx context.Context, ln net.Listener, src taskpool.Source) error {
	e := echo.New()
	e.Use(echopool.Middleware(src), middleware.Recover(), middleware.BodyLimit("1M"))
	e.POST("/hook", s.receive)
	srv := &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	return httppool.ServeListener(ctx, srv, ln, src, 20*time.Second)
}

func (s *service) receive(c echo.Context) error {
	body, err := io.ReadAll(c.Request().Body) // before the tasks: it is gone when the handler returns
	if err != nil {
		return err
	}
	if got, _ := hex.DecodeString(c.Request().Header.Get("X-Signature")); !hmac.Equal(got, s.sign(body)) {
		return echo.ErrUnauthorized
	}
	var jobs []taskpool.Job
	for _, name := range slices.Sorted(maps.Keys(s.apis)) {
		jobs = append(jobs, taskpool.Job{
			Name:    name,
			Lane:    name,
			Start:   taskpool.StartOnSuccess,
			Timeout: 5 * time.Second,
			Retry:   taskpool.Backoff(6, 200*time.Millisecond, time.Minute),
			Run:     func(ctx context.Context) error { return s.pass(ctx, s.apis[name], body) },
		})
	}
	if err := echopool.From(c).Submit(jobs...); err != nil {
		log.Print("webhook refused: ", err)
		return echo.ErrServiceUnavailable // the sender comes again
	}
	return c.NoContent(http.StatusAccepted)
}

func (s *service) sign(body []byte) []byte {
	m := hmac.New(sha256.New, s.secret)
	m.Write(body)
	return m.Sum(nil)
}

// pass is the task.
func (s *service) pass(ctx context.Context, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return taskpool.Permanent(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10)) // so that the connection is used again
	return httppool.CheckResponse(resp)
}
