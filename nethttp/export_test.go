package httppool

import "net/http"

// Views is how many combinations of optional interfaces there are.
const Views = len(views)

// View returns a ResponseWriter over base with the interfaces of combination m.
func View(base http.ResponseWriter, m int) http.ResponseWriter {
	return views[m](&observer{base: base})
}
