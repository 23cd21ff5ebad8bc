package httppool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// leaving gives the outcome of a request whose handler is h, with a middleware around it
// that ends the context of the request when it is told to.
func leaving(t *testing.T, got chan taskpool.Outcome, h func(w http.ResponseWriter, end func())) (url string) {
	inner := httppool.Middleware(taskpool.New(taskpool.Config{}))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outcomes(t, got).ServeHTTP(w, r)
		h(w, r.Context().Value(endKey{}).(context.CancelFunc))
	}))
	return start(t, &http.Server{Protocols: protocols(true, true), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, end := context.WithCancel(r.Context())
		defer end()
		inner.ServeHTTP(w, r.WithContext(context.WithValue(ctx, endKey{}, end)))
	})})
}

type endKey struct{}

func protocols(one, two bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(one)
	p.SetUnencryptedHTTP2(two)
	return p
}

// A handler may fail to write, and a middleware outside end its context, and the client
// is still there.
func TestClientIsThereWhereSomethingElseThanAWriteFails(t *testing.T) {
	errSource := errors.New("the source failed")
	for name, write := range map[string]func(w http.ResponseWriter) error{
		"a source that fails": func(w http.ResponseWriter) error {
			_, err := io.Copy(w, iotest.ErrReader(errSource))
			return err
		},
		"a part of a source that fails": func(w http.ResponseWriter) error {
			_, err := io.CopyN(w, iotest.ErrReader(errSource), 1)
			return err
		},
		"a status without a body": func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusNoContent)
			_, err := io.WriteString(w, "x")
			return err
		},
		"more than was announced": func(w http.ResponseWriter) error {
			w.Header().Set("Content-Length", "1")
			if _, err := w.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			w.(http.Flusher).Flush() // HTTP/2 counts from there on
			_, err := w.Write([]byte("y"))
			return err
		},
	} {
		for _, two := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", name, two), func(t *testing.T) {
				got := make(chan taskpool.Outcome, 1)
				transport := &http.Transport{Protocols: protocols(!two, two)}
				defer transport.CloseIdleConnections()
				resp, err := (&http.Client{Transport: transport}).Get(leaving(t, got, func(w http.ResponseWriter, end func()) {
					if write(w) == nil {
						t.Error("nothing failed")
					}
					end()
				}))
				if o := <-got; o.Disconnected {
					t.Errorf("got %+v, want a client that is there", o)
				}
				if err == nil {
					_ = resp.Body.Close()
				}
			})
		}
	}
}

func TestTimeToWriteThatRunsOutIsNoClientThatHasGone(t *testing.T) {
	for name, flush := range map[string]func(http.ResponseWriter) error{
		"Write": func(http.ResponseWriter) error { return nil },
		"Flush": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan taskpool.Outcome, 1)
			resp, err := http.Get(leaving(t, got, func(w http.ResponseWriter, _ func()) {
				if err := http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)); err != nil {
					t.Error(err)
				}
				for err := error(nil); err == nil; err = flush(w) {
					if _, err = w.Write(make([]byte, 1<<16)); err != nil {
						break
					}
				}
			}))
			if err == nil {
				_ = resp.Body.Close()
			}
			if o := <-got; o.Disconnected || !o.Expired || o.Success() {
				t.Errorf("got %+v, want one that has expired", o)
			}
		})
	}
}

// A stream of events gives each write some time, and its client leaves after that.
func TestClientThatLeavesAfterTheTimeOfAWriteHasGone(t *testing.T) {
	for _, tracked := range []bool{false, true} {
		t.Run(fmt.Sprintf("tracked %v", tracked), func(t *testing.T) {
			got := make(chan taskpool.Outcome, 1)
			over := make(chan struct{})
			srv := &http.Server{Handler: httppool.Middleware(taskpool.New(taskpool.Config{}))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				outcomes(t, got).ServeHTTP(w, r)
				c := http.NewResponseController(w)
				_, err := io.WriteString(w, "data: x\n\n")
				must(t, err)
				must(t, c.Flush())
				must(t, c.SetWriteDeadline(time.Unix(1, 0))) // as if it had been that of the write
				close(over)
				<-r.Context().Done()
			}))}
			if tracked {
				httppool.Track(srv)
			}
			resp, err := http.Get(start(t, srv))
			must(t, err)
			<-over
			_ = resp.Body.Close()
			if o := <-got; !o.Disconnected || o.Expired || !o.Success() {
				t.Errorf("got %+v, want a client that has gone and a success", o)
			}
		})
	}
}

