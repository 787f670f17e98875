package enginehttp

import (
	"net/http"

	"github.com/limitpal/limitpal-go/engine"
)

// serveChain is ServeHTTP for the keys of Chain.
func (h *Handler) serveChain(w http.ResponseWriter, r *http.Request) {
	k, err := h.Chain(r)
	switch {
	case err != nil:
		answerBad(w, r, &badRequest)
		return
	case ambiguous(k.String()):
		answerBad(w, r, &severalFields)
		return
	}
	s, first := h.subjectOf(k)
	if s.breaker && r.Body != nil && r.Body != http.NoBody {
		h.serveBody(w, r, &s, first)
		return
	}
	ticket, err := s.admit(r.Context(), h.Wait)
	if err != nil {
		h.turnAway(w, r, s.key, first, err)
		return
	}
	end := failed
	defer func() { ticket.Done(end) }()
	end = h.serve(w, r, s.key, first)
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
