// Command upload takes pictures, on Fiber, and makes thumbnails of them when the uploads are answered. What to look at:
//
//   - config: NewLane makes a lane for each tenant, as it comes. Two of its pictures are worked on at once, a hundred
//     wait, and what one tenant uploads in bulk delays nobody else.
//   - service.upload: Fiber uses its strings and its memory again. What a task needs of them is copied.
//   - main: what the tasks do is shown on a server of its own. It still answers while the last of them are finished,
//     when the service has long stopped to listen.
//
// The folder uses nothing but modules: copy it.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	_ "image/png" // what may be uploaded, beside JPEG
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/poolpage"
	fiberpool "github.com/elite-libs/taskpool/fiber"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/gofiber/fiber/v2/utils"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	ops := flag.String("ops", "127.0.0.1:8081", "`address` where those who run the service see its tasks")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	pool := taskpool.New(config())
	shown, err := showTasks(*ops, pool)
	if err != nil {
		log.Fatal(err)
	}
	defer shown.Close() // last, so that it can be watched how the tasks are finished
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	s := &service{thumbnail: thumbnail}
	log.Printf("listening: curl -i http://%s/acme/pictures/1 -H 'Content-Type: image/png' --data-binary @picture.png; http://%s/tasks shows the tasks", ln.Addr(), shown.Addr)
	if err := s.serve(ctx, ln, pool); err != nil {
		log.Fatal(err)
	}
	log.Printf("finished: %d thumbnails made, %d not", pool.Stats().Succeeded, pool.Stats().Failed)
}

// config is that of the service's pool.
func config() taskpool.Config {
	return taskpool.Config{
		Workers: 4,
		NewLane: func(string) taskpool.Lane { return taskpool.Lane{Limit: 2, Queue: 100} },
	}
}

// showTasks serves the page of what a pool is doing until the server is closed.
func showTasks(addr string, pool *taskpool.Pool) (*http.Server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	page := poolpage.New()
	page.Show("upload", pool)
	mux := http.NewServeMux()
	mux.Handle("GET /tasks", page)
	srv := &http.Server{Addr: ln.Addr().String(), Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer page.Close()
		_ = srv.Serve(ln)
	}()
	return srv, nil
}

// A service takes pictures.
type service struct {
	thumbnail func(ctx context.Context, picture []byte) ([]byte, error)

	mu     sync.Mutex // protects following field
	thumbs map[string][]byte
}

// serve answers requests until ctx ends, and then finishes them and their tasks.
func (s *service) serve(ctx context.Context, ln net.Listener, src taskpool.Source) error {
	app := fiber.New(fiber.Config{DisableStartupMessage: true, BodyLimit: 8 << 20, ReadTimeout: 10 * time.Second})
	app.Use(fiberpool.Middleware(src), recover.New())
	app.Post("/:tenant/pictures/:id", s.upload)
	app.Get("/:tenant/pictures/:id/thumbnail", s.show)
	return fiberpool.Serve(ctx, app, ln, src, 20*time.Second)
}

func (s *service) upload(c *fiber.Ctx) error {
	if _, _, err := image.DecodeConfig(bytes.NewReader(c.Body())); err != nil {
		return fiber.NewError(fiber.StatusUnsupportedMediaType, "a PNG or a JPEG is needed")
	}
	tenant, id := utils.CopyString(c.Params("tenant")), utils.CopyString(c.Params("id"))
	picture := slices.Clone(c.Body())
	err := fiberpool.From(c).Submit(taskpool.Job{
		Name:    "thumbnail",
		Lane:    "tenant " + tenant,
		Start:   taskpool.StartOnSuccess,
		Timeout: 30 * time.Second,
		Run:     func(ctx context.Context) error { return s.resize(ctx, tenant, id, picture) },
	})
	if errors.Is(err, taskpool.ErrOverloaded) {
		c.Set(fiber.HeaderRetryAfter, "5")
		return fiber.NewError(fiber.StatusTooManyRequests, "too many of your pictures wait")
	}
	if err != nil {
		log.Print("thumbnail refused: ", err)
		return fiber.ErrServiceUnavailable
	}
	c.Location("/" + tenant + "/pictures/" + id + "/thumbnail")
	return c.SendStatus(fiber.StatusAccepted)
}

func (s *service) show(c *fiber.Ctx) error {
	s.mu.Lock()
	thumb, ok := s.thumbs[c.Params("tenant")+"/"+c.Params("id")]
	s.mu.Unlock()
	if !ok {
		return fiber.ErrNotFound
	}
	c.Type("jpg")
	return c.Send(thumb)
}

// resize is the task.
func (s *service) resize(ctx context.Context, tenant, id string, picture []byte) error {
	thumb, err := s.thumbnail(ctx, picture)
	if err != nil {
		return fmt.Errorf("picture %s of %s: %w", id, tenant, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.thumbs == nil {
		s.thumbs = map[string][]byte{}
	}
	s.thumbs[tenant+"/"+id] = thumb
	return nil
}

// side is that of a thumbnail, in pixels.
const side = 64

// thumbnail makes a small JPEG of a picture. It looks at ctx now and then: nothing else stops it.
func thumbnail(ctx context.Context, picture []byte) ([]byte, error) {
	src, _, err := image.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, err
	}
	from, to := src.Bounds(), image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		for x := range side {
			to.Set(x, y, src.At(from.Min.X+x*from.Dx()/side, from.Min.Y+y*from.Dy()/side))
		}
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, to, nil)
	return out.Bytes(), err
}
