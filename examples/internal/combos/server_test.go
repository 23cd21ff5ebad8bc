package combos_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// A server is a way to serve, which serves h on ln until ctx ends.
type server struct {
	name    string
	network string
	tls     bool
	serve   func(ctx context.Context, h http.Handler, ln net.Listener, pool *taskpool.Pool) error
}

func TestServers(t *testing.T) {
	var shut atomic.Int32
	var asked atomic.Int32
	cert := certificate(t)
	servers := []server{
		{"unix socket", "unix", false, func(ctx context.Context, h http.Handler, ln net.Listener, pool *taskpool.Pool) error {
			return httppool.ServeListener(ctx, &http.Server{Handler: h, ReadHeaderTimeout: patience}, ln, pool, patience)
		}},
		{"RegisterOnShutdown", "tcp", false, func(ctx context.Context, h http.Handler, ln net.Listener, pool *taskpool.Pool) error {
			srv := &http.Server{Handler: h, ReadHeaderTimeout: patience}
			srv.RegisterOnShutdown(func() { shut.Add(1) })
			return httppool.ServeListener(ctx, srv, ln, pool, patience)
		}},
		{"GetCertificate", "tcp", true, func(ctx context.Context, h http.Handler, ln net.Listener, pool *taskpool.Pool) error {
			get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { asked.Add(1); return &cert, nil }
			srv := &http.Server{Handler: h, ReadHeaderTimeout: patience, TLSConfig: &tls.Config{GetCertificate: get}}
			return httppool.ServeListenerTLS(ctx, srv, ln, "", "", pool, patience)
		}},
	}
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			ran.Add(1)
			p := party{t: t}
			p.pool = p.newPool()
			address := "127.0.0.1:0"
			if s.network == "unix" {
				address = filepath.Join(t.TempDir(), "s")
			}
			ln, err := net.Listen(s.network, address)
			if err != nil {
				t.Fatal(err)
			}
			p.wire = &wire{Listener: ln}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.serve(ctx, p.net(p.site()), p.wire, p.pool) }()
			scheme, m := "http", tracked
			if s.tls {
				scheme, m = "https", http2
			}
			client := &http.Client{Transport: &http.Transport{
				ForceAttemptHTTP2: true,
				TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, s.network, ln.Addr().String())
				},
			}}
			defer client.CloseIdleConnections()
			resp, err := client.Get(scheme + "://shop.test/small")
			if err != nil {
				t.Fatal(err)
			}
			_ = parsed(resp)
			p.check(request{}, m, resp.StatusCode)
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	if shut.Load() != 1 || asked.Load() == 0 {
		t.Errorf("the shutdown hook ran %d times, the certificate was asked for %d times", shut.Load(), asked.Load())
	}
}

func certificate(t *testing.T) tls.Certificate {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0]
}
