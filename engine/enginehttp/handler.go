package enginehttp

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// Handler lets requests through to Next as far as Engine admits them, and answers the others
// itself.
//
//	h := &enginehttp.Handler{Engine: eng, Key: enginehttp.RemoteIP(0), Next: mux}
//	err := http.ListenAndServe(addr, h)
//
// A Handler asks the breaker and the limiter of a request's key. A request that the limiter does
// not let through now is refused at once, unless Wait lets the request queue. Next runs on the
// goroutine of the request.
//
// For the breaker, an answer of 500 or above is a failure, as is a panic (http.ErrAbortHandler
// included) and runtime.Goexit. Every other answer is a success, also a 4xx, 501 Not Implemented,
// 505 HTTP Version Not Supported, and a connection that was hijacked. A failure counts for nothing
// if the client has gone, if the body of the request could not be read, or if the client took most
// of the time to send the body. Panics go on untouched. A probe of the breaker does not depend on a
// client that has yet to send the body of its request, as described at [Transport].
//
// A request that the limiter refuses is answered 429, and a request that the breaker, the queue,
// the number of keys or the shutdown of the engine refuses is answered 503. Retry-After is in whole
// seconds, at least 1, and says when the request would be admitted if nothing else came; the field
// is absent if nothing is known of that time. The body is application/problem+json (RFC 9457). A
// request whose context ends in the queue, because the client has gone or the time is up, is
// answered 503 without Retry-After. (Over HTTP/1, net/http does not notice that the client of a
// request with a body has gone before the body has been read, which is after the wait.)
//
// The client of a refused request has the answer without having sent the body. Over HTTP/1 the
// connection is kept if the rest of the body, 256 KiB at most, comes within half a second, and is
// closed otherwise. If an http.ResponseWriter around the one of net/http has no Unwrap, the
// connection is closed in any case.
//
// The http.ResponseWriter for Next offers http.Flusher, http.Hijacker, http.Pusher and
// io.ReaderFrom if, and only if, the Handler's own writer does, so that streams, WebSockets and
// sendfile work as without a Handler; http.ResponseController works, too. The deprecated
// http.CloseNotifier is not offered: the request's context says the same.
//
// With a Chain the keys of several engines decide about a request together, such as the limits of
// the client and of its tenant. If a key refuses, the tokens of the narrower keys come back, as
// described at [engine.Chain]. The status goes by the refusal, and Retry-After says when all keys
// would admit the request. Handlers may also be nested; then a token of the outer Handler is lost
// if the inner Handler refuses.
//
// Any goroutine may use a Handler. Do not change the fields after the first request, and do not
// copy a Handler after that.
type Handler struct {
	// Engine decides. Its Config must have neither Retry nor Classify. A request panics if Engine
	// and Chain are nil.
	Engine *engine.Engine
	// Key returns the key of a request, such as [RemoteIP] and [Header] do. Key runs before
	// anything else is known of the request, and should be cheap. Default: RemoteIP(0).
	Key func(*http.Request) string
	// Chain stands in for Engine and Key if several keys decide about a request: Chain returns the
	// key of a request, such as engine.Chain makes. The engines must have neither Retry nor
	// Classify. Wait, also a Wait of 0, replaces NoWait and Within of the Key. A request for which
	// Chain returns an error is answered 400 Bad Request. A request panics if Chain is set together
	// with Engine or Key, or if Chain returns a Key that cannot be used. Default: nil.
	Chain func(*http.Request) (engine.Key, error)
	// Next handles the requests that are admitted. A request panics if Next is nil.
	Next http.Handler
	// Wait is the longest that a request may stay in the limiter's queue. A request that would have
	// to stay longer is refused at once. Config.MaxWait and the request's context bound the stay as
	// well. Default: 0, no request waits. A request panics if Wait is negative.
	Wait time.Duration
	// Fields says in which header fields answers tell how much is left of the limit. The answers of
	// Next and refusals have the fields, unless Engine has no limiter. The fields are added when
	// Next sends its header, and not at all if Next has put fields of that kind there, as a Handler
	// within does, and a reverse proxy that passes on the fields of its upstream. With a Chain the
	// fields are about the first key, also if another key refuses. Default: [Draft10].
	Fields Fields
	// Refuse answers a request in place of the answer described above. Retry-After and the fields
	// are in the header when Refuse is called, and Refuse may change them. Refuse chooses status
	// and body: 429 if [engine.Rejection.Limited], else 503. The rejection is never nil. Refuse is
	// not called if the request's context has ended, nor for a request without a valid key.
	Refuse func(http.ResponseWriter, *http.Request, *engine.Rejection)

	once    sync.Once
	ready   bool                          // whether the fields are valid
	key     func(*http.Request) string    // Key, or its default
	only    atomic.Pointer[handlerEngine] // of Engine; nil with Chain
	chained sync.Map                      // from *engine.Engine to *handlerEngine, of Chain
	tally   tally
}

