// Package loopback serves what an example program needs of the world: an API, an upstream, its own server.
package loopback

import (
	"net"
	"net/http"
	"time"
)

// Listen listens on a free loopback port. The URL has no path.
func Listen() (ln net.Listener, url string, err error) {
	if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, "", err
	}
	return ln, "http://" + ln.Addr().String(), nil
}

// Serve serves h on a free loopback port until the caller closes the server.
func Serve(h http.Handler) (srv *http.Server, url string, err error) {
	ln, url, err := Listen()
	if err != nil {
		return nil, "", err
	}
	srv = &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	go func() { _ = srv.Serve(ln) }() // until Close
	return srv, url, nil
}
