package enginehttp

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// Handler lets requests through to Next as far as Engine admits them, and answers the others itself.
//
//	http.ListenAndServe(addr, &enginehttp.Handler{Engine: eng, Key: enginehttp.RemoteIP(0), Next: mux})
//
// A request is admitted with [engine.Engine.Admit] under its key: first the breaker, then the limiter. It may wait in the limiter's
// queue, for as long as Config.MaxWait and the request's context allow; engine.NoWait refuses at once instead. Config.Retry is not
// used. Next runs on the goroutine of the request.
//
// The breaker counts as a failure an answer of 500 or above, a panic (http.ErrAbortHandler included), and runtime.Goexit. Every other
// answer is a success, a 4xx too, as is a connection that was hijacked. What fails after the client has gone counts for nothing. Panics
// go on as they are. Config.Classify is not asked.
//
// A request that the limiter refuses is answered 429, one that the breaker, the queue, the number of keys or the shutdown of the engine
// refuses 503. Retry-After is in whole seconds, at least 1, and says when the request would be admitted if nothing else came; it is absent
// when nothing is known of that. The body is application/problem+json (RFC 9457). A request whose context ends while it waits, because its
// client has gone or its time is up, is answered 503 without Retry-After. (Over HTTP/1, net/http does not notice that the client of a
// request with a body has gone before the body has been read, which is after the wait.)
//
// Next's http.ResponseWriter offers http.Flusher, http.Hijacker, http.Pusher and io.ReaderFrom if, and only if, the one that Handler was
// given does, so that streaming, WebSockets and sendfile work as without Handler; http.ResponseController works, too. The deprecated
// http.CloseNotifier is not offered: the request's context says the same.
//
// Handlers may be nested, to limit by address and by user, say. A Handler may be used by any number of goroutines. Its fields
// must not be changed after its first request, and it must not be copied after that.
type Handler struct {
	// Engine decides. A request panics if it is nil.
	Engine *engine.Engine
	// Key gives the key of a request, such as [RemoteIP] and [Header] do. It runs before anything else is known of the request, so that it
	// should be cheap. Default RemoteIP(0).
	Key func(*http.Request) string
	// Next handles the requests that are admitted. A request panics if it is nil.
	Next http.Handler
	// Wait is the longest that a request may stay in the limiter's queue. A request that would have to
	// wait longer is refused at once. Config.MaxWait and the request's context bound the stay as well.
	// 0 means that no request waits. Negative is invalid.
	Wait time.Duration
	// Fields is in which header fields answers tell how much is left of the limit: those of Next and refusals alike, but those without
	// a limiter. They are added when Next sends its header, and not at all if it has then put fields of that kind there itself, as
	// a Handler within does, and a reverse proxy that passes on those of its upstream. Default [Draft10].
	Fields Fields
	// Refuse answers a request in place of the answer described above. When it is called, Retry-After and the fields are in the header
	// already; it may change them. Status and body are its business: 429 if [engine.Rejection.Limited], else 503. The rejection
	// is never nil. It is not called when the request's context has ended.
	Refuse func(http.ResponseWriter, *http.Request, *engine.Rejection)

	once     sync.Once
	key      func(*http.Request) string // Key, or its default
	breaker  bool                       // whether Engine has one
	patience time.Duration              // of a lease
	gauge    gauge
	limited  problem // the 429, unless its body depends on which of several limits it is
}

// failed is what the breaker is told of a failure.
var failed error = &engine.Verdict{Err: errors.New("enginehttp: the handler failed"), Outcome: engine.Failure}

// ServeHTTP implements http.Handler. It panics if Engine or Next is nil, or Fields is none of the constants: net/http logs that and
// closes the connection.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.prepare)
	if h.key == nil {
		h.prepare() // the panic of before, for this request
	}
	key := h.key(r)
	if ambiguous(key) {
		early := answerEarly(w, r)
		badRequest.serve(w, r, make([]string, problemFields))
		early.end()
		return
	}
	key = shortened(key)
	if h.breaker && r.Body != nil && r.Body != http.NoBody {
		h.serveBody(w, r, key)
		return
	}
	ticket, err := h.Engine.AdmitWithin(r.Context(), key, h.Wait)
	if err != nil {
		h.turnAway(w, r, key, err)
		return
	}
	end := failed // of whatever does not return, which no recover here could see if it is Goexit
	defer func() { ticket.Done(end) }()
	end = h.serve(w, r, key)
}