// handlerEngine is the part of an engine's configuration that a Handler needs.
type handlerEngine struct {
	revision uint64        // of the engine, when it was asked
	own      bool          // whether keys have limits of their own
	breaker  bool          // whether the engine has one
	patience time.Duration // of a lease
	err      error         // names a field of the configuration that a Handler cannot honour
	gauge    gauge
	limited  problem // the 429, unless its body depends on which of several limits it is
}

// failed tells the breaker of a failure.
var failed error = &engine.Verdict{Err: errors.New("enginehttp: the handler failed"), Outcome: engine.Failure}

// ServeHTTP implements http.Handler. If a field is invalid, if an engine has a configuration that a
// Handler cannot honour, or if Chain returns a Key that cannot be used, ServeHTTP panics: net/http
// logs the panic and closes the connection.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.tally.begin()
	end := endAborted
	defer func() { h.tally.end(end) }()
	end = h.handle(w, r)
}

// handle is ServeHTTP, and returns how the request has ended.
func (h *Handler) handle(w http.ResponseWriter, r *http.Request) ending {
	h.once.Do(h.prepare)
	if !h.ready {
		h.prepare() // panics as for the first request
	}
	if h.Chain != nil {
		return h.serveChain(w, r)
	}
	key := h.key(r)
	if ambiguous(key) {
		return answerBad(w, r, &severalFields)
	}
	key = shortened(key)
	first := h.only.Load()
	if first.revision != h.Engine.Revision() {
		first = h.newEngine(h.Engine)
		h.only.Store(first)
	}
	if first.err != nil {
		panic(first.err)
	}
	if first.breaker && r.Body != nil && r.Body != http.NoBody {
		s := subject{eng: h.Engine, key: key, breaker: true, patience: first.patience}
		return h.serveBody(w, r, &s, first)
	}
	ticket, err := h.Engine.AdmitWithin(r.Context(), key, h.Wait)
	if err != nil {
		return h.turnAway(w, r, key, first, err)
	}
	end := failed // in case Next does not return; recover does not see a Goexit
	defer func() { ticket.Done(end) }()
	var class ending
	class, end = h.serve(w, r, key, first)
	return class
}

// serve has Next answer a request that was admitted, and returns the class of the status and the
// meaning for the breaker. The fields of the answer are about key of the engine first.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, key string, first *handlerEngine) (ending, error) {
	rec := &recorder{ResponseWriter: w, gauge: first.gaugeOf(key), key: key}
	h.Next.ServeHTTP(rec.dressed(), r)
	rec.begin(http.StatusOK) // in case Next has written nothing
	if outcomeOf(rec.status) == engine.Failure {
		return endOf(rec.status), failed
	}
	return endOf(rec.status), nil
}

// turnAway answers a request that was not admitted, for err, before its body is sent. If err says
// that the keys of Chain make no chain, turnAway panics.
func (h *Handler) turnAway(w http.ResponseWriter, r *http.Request, key string, first *handlerEngine, err error) ending {
	if invalid, ok := errors.AsType[*engine.ConfigError](err); ok {
		panic(invalid)
	}
	early := answerEarly(w, r)
	h.refuse(w, r, key, first, err)
	early.end()
	return refusal(err)
}

