package ginpool_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	ginpool "github.com/elite-libs/taskpool/gin"
	"github.com/gin-gonic/gin"
)

// While there is a body that the handler has not read, only what cannot be written tells.
func TestClientHasGoneWhereAWriteFails(t *testing.T) {
	for name, write := range map[string]func(w gin.ResponseWriter) error{
		"Write":       func(w gin.ResponseWriter) error { _, err := w.Write(make([]byte, 1<<16)); return err },
		"WriteString": func(w gin.ResponseWriter) error { _, err := io.WriteString(w, strings.Repeat("x", 1<<16)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			got, gone := make(chan taskpool.Outcome, 1), make(chan struct{})
			e := gin.New()
			e.Use(ginpool.Middleware(taskpool.New(taskpool.Config{})))
			e.POST("/", func(c *gin.Context) {
				if err := ginpool.From(c).AfterResponse(func(ctx context.Context) error {
					o, _ := taskpool.FromContext(ctx).Outcome()
					got <- o
					return nil
				}); err != nil {
					t.Error(err)
				}
				<-gone
				for write(c.Writer) == nil {
				}
			})
			srv := httptest.NewServer(e)
			defer srv.Close()
			c, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx"); err != nil {
				t.Error(err)
			}
			if err := c.(*net.TCPConn).SetLinger(0); err != nil {
				t.Error(err)
			}
			_ = c.Close()
			close(gone)
			if o := <-got; !o.Disconnected {
				t.Errorf("got %+v, want a client that has gone", o)
			}
		})
	}
}
