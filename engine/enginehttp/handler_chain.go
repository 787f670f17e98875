package enginehttp

import (
	"net/http"

	"github.com/limitpal/limitpal-go/engine"
)

// serveChain is ServeHTTP for the keys of Chain.
func (h *Handler) serveChain(w http.ResponseWriter, r *http.Request) ending {
	k, err := h.Chain(r)
	switch {
	case err != nil:
		return answerBad(w, r, &badRequest)
	case ambiguous(k.String()):
		return answerBad(w, r, &severalFields)
	}
	s, first := h.subjectOf(k)
	if s.breaker && r.Body != nil && r.Body != http.NoBody {
		return h.serveBody(w, r, &s, first)
	}
	ticket, err := s.admit(r.Context(), h.Wait)
	if err != nil {
		return h.turnAway(w, r, s.key, first, err)
	}
	end := failed
	defer func() { ticket.Done(end) }()
	var class ending
	class, end = h.serve(w, r, s.key, first)
	return class
}

// subjectOf returns what a request with the key k asks leave of, and the engine of the first key.
// If an engine has a configuration that a Handler cannot honour, subjectOf panics.
func (h *Handler) subjectOf(k engine.Key) (s subject, first *handlerEngine) {
	s = subject{key: k.String(), chain: k}
	for eng := range k.Engines() {
		if eng == nil {
			break
		}
		known, _ := h.chained.Load(eng)
		e, ok := known.(*handlerEngine)
		if !ok || e.revision != eng.Revision() {
			e = h.newEngine(eng)
			h.chained.Store(eng, e)
		}
		if e.err != nil {
			panic(e.err)
		}
		if s.add(e.breaker, e.patience); first == nil {
			first = e
		}
	}
	if first == nil {
		panic(zeroKey("Handler"))
	}
	return s, first
}