// answerBad answers a request whose key cannot be told, before its body is sent.
func answerBad(w http.ResponseWriter, r *http.Request, answer *problem) ending {
	early := answerEarly(w, r)
	answer.serve(w, r, make([]string, problemFields))
	early.end()
	return endInvalid
}

// prepare checks the fields and renders the parts that are the same for all requests.
func (h *Handler) prepare() {
	switch {
	case h.Chain != nil && (h.Engine != nil || h.Key != nil):
		panic("enginehttp: Handler.Chain is set together with Engine or Key")
	case h.Chain == nil && h.Engine == nil:
		panic("enginehttp: Handler.Engine is nil")
	case h.Next == nil:
		panic("enginehttp: Handler.Next is nil")
	case h.Fields > NoFields:
		panic("enginehttp: Handler.Fields is " + h.Fields.String())
	case h.Wait < 0:
		panic("enginehttp: Handler.Wait is negative")
	}
	if h.Chain == nil {
		only := h.newEngine(h.Engine)
		if only.err != nil {
			panic(only.err)
		}
		h.only.Store(only)
	}
	h.key = h.Key
	if h.key == nil {
		h.key = RemoteIP(0)
	}
	h.ready = true
}

// newEngine asks eng for its configuration.
func (h *Handler) newEngine(eng *engine.Engine) *handlerEngine {
	revision := eng.Revision() // first, so that a change that comes meanwhile is found later
	cfg := eng.Config()
	e := &handlerEngine{revision: revision, own: cfg.LimiterFor != nil, breaker: cfg.Breaker != nil, patience: patienceOf(cfg)}
	switch {
	case cfg.Retry != nil:
		e.err = unused("Retry", "an enginehttp.Handler does not serve a request again")
	case cfg.Classify != nil:
		e.err = unused("Classify", "an enginehttp.Handler goes by the status of the answer")
	case cfg.Timeout > 0:
		e.err = unused("Timeout", "http.TimeoutHandler bounds the time of a request")
	case cfg.AttemptTimeout > 0:
		e.err = unused("AttemptTimeout", "http.TimeoutHandler bounds the time of a request")
	}
	e.gauge = newGauge(eng, h.Fields, eng.Limits())
	e.gauge.chain = h.Chain != nil
	e.limited = quotaExceeded(nil)
	if h.Fields == Draft10 && len(e.gauge.policies) == 1 {
		e.limited = quotaExceeded([]string{e.gauge.policies[0].name})
	}
	return e
}

// gaugeOf returns the gauge of key.
func (e *handlerEngine) gaugeOf(key string) *gauge {
	if !e.own || e.gauge.fields == NoFields {
		return &e.gauge
	}
	limits, err := e.gauge.eng.Key(key).Limits()
	if err != nil {
		limits = nil // the request has the error
	}
	g := newGauge(e.gauge.eng, e.gauge.fields, limits)
	g.chain = e.gauge.chain
	return &g
}

// refuse writes the answer to a request that was not admitted, for err.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, key string, first *handlerEngine, err error) {
	rejection, ok := errors.AsType[*engine.Rejection](err)
	if !ok {
		// The request's context has ended. If the client has gone, only a log around this Handler
		// sees the answer.
		unavailable.serve(w, r, make([]string, problemFields))
		return
	}
	limited := rejection.Limited()
	after := seconds(rejection.RetryAfter()) // 0 if nothing is known
	header := w.Header()
	room := make([]string, mostFields+1+problemFields) // for the values of all fields
	var few [fewLimits]reading
	g := first.gaugeOf(key)
	readings := g.refused(few[:0], key, limited, after)
	room = g.tell(header, readings, room)
	room = putRetryAfter(header, after, room)
	switch {
	case h.Refuse != nil:
		h.Refuse(w, r, rejection)
	case !limited:
		unavailable.serve(w, r, room)
	case h.Fields == Draft10 && (g.chain || first.own || len(g.policies) > 1):
		p := quotaExceeded(g.violated(readings))
		p.serve(w, r, room)
	default:
		first.limited.serve(w, r, room)
	}
}
