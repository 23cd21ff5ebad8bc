package combos_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/quic-go/quic-go/http3"
)

// Over HTTP/3 an outer middleware that is slow to return holds the response up, and
// with it the tasks.
func TestHTTP3(t *testing.T) {
	for _, path := range []string{"/small", "/text", "/error", "/empty", "/stream"} {
		t.Run(path, func(t *testing.T) {
			ran.Add(1)
			var status [2]int
			var with party
			for i, p := range []*party{{}, &with} {
				p.t, p.wire = t, listen(t)
				if p == &with {
					p.pool = p.newPool()
				}
				var left atomic.Bool
				inner := p.net(p.site())
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					inner.ServeHTTP(w, r)
					if p == &with {
						if s := p.pool.Stats(); s.Staged != 3 {
							t.Errorf("the response is not sent, and %d of 3 tasks are staged", s.Staged)
						}
					}
					left.Store(true)
				})
				pc, err := net.ListenPacket("udp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				srv := &http3.Server{Handler: h, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{certificate(t)}})}
				go func() { _ = srv.Serve(pc) }()
				transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get("https://" + pc.LocalAddr().String() + path)
				if err != nil {
					t.Fatal(err)
				}
				_ = parsed(resp)
				status[i] = resp.StatusCode
				if p == &with {
					report, began := <-p.drained, <-p.started
					if o := report.Outcome; o.Status != status[i] || began.success != o.Success() || o.Release == taskpool.ReleaseNoServer || o.Exact() || !left.Load() {
						t.Errorf("outcome %+v, after the outermost handler: %t", o, left.Load())
					}
				}
				_, _, _ = transport.Close(), srv.Close(), pc.Close()
			}
			if status[0] != status[1] {
				t.Errorf("got %d, without the pool %d", status[1], status[0])
			}
		})
	}
}
