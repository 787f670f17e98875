package enginehttp

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// Transport is an http.RoundTripper that sends each request under the guard of an engine: before every attempt the breaker and the
// limiter of its key are asked, and when an attempt fails in a way that is worth another, the engine's retry.Policy says when.
// Only Engine must be set. Any goroutine may use a Transport; do not change its fields while it is in use.
//
// What an answer means for the breaker: a status of 5xx and an error of Base are failures. 408 and 429 count neither way, and any other
// status is a success: the server answered. A caller who leaves counts neither way; one whose deadline passes, or an attempt that takes
// longer than AttemptTimeout, is a failure.
//
// An attempt after the first is made if all of these hold. The engine has a retry.Policy with attempts, time and delay to spare.
// Retryable says that it is worth it. The method is GET, HEAD, OPTIONS, TRACE, PUT or DELETE (RFC 9110, section 9.2.2), or the request
// has the header Idempotency-Key or X-Idempotency-Key. And it has no body, or GetBody to have it once more, which http.NewRequest sets
// for the usual readers. An http.Transport as Base sends a request again by itself if a connection from its pool turns out to be closed
// before it was used; that is one attempt here.
//
// RoundTrip returns the last response as it is, with a nil error, if the last attempt brought one: also when the attempts are used up,
// when the breaker or the limiter refuses another, or when the engine is closed meanwhile. It stays open, and keeps its connection, while
// the engine waits for the next attempt; just before that, its body is read to the end, 4 KiB and 100 ms at most so that the connection
// can be used again, and closed. If the last attempt brought none, the error is what the engine makes of it (see [engine.Do]). A request
// that is refused before anything was sent gives a [*engine.Rejection]. A context that ends while RoundTrip waits gives the context's
// error. An http.Client wraps all of them in a *url.Error, through which errors.Is, errors.AsType and Timeout see them.
//
// The Timeout of an http.Client bounds all attempts together, and the waiting between them.
type Transport struct {
	// Engine is what guards the requests. Its Config.Classify is not asked about them. If its retry.Policy has a RetryIf, that must agree to
	// a retry too; it sees the error of the attempt, or one that names the status. It must not be nil.
	Engine *engine.Engine
	// Base sends a single attempt. Default: http.DefaultTransport.
	Base http.RoundTripper
	// Key is the engine's key for a request. Default: the host of the URL with its port, if it names one, in lower case.
	Key func(*http.Request) string
	// Retryable reports whether another attempt is worth it after one that ended with this response, or else with this error; one of
	// them is nil. It is asked only about requests that may be sent again, and only about what is not yet decided: no answer of it lets a POST
	// be repeated. It must neither read nor close the body, and runs on the goroutine of RoundTrip. Default: [DefaultRetryable].
	Retryable func(*http.Request, *http.Response, error) bool
	// Classify returns the meaning of an attempt for the breaker of its key, in place of
	// [DefaultClassify]. The attempt ended with this response, or else with this error; one of them is nil.
	// Classify must neither read nor close the body, and runs on the goroutine of RoundTrip. A Failure of
	// an attempt whose caller has left counts neither way all the same. Default: DefaultClassify.
	Classify func(*http.Response, error) engine.Outcome
	// AttemptTimeout is the longest that one attempt may take until its response has been read, on the system's clock. Each attempt
	// has a context of its own, which ends when the attempt fails and when the body of its response is closed or at its end. The time in
	// which RoundTrip waits between attempts does not count, nor does what comes after a 101 Switching Protocols. An attempt that takes
	// longer fails with an error that is context.DeadlineExceeded for errors.Is. 0 means no limit. Negative is invalid. For streams
	// without an end use http.Transport.ResponseHeaderTimeout instead.
	AttemptTimeout time.Duration
	// MaxRetryAfter is the longest Retry-After that is waited for: if a server asks for more, its response is returned at once.
	// Advice above the MaxDelay of the engine's retry.Policy, or past the caller's deadline, has the same effect. 0 means one
	// minute. Negative is invalid.
	MaxRetryAfter time.Duration

	known atomic.Pointer[transportEngine]
}

// defaultMaxRetryAfter is what a MaxRetryAfter of 0 means.
const defaultMaxRetryAfter = time.Minute

// RoundTrip sends the request, as often as it takes, as described at [Transport]. It does not change the request. If a field is
// invalid, the error is an [*engine.ConfigError] that names it.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	a := &attempts{transport: t, req: req}
	returned := false // no recover: a panic of Base or Goexit goes on untouched
	defer func() {
		if !returned {
			a.abandon()
		}
	}()
	patience, err := t.check()
	switch {
	case err != nil:
	case mayFail(req.Body) && req.GetBody == nil:
		err = a.upload(t.key(req), patience)
	default:
		err = t.Engine.Run(req.Context(), t.key(req), a.once)
	}
	resp, err := a.result(err)
	returned = true
	return resp, err
}

// CloseIdleConnections closes the idle connections of Base, if it can. An http.Client's method of this name calls it.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// transportEngine is what a Transport knows of its engine's configuration.
type transportEngine struct {
	engine   *engine.Engine
	patience time.Duration // of a lease
	err      error         // says which field of the configuration has no meaning here
}

// check returns the patience of a lease, or an error that says what is wrong with the fields. Each
// request asks, since no constructor could.
func (t *Transport) check() (time.Duration, error) {
	bad := func(field string, value any, reason string) (time.Duration, error) {
		return 0, &engine.ConfigError{Field: "Transport." + field, Value: value, Reason: reason}
	}
	switch {
	case t.Engine == nil:
		return bad("Engine", nil, "must not be nil")
	case t.AttemptTimeout < 0:
		return bad("AttemptTimeout", t.AttemptTimeout, "must not be negative (0 is no limit)")
	case t.MaxRetryAfter < 0:
		return bad("MaxRetryAfter", t.MaxRetryAfter, "must not be negative (0 is the default)")
	}
	known := t.known.Load()
	if known == nil || known.engine != t.Engine {
		cfg := t.Engine.Config()
		known = &transportEngine{engine: t.Engine, patience: patienceOf(cfg)}
		if cfg.Classify != nil {
			known.err = unused("Classify", "an enginehttp.Transport does not ask it; use Transport.Classify")
		}
		t.known.Store(known)
	}
	return known.patience, known.err
}

// unused returns the error of a field of an engine's Config that an adapter cannot honour.
func unused(field, reason string) error {
	return &engine.ConfigError{Field: field, Value: "set", Reason: reason}
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}

func (t *Transport) key(req *http.Request) string {
	switch {
	case t.Key != nil:
		return shortened(t.Key(req))
	case req.URL == nil: // Base will say so
		return ""
	}
	return shortened(hostKey(req.URL.Scheme, req.URL.Host))
}

func (t *Transport) classify(resp *http.Response, err error) engine.Outcome {
	if t.Classify == nil {
		return DefaultClassify(resp, err)
	}
	return t.Classify(resp, err)
}

func (t *Transport) retryable(req *http.Request, resp *http.Response, err error) bool {
	if t.Retryable == nil {
		return DefaultRetryable(req, resp, err)
	}
	return t.Retryable(req, resp, err)
}

func (t *Transport) maxRetryAfter() time.Duration {
	if t.MaxRetryAfter == 0 {
		return defaultMaxRetryAfter
	}
	return t.MaxRetryAfter
}
