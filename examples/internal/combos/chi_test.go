package combos_test

import (
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

type around = func(http.Handler) http.Handler

// inChi routes the site by chi, behind middlewares, the first outermost.
func (p *party) inChi(all ...around) http.Handler {
	r := chi.NewRouter()
	r.Use(all...)
	r.Handle("/*", p.site())
	return r
}

func TestChi(t *testing.T) {
	inside := func(name string, a around) combo {
		return combo{name: name + " inside", build: func(p *party) http.Handler { return p.inChi(p.net, a) }}
	}
	outside := func(name string, a around) combo {
		return combo{name: name + " outside", build: func(p *party) http.Handler { return p.inChi(a, p.net) }}
	}
	var combos []combo
	for _, m := range []struct {
		name string
		around
	}{
		{"Compress", middleware.Compress(5, "text/plain", "text/event-stream")},
		{"Timeout", middleware.Timeout(patience)},
		{"Throttle", middleware.Throttle(3)},
		{"RealIP", middleware.RealIP}, //nolint:staticcheck // people stack it
		{"GetHead", middleware.GetHead},
		{"NoCache", middleware.NoCache},
		{"RequestSize", middleware.RequestSize(1 << 20)},
		{"StripSlashes", middleware.StripSlashes},
	} {
		combos = append(combos, inside(m.name, m.around), outside(m.name, m.around))
	}
	combos = append(combos,
		combo{name: "the router inside", build: func(p *party) http.Handler { return p.net(p.inChi()) }},
		combo{name: "mounted", build: func(p *party) http.Handler {
			r := chi.NewRouter()
			r.With(p.net).Mount("/", p.inChi(middleware.CleanPath))
			return r
		}},
		combo{name: "Recoverer inside", build: func(p *party) http.Handler { return p.inChi(p.net, middleware.Recoverer) }},
		combo{name: "Recoverer outside", build: func(p *party) http.Handler { return p.inChi(middleware.Recoverer, p.net) }},
		combo{name: "Logger's writer outside", build: func(p *party) http.Handler { return p.inChi(p.watched, p.net) }},
		combo{name: "Logger's writer inside", build: func(p *party) http.Handler { return p.inChi(p.net, p.watched) }},
		combo{name: "all of them", build: func(p *party) http.Handler {
			return p.inChi(p.net, middleware.RealIP, p.watched, middleware.Recoverer, middleware.Compress(5), middleware.Throttle(9), middleware.Timeout(patience)) //nolint:staticcheck // people stack it
		}},
		combo{name: "Timeout inside, late", requests: slow(0), build: func(p *party) http.Handler {
			return p.inChi(p.net, middleware.Timeout(briefly))
		}},
		// The handler writes before the outer middleware could answer.
		combo{name: "Timeout outside, late", requests: slow(0), build: func(p *party) http.Handler {
			return p.inChi(middleware.Timeout(briefly), p.net)
		}},
	)
	run(t, combos)
}

// watched is what chi's Logger does with a writer, without its log.
func (p *party) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() { p.saw("%d, %d bytes", ww.Status(), ww.BytesWritten()) }()
		next.ServeHTTP(ww, r)
	})
}
