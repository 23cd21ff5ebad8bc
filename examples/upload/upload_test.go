package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/elite-libs/taskpool/core/tasktest"
)

// picture is a PNG.
func picture(t *testing.T) []byte { return gray(t, 0) }

// gray is a PNG of one color.
func gray(t *testing.T, y uint8) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 300, 200))
	for i := range img.Pix {
		img.Pix[i] = y
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// start serves the program as main does. stop is what SIGTERM does there; it returns what serve returned.
func start(t *testing.T, s *service, src taskpool.Source) (url string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, ln, src) }()
	return "http://" + ln.Addr().String(), func() error { cancel(); return <-ended }
}

func upload(t *testing.T, url, tenant string, id int, body []byte, want int) (location string) {
	t.Helper()
	resp, err := http.Post(fmt.Sprintf("%s/%s/pictures/%d", url, tenant, id), "image/png", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
	if resp.StatusCode != want {
		t.Fatalf("%s %d: got %d, want %d", tenant, id, resp.StatusCode, want)
	}
	return resp.Header.Get("Location")
}

func get(t *testing.T, url string) (status int, body []byte) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func TestThumbnailIsMadeAfterTheAnswer(t *testing.T) {
	tasks := tasktest.NewRecorder(t, config())
	tasks.Pause()
	url, stop := start(t, &service{thumbnail: thumbnail}, tasks)
	at := upload(t, url, "acme", 1, picture(t), http.StatusAccepted)
	if waiting := tasks.Waiting("thumbnail"); len(waiting) != 1 || waiting[0].Lane != "tenant acme" || waiting[0].Start != taskpool.StartOnSuccess {
		t.Errorf("got %+v, want one that waits in its tenant's lane", waiting)
	}
	upload(t, url, "fora", 2, gray(t, 255), http.StatusAccepted) // in the memory of the first, on the same connection
	if status, _ := get(t, url+at); status != http.StatusNotFound {
		t.Errorf("before: got %d, want 404", status)
	}
	if err := tasks.Wait().Err(); err != nil {
		t.Error(err)
	}
	status, body := get(t, url+at)
	thumb, _, err := image.Decode(bytes.NewReader(body))
	if status != http.StatusOK || err != nil || thumb.Bounds().Dx() != side {
		t.Fatalf("got %d, %v, want a thumbnail", status, err)
	}
	if r, _, _, _ := thumb.At(side/2, side/2).RGBA(); r > 0x1000 {
		t.Error("it is of another picture")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoPictureIsRefused(t *testing.T) {
	tasks := tasktest.NewRecorder(t, config())
	url, stop := start(t, &service{thumbnail: thumbnail}, tasks)
	upload(t, url, "acme", 1, []byte("text"), http.StatusUnsupportedMediaType)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := tasks.Wait().Results; len(got) != 0 {
		t.Errorf("got %v, want no task", got)
	}
}

// A tenant that uploads in bulk has two workers and no more, and nobody else waits for it.
func TestOneTenantDelaysNobodyElse(t *testing.T) {
	var mu sync.Mutex
	running, most := map[string]int{}, map[string]int{}
	began, goOn := make(chan string, 100), make(chan struct{})
	s := &service{thumbnail: func(ctx context.Context, _ []byte) ([]byte, error) {
		run, _ := taskpool.RunOf(ctx)
		mu.Lock()
		running[run.Lane]++
		most[run.Lane] = max(most[run.Lane], running[run.Lane])
		mu.Unlock()
		began <- run.Lane
		if run.Lane == "tenant bulk" {
			<-goOn
		}
		mu.Lock()
		running[run.Lane]--
		mu.Unlock()
		return nil, nil
	}}
	tasks := tasktest.NewRecorder(t, config())
	url, stop := start(t, s, tasks)
	for id := range 10 {
		upload(t, url, "bulk", id, picture(t), http.StatusAccepted)
	}
	for range 2 {
		<-began
	}
	upload(t, url, "acme", 1, picture(t), http.StatusAccepted)
	if lane := <-began; lane != "tenant acme" {
		t.Errorf("%s goes first", lane)
	}
	tasks.WaitFor("thumbnail")
	if ended := tasks.Ended(); ended[0].Lane != "tenant acme" {
		t.Errorf("got %+v, want acme's", ended)
	}
	close(goOn)
	if r := tasks.Wait(); r.Succeeded != 11 || most["tenant bulk"] != 2 {
		t.Errorf("got %d thumbnails, and %d of one tenant at once, want 11 and 2", r.Succeeded, most["tenant bulk"])
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestTenantWithTooMuchToDoIsToldSo(t *testing.T) {
	tasks := tasktest.NewRecorder(t, config())
	tasks.Pause()
	url, stop := start(t, &service{thumbnail: thumbnail}, tasks)
	room := 100 + config().Workers // that wait, and that may start
	for id := range room {
		upload(t, url, "bulk", id, picture(t), http.StatusAccepted)
	}
	upload(t, url, "bulk", room, picture(t), http.StatusTooManyRequests)
	upload(t, url, "acme", 1, picture(t), http.StatusAccepted)
	if err := stop(); err != nil { // which lets the tasks run
		t.Error(err)
	}
	if got, want := len(tasks.Ended()), room+1; got != want {
		t.Errorf("got %d thumbnails, want %d", got, want)
	}
}

// While the tasks are finished nobody is served any more, but they can be watched.
func TestTasksAreShownToTheEnd(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	pool := taskpool.New(config())
	shown, err := showTasks("127.0.0.1:0", pool)
	if err != nil {
		t.Fatal(err)
	}
	defer shown.Close()
	s := &service{thumbnail: func(context.Context, []byte) ([]byte, error) { close(began); <-goOn; return nil, nil }}
	url, stop := start(t, s, pool)
	upload(t, url, "acme", 1, picture(t), http.StatusAccepted)
	<-began
	ended := make(chan error)
	go func() { ended <- stop() }()
	for { // until the service has stopped
		resp, err := http.Get(url)
		if err != nil {
			break
		}
		resp.Body.Close()
	}
	if status, body := get(t, "http://"+shown.Addr+"/tasks?format=json"); status != http.StatusOK || !bytes.Contains(body, []byte("tenant acme")) {
		t.Errorf("got %d, %s, want the task", status, body)
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := pool.Stats().Succeeded; got != 1 {
		t.Errorf("got %d thumbnails, want 1", got)
	}
}
