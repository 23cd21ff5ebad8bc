package httppool

import (
	"net/http"
	"reflect"
)

// hand makes the copy of r that the handler gets, with the scope's context.
//
// The server merges the trailers of an HTTP/1 body into the Request that it made
// itself, when the body has been read, and makes the map for it if none were
// announced (net/http body.readTrailer and mergeSetHeader, Go 1.26). The copy has to
// share that map, so it has to be there before.
func (o *observer) hand(r, with *http.Request) {
	if r.Trailer == nil && r.ContentLength < 0 && r.ProtoMajor == 1 {
		r.Trailer = make(http.Header)
		with.Trailer = r.Trailer
	}
	o.handed, o.request = r, *with
}

// giveBack has the Request that was handed to us show what the handlers inside did
// to the copy that they got. The server removes the files of the MultipartForm that
// it finds on its own Request (response.finishRequest, http2serverConn.runHandler,
// Go 1.26), and loggers and tracers outside read the route there: ServeMux and
// others set Pattern and path values on the Request that they are given.
//
// An http.Handler is not to modify its Request. What is written here is what the
// handlers inside would have written without the middleware, which is why it is
// written only if they did, and by the goroutine in which they would have. The
// context stays, and so does the Body, which may be the server's own.
func (o *observer) giveBack() {
	r, c := o.handed, &o.request
	o.handed = nil
	if c.Pattern != r.Pattern || pathValues(c) > 0 && pathValues(c) != pathValues(r) { // there are at least as many as it came with
		// What a router sets beside the Pattern is not exported.
		back := c.WithContext(r.Context())
		back.Body = r.Body
		if r.Trailer != nil { // the server may have replaced it
			back.Trailer = r.Trailer
		}
		*r = *back
		return
	}
	// Else field by field: others may be read by what a middleware outside has started.
	give(&r.MultipartForm, c.MultipartForm)
	give(&r.URL, c.URL)
	give(&r.Method, c.Method)
	give(&r.Host, c.Host)
	give(&r.RequestURI, c.RequestURI)
	give(&r.RemoteAddr, c.RemoteAddr)
	give(&r.ContentLength, c.ContentLength)
	give(&r.Close, c.Close)
	give(&r.TLS, c.TLS)
	give(&r.Proto, c.Proto)
	give(&r.ProtoMajor, c.ProtoMajor)
	give(&r.ProtoMinor, c.ProtoMinor)
	give(&r.Response, c.Response)
	giveMap(&r.Form, c.Form)
	giveMap(&r.PostForm, c.PostForm)
	giveMap(&r.Header, c.Header)
	if r.Trailer == nil {
		giveMap(&r.Trailer, c.Trailer)
	}
}

func give[T comparable](to *T, from T) {
	if *to != from {
		*to = from
	}
}

// giveMap is give for maps, which are the same if they are one. Most are nil.
func giveMap[M ~map[string][]string](to *M, from M) {
	if *to == nil && from == nil {
		return
	}
	if reflect.ValueOf(*to).UnsafePointer() != reflect.ValueOf(from).UnsafePointer() {
		*to = from
	}
}

// otherValues are the path values that SetPathValue has set, as chi does. Nothing
// else tells that there are any: PathValue has to be asked by name.
var otherValues = func() (index int) {
	f, ok := reflect.TypeFor[http.Request]().FieldByName("otherValues")
	if !ok || f.Type.Kind() != reflect.Map {
		return -1
	}
	return f.Index[0]
}()

// pathValues is how many there are; 0 if another version of net/http keeps them elsewhere.
func pathValues(r *http.Request) int {
	if otherValues < 0 {
		return 0
	}
	return reflect.ValueOf(r).Elem().Field(otherValues).Len()
}
