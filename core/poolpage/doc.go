// Package poolpage is a live page of what pools are doing: workers, what runs now, what waits and for what, lanes,
// throughput and how long things wait over the last minutes, and the latest failures. It is one http.Handler, of the
// standard library alone, and read only.
//
//	page := poolpage.New()
//	page.Show("orders", pool)
//	mux.Handle("GET /tasks", page)
//	srv.RegisterOnShutdown(page.Close)
//
// The page has no authentication: names of tasks and texts of errors are for those who run the service. Mount it
// where only they come, on a port of its own or behind what the service has for that:
//
//	mux.Handle("GET /tasks", requireAdmin(page))
//
// It is served at whatever path it is mounted on. The page itself works without JavaScript, as a picture of the moment;
// with it, it follows by server-sent events. ?format=json is the same for scripts. It loads nothing from elsewhere, and
// its Content-Security-Policy allows nothing but its own script and style.
//
// # Cost
//
// The page uses no hooks: what it shows it reads from the pool, twice a second while somebody looks and, for the
// history, once a second else; less often where that takes long, which is where lanes are very many. However many
// look, and however slowly they read, the pool is read once for all of them. Lanes are read beside that, and where
// reading them takes long, as with one for each of very many tenants, for a twentieth of the time at most: their table
// says how old it is. Of lanes, and of tasks that run and that wait, the first 50 are shown, and how many more there
// are. More than 256 at a time are not followed live, but still get the page.
package poolpage
