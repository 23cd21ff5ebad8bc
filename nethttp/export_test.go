package httppool

import "net/http"

// Wrappers is how many combinations of optional interfaces there are.
const Wrappers = len(wrappers)

// View returns a ResponseWriter over base with the interfaces of combination m.
func View(base http.ResponseWriter, m int) http.ResponseWriter {
	return wrappers[m](&observer{base: base})
}
