package combos_test

import (
	"net/http"
	"testing"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
)

// net is the middleware of net/http; without a pool, nothing.
func (p *party) net(h http.Handler) http.Handler {
	if p.pool == nil {
		return h
	}
	return httppool.Middleware(p.pool)(h)
}

// handlerReturned is the release where no stream tells of its end.
var handlerReturned = map[mode]taskpool.Release{http2: taskpool.ReleaseHandlerReturned}

const briefly = 30 * time.Millisecond

// slow is a request that a timeout answers.
func slow(status int) []request {
	return []request{{name: "slow", raw: get("/slow"), status: status}}
}

func TestNetHTTP(t *testing.T) {
	run(t, []combo{
		{name: "alone", build: func(p *party) http.Handler { return p.net(p.site()) }},
		{name: "twice", build: func(p *party) http.Handler { return p.net(p.net(p.site())) }},
		{name: "TimeoutHandler inside", build: func(p *party) http.Handler {
			return p.net(http.TimeoutHandler(p.site(), patience, "late"))
		}},
		{name: "TimeoutHandler inside, late", requests: slow(0), build: func(p *party) http.Handler {
			return p.net(http.TimeoutHandler(p.site(), briefly, "late"))
		}},
		// Its writer neither unwraps nor tells of the stream's end, and takes a 103 for
		// the final status.
		{name: "TimeoutHandler outside", release: handlerReturned, except: map[string]request{"early hints": {status: http.StatusCreated}}, build: func(p *party) http.Handler {
			return http.TimeoutHandler(p.net(p.site()), patience, "late")
		}},
		// What it answers is not seen inside: the deadline tells.
		{name: "TimeoutHandler outside, late", release: handlerReturned, requests: slow(http.StatusOK), build: func(p *party) http.Handler {
			return http.TimeoutHandler(p.net(p.site()), briefly, "late")
		}},
		{name: "MaxBytesHandler", build: func(p *party) http.Handler {
			return p.net(http.MaxBytesHandler(p.site(), 1<<20))
		}},
		{name: "StripPrefix", build: func(p *party) http.Handler { return p.net(http.StripPrefix("/", prefixed(p.site()))) }},
		{name: "AllowQuerySemicolons", build: func(p *party) http.Handler { return p.net(http.AllowQuerySemicolons(p.site())) }},
	})
}

// prefixed puts the slash back, so that StripPrefix has made its copy of the request.
func prefixed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/" + r.URL.Path
		h.ServeHTTP(w, r)
	})
}