// While there is a body that the handler has not read, only what cannot be written tells.
func TestClientHasGoneWhereAWriteFails(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/file")
	must(t, err)
	defer func() { _ = file.Close() }()
	must(t, file.Truncate(1<<16))
	for name, write := range map[string]func(w http.ResponseWriter) error{
		"Write": func(w http.ResponseWriter) error {
			_, err := w.Write(make([]byte, 1<<16))
			return err
		},
		"Flush": func(w http.ResponseWriter) error {
			if _, err := w.Write([]byte("x")); err != nil {
				t.Error("a write failed before a flush did:", err)
			}
			return http.NewResponseController(w).Flush()
		},
		"a source": func(w http.ResponseWriter) error {
			_, err := io.Copy(w, io.MultiReader(io.NewSectionReader(file, 0, 1<<16)))
			return err
		},
		"a file": func(w http.ResponseWriter) error {
			if _, err := file.Seek(0, io.SeekStart); err != nil {
				t.Error(err)
			}
			_, err := io.Copy(w, file)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, gone := make(chan taskpool.Outcome, 1), make(chan struct{})
			url := leaving(t, got, func(w http.ResponseWriter, _ func()) {
				<-gone
				for write(w) == nil {
				}
			})
			c, err := net.Dial("tcp", url[len("http://"):])
			must(t, err)
			_, err = fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx")
			must(t, err)
			must(t, c.(*net.TCPConn).SetLinger(0))
			must(t, c.Close())
			close(gone)
			if o := <-got; !o.Disconnected {
				t.Errorf("got %+v, want a client that has gone", o)
			}
		})
	}
}

// A server ends the context of a request and tells of its client in one go, but may be
// held up in between.
func TestServerMayBeSlowToTellThatTheClientHasGone(t *testing.T) {
	for _, proto := range []int{1, 2} {
		for after, want := range map[time.Duration]bool{0: true, 90 * time.Millisecond: true, time.Second: false} {
			t.Run(fmt.Sprintf("HTTP/%d, after %v", proto, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					got := make(chan taskpool.Outcome, 1)
					server := &tellsOfTheClient{httptest.NewRecorder(), make(chan bool, 1)}
					ctx, end := context.WithCancel(context.WithValue(t.Context(), http.LocalAddrContextKey, "a server's"))
					r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
					r.ProtoMajor = proto
					began := time.Now()
					httppool.Middleware(taskpool.New(taskpool.Config{}))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						outcomes(t, got).ServeHTTP(w, r)
						end()
						time.AfterFunc(after, func() { server.closed <- true })
					})).ServeHTTP(server, r)
					if took := time.Since(began); took > 100*time.Millisecond {
						t.Errorf("the handler returned after %v, want 100 ms at most", took)
					}
					if o := <-got; o.Disconnected != want {
						t.Errorf("got %+v, want a client that has gone: %v", o, want)
					}
				})
			})
		}
	}
}

// What the kernel may copy has to come to the server as it is.
func TestFileReachesTheServerAsItIs(t *testing.T) {
	file, err := os.Open("go.mod")
	must(t, err)
	defer func() { _ = file.Close() }()
	httppool.Middleware(taskpool.New(taskpool.Config{}))(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, file)
		_, _ = io.CopyN(w, file, 1)
	})).ServeHTTP(&takesFiles{httptest.NewRecorder(), t}, httptest.NewRequest(http.MethodGet, "/", nil))
}

type takesFiles struct {
	*httptest.ResponseRecorder
	t *testing.T
}

func (f *takesFiles) ReadFrom(r io.Reader) (int64, error) {
	of := r
	if part, ok := r.(*io.LimitedReader); ok {
		of = part.R
	}
	if _, ok := of.(syscall.Conn); !ok {
		f.t.Errorf("got a %T of a %T", r, of)
	}
	return io.Copy(io.Discard, r)
}

type tellsOfTheClient struct {
	*httptest.ResponseRecorder
	closed chan bool
}

func (s *tellsOfTheClient) CloseNotify() <-chan bool { return s.closed }