// serveBody is ServeHTTP for a request with a body, whose client may keep Next, and with it a probe,
// waiting.
func (h *Handler) serveBody(w http.ResponseWriter, r *http.Request, key string) {
	ticket, err := h.Engine.AdmitWithin(r.Context(), key, h.Wait)
	if err != nil {
		h.turnAway(w, r, key, err)
		return
	}
	lease := &lease{ctx: r.Context(), eng: h.Engine, key: key, ticket: ticket, patience: h.patience}
	body := watch(r.Body, -1, lease)
	end := failed
	inner := r.WithContext(r.Context()) // a copy, for net/http looks at the body of its own
	inner.Body = body
	defer func() {
		body.settle()
		own := r.Body
		*r = *inner // a form that Next has read, and its files, are for net/http and others to see
		r.Body = own
		if end != nil && body.toBlame(errors.Is(r.Context().Err(), context.DeadlineExceeded)) {
			end = undecided
		}
		lease.done(end)
	}()
	end = h.serve(w, inner, key)
}

// serve has Next answer a request that was admitted, and returns what that means for the breaker.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, key string) error {
	rec := &recorder{ResponseWriter: w, gauge: &h.gauge, key: key}
	h.Next.ServeHTTP(rec.dressed(), r)
	rec.begin(http.StatusOK) // should Next have written nothing
	if outcomeOf(rec.status) == engine.Failure {
		return failed
	}
	return nil
}

// turnAway answers a request that was not admitted, for err, before its body is sent.
func (h *Handler) turnAway(w http.ResponseWriter, r *http.Request, key string, err error) {
	early := answerEarly(w, r)
	h.refuse(w, r, key, err)
	early.end()
}

// prepare checks the fields and renders what is the same for all requests.
func (h *Handler) prepare() {
	switch {
	case h.Engine == nil:
		panic("enginehttp: Handler.Engine is nil")
	case h.Next == nil:
		panic("enginehttp: Handler.Next is nil")
	case h.Fields > NoFields:
		panic("enginehttp: Handler.Fields is " + h.Fields.String())
	case h.Wait < 0:
		panic("enginehttp: Handler.Wait is negative")
	}
	cfg := h.Engine.Config()
	switch {
	case cfg.Retry != nil:
		panic(unused("Retry", "an enginehttp.Handler does not serve a request again"))
	case cfg.Classify != nil:
		panic(unused("Classify", "an enginehttp.Handler goes by the status of the answer"))
	}
	h.breaker, h.patience = cfg.Breaker != nil, patienceOf(cfg)
	h.gauge = newGauge(h.Engine, h.Fields)
	h.limited = quotaExceeded(nil)
	if h.Fields == Draft10 && len(h.gauge.policies) == 1 {
		h.limited = quotaExceeded([]string{h.gauge.policies[0].name})
	}
	h.key = h.Key
	if h.key == nil {
		h.key = RemoteIP(0)
	}
}

// refuse answers a request that was not admitted, for err.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, key string, err error) {
	rejection, ok := errors.AsType[*engine.Rejection](err)
	if !ok {
		// The request's context. Its client has gone and will not see the answer, unless the context ended for another reason; a log
		// around this handler will.
		unavailable.serve(w, r, make([]string, problemFields))
		return
	}
	limited := rejection.Limited()
	after := seconds(rejection.RetryAfter()) // 0 if nothing is known
	header := w.Header()
	room := make([]string, mostFields+1+problemFields) // for the values of all fields, in one allocation
	var few [fewLimits]reading
	readings := h.gauge.refused(few[:0], key, limited, after)
	room = h.gauge.tell(header, readings, room)
	room = putRetryAfter(header, after, room)
	switch {
	case h.Refuse != nil:
		h.Refuse(w, r, rejection)
	case !limited:
		unavailable.serve(w, r, room)
	case h.Fields == Draft10 && len(h.gauge.policies) > 1:
		p := quotaExceeded(h.gauge.violated(readings))
		p.serve(w, r, room)
	default:
		h.limited.serve(w, r, room)
	}
}
